/* The file `checkpoint`: whatever it says, a path that can be shown, or a sentence. */
#include "codec/checkpoints/checkpoint_state.h"
#include "codec/base/utf8.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	cleanup_buf struct buf path = {0}, again = {0}, spelled = {0};
	struct error err = {""};
	int r = checkpoint_state_latest(span_of(bytes, n), &path, &err);

	MUST(r == 0 || (r == -EBADMSG && err.text[0] && !path.n));
	if (r < 0)
		return 0;
	MUST(path.n && path.n <= 4 * n && utf8_valid(buf_span(&path)));
	/* What it says can be written, and is read as the same. */
	buf_add_str(&spelled, "model_checkpoint_path: \"");
	for (size_t i = 0; i < path.n; i++)
		buf_printf(&spelled, "\\%03o", path.p[i]);
	buf_add_str(&spelled, "\"");
	MUST(checkpoint_state_latest(buf_span(&spelled), &again, &err) == 0);
	MUST(span_equal(buf_span(&path), buf_span(&again)));
	return 0;
}
