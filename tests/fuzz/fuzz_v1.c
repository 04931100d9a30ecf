/* A V1 checkpoint of one file, whose checksums are made to fit. */
#include "fuzz.h"
#include "codec/open.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	cleanup_open_model struct model *m = NULL;
	cleanup_buf struct buf file = {0};
	struct error err = {0};
	char path[96];

	buf_add(&file, span_of(bytes, n));
	reseal_table(&file);
	scratch_write("v1.ckpt", buf_span(&file));
	snprintf(path, sizeof(path), "%s/v1.ckpt", scratch_path());
	if (model_open(path, &m, &err) < 0)
		MUST(err.text[0]);
	else
		look_at_model(m);
	return 0;
}
