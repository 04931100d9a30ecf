/* Tensors below variables/: by their checkpoint keys, as raw bytes or, strings, as text. */
#include "codec/content/content.h"
#include "codec/content/string_text.h"
#include "fs/view/kind.h"
#include "fs/view/paths.h"
#include "fs/view/view.h"

static const struct tensor *tensor_of(const struct showing *s)
{
	return model_tensor(s->branch->model, s->object);
}

static int add_path(const struct showing *s, bool strings, struct buf *out)
{
	const struct tensor *t = tensor_of(s);
	cleanup_buf struct buf path = {0};
	int r;

	if ((t->dtype == DTYPE_STRING) != strings)
		return 0;
	r = path_from_key(t->key, s->branch->model->object_based, &path);
	if (r < 0)
		return r;
	buf_add_str(out, "variables/");
	buf_add(out, buf_span(&path));
	return 1;
}

static int raw_path(const struct showing *s, struct buf *out)
{
	return add_path(s, false, out);
}

const struct kind kind_raw = {.of = THING_TENSOR, .path = raw_path};

static int strings_path(const struct showing *s, struct buf *out)
{
	return add_path(s, true, out);
}

static int strings_render(const struct showing *s, struct buf *out, struct error *err)
{
	const struct tensor *t = tensor_of(s);
	cleanup_buf struct buf stored = {0};
	int r = string_read(s->branch->model, t, &stored, err);

	return r < 0 ? r : string_print(t, buf_span(&stored), out, err);
}

static int strings_accept(const struct showing *s, struct span text, struct error *err)
{
	struct model *m = s->branch->model;
	cleanup_buf struct buf stored = {0};
	int r = string_parse(tensor_of(s), text, &stored, err);

	return r < 0 ? r : content_replace(m, model_tensor(m, s->object), buf_span(&stored), err);
}

static int strings_editable(const struct showing *s, struct error *err)
{
	return content_replaceable(s->branch->model, tensor_of(s), err);
}

const struct kind kind_strings = {
	.of = THING_TENSOR,
	.path = strings_path,
	.render = strings_render,
	.editable = strings_editable,
	.accept = strings_accept,
};
