/* A SavedModel: saved_model.pb, and Keras's metadata if there is more in the input. */
#include "fuzz.h"
#include "codec/open.h"

/*
 * The same with a field behind it that makes it so long that it is not read whole: what is
 * stepped over must make no difference.
 */
static void look_at_long(const struct model *whole, struct span graph)
{
	enum { PADDING = 2 << 20 };
	cleanup_open_model struct model *m = NULL;
	cleanup_buf struct buf file = {0};
	struct error err = {0};

	buf_add(&file, graph);
	buf_add_varint(&file, 15 << 3 | 2);
	buf_add_varint(&file, PADDING);
	scratch_write("saved_model.pb", buf_span(&file));
	scratch_lengthen("saved_model.pb", file.n + PADDING);
	MUST(model_open(scratch_path(), &m, &err) == 0);
	MUST(m->n_documents == whole->n_documents && m->served == whole->served);
	for (size_t i = 0; i < m->n_documents; i++)
		MUST(span_equal(m->documents[i].text, whole->documents[i].text));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span input = span_of(bytes, n), graph = take_part(&input);
	cleanup_open_model struct model *m = NULL;
	struct error err = {0};

	scratch_write("saved_model.pb", graph);
	if (input.n)
		scratch_write("keras_metadata.pb", input);
	else
		scratch_remove("keras_metadata.pb");
	if (model_open(scratch_path(), &m, &err) < 0) {
		MUST(err.text[0]);
		return 0;
	}
	look_at_model(m);
	look_at_long(m, graph);
	return 0;
}
