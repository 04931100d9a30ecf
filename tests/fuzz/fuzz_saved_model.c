/* A SavedModel: saved_model.pb, and Keras's metadata if there is more in the input. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span input = span_of(bytes, n);
	cleanup_model struct model *m = NULL;
	struct error err = {0};

	scratch_write("saved_model.pb", take_part(&input));
	if (input.n)
		scratch_write("keras_metadata.pb", input);
	else
		scratch_remove("keras_metadata.pb");
	if (model_open(scratch_path(), &m, &err) < 0)
		MUST(err.text[0]);
	else
		look_at_model(m);
	return 0;
}
