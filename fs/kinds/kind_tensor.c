/* Tensors below variables/: by their checkpoint keys, as raw bytes or, strings, as text. */
#include "codec/content/content.h"
#include "codec/content/string_text.h"
#include "fs/kinds/kinds.h"
#include "fs/view/branch.h"
#include "fs/view/paths.h"
#include "fs/view/pieces.h"
#include "fs/view/view.h"

static struct tensor *tensor_of(const struct showing *s)
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

static int raw_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	return pieces_add_content(out, s->branch->model, tensor_of(s), err);
}

static uint64_t raw_size(const struct showing *s)
{
	return content_size(s->branch->model, tensor_of(s));
}

static uint64_t raw_shift(const struct showing *s)
{
	(void)s;
	return 0;
}

static uint64_t raw_room(const struct showing *s)
{
	return tensor_size(tensor_of(s));
}

/* What was written lies in the content already. */
static int raw_accept(const struct showing *s, const struct draft *d, struct error *err)
{
	(void)s;
	return content_flush(d->content, err);
}

const struct kind kind_raw = {
	.of = THING_TENSOR,
	.link = "",
	.path = raw_path,
	.compose = raw_compose,
	.size = raw_size,
	.shift = raw_shift,
	.room = raw_room,
	.accept = raw_accept,
};

int mirror_path(const struct showing *s, const char *folder, const char *ending, struct buf *out)
{
	static const char raw[] = "variables/";
	node_id node = branch_main_node(s->branch, THING_TENSOR, s->object);
	cleanup_buf struct buf path = {0};

	if (!node)
		return 0;
	tree_path(s->view->tree, s->branch->root, node, &path);
	if (path.failed)
		return -ENOMEM;
	buf_add_str(out, folder);
	buf_add(out, span_skip(buf_span(&path), sizeof(raw) - 1));
	buf_add_str(out, ending);
	return 1;
}

static int strings_path(const struct showing *s, struct buf *out)
{
	return add_path(s, true, out);
}

static int strings_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	const struct tensor *t = tensor_of(s);
	cleanup_buf struct buf stored = {0};
	int r = string_read(s->branch->model, t, &stored, err);

	return r < 0 ? r : string_print(t, buf_span(&stored), &out->bytes, err);
}

static int strings_accept(const struct showing *s, const struct draft *d, struct error *err)
{
	cleanup_buf struct buf text = {0}, stored = {0};
	int r = draft_read(d, &text, err);

	if (r == 0)
		r = string_parse(tensor_of(s), buf_span(&text), &stored, err);
	if (r == 0)
		r = content_replace(s->branch->model, tensor_of(s), buf_span(&stored), err);
	return r < 0 ? r : CONTENT_ACCEPTED;
}

const struct kind kind_strings = {
	.of = THING_TENSOR,
	.link = "",
	.path = strings_path,
	.compose = strings_compose,
	.accept = strings_accept,
};
