/* A checkpoint: its index, whose checksums are made to fit, and its only shard. */
#include "fuzz.h"
#include "codec/open.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span input = span_of(bytes, n);
	cleanup_open_model struct model *m = NULL;
	cleanup_buf struct buf index = {0};
	struct error err = {0};
	char prefix[96];

	buf_add(&index, take_part(&input));
	reseal_table(&index);
	scratch_write("m.index", buf_span(&index));
	scratch_write("m.data-00000-of-00001", input);
	snprintf(prefix, sizeof(prefix), "%s/m", scratch_path());
	if (model_open(prefix, &m, &err) < 0)
		MUST(err.text[0]);
	else
		look_at_model(m);
	return 0;
}
