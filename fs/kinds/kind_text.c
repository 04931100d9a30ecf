/*
 * Tensors below text/, as numbers that people read and edit: each part of the text is generated
 * when somebody looks at it. The tree is that of variables/.
 */
#include "codec/base/file.h"
#include "codec/content/text_edit.h"
#include "fs/kinds/kinds.h"
#include "fs/view/pieces.h"
#include "fs/view/view.h"

static struct tensor *tensor_of(const struct showing *s)
{
	return model_tensor(s->branch->model, s->object);
}

static int layout_of(const struct showing *s, struct text_layout *ret)
{
	return text_layout_init(tensor_of(s)->dtype, &tensor_of(s)->shape, ret);
}

/* What has no layout is no number, or of a shape that no file has room for. */
static int text_path(const struct showing *s, struct buf *out)
{
	struct text_layout l;
	int r = layout_of(s, &l);

	if (r == -ENOMEM)
		return r;
	return r == 0 ? mirror_path(s, "text/", ".txt", out) : 0;
}

static uint64_t text_size(const struct showing *s)
{
	struct text_layout l;

	return layout_of(s, &l) < 0 ? 0 : l.size;
}

/* A text that somebody else made may have more digits, wider columns and comments. */
static uint64_t text_room(const struct showing *s)
{
	static const uint64_t wider = 8, more = 1 << 30;
	uint64_t size = text_size(s), room;

	return mul_overflows(size, wider, &room) || room > INT64_MAX - more ? INT64_MAX
									    : room + more;
}

/* ---- reading ---- */

struct text {
	struct text_layout layout;
	struct content *content;
	int64_t dims[]; /* of the layout */
};

static int copy_elements(void *context, uint64_t first, size_t count, uint8_t *to,
			 struct error *err)
{
	const struct text *t = context;
	uint32_t size = dtype_size(t->layout.dtype);
	int r;

	content_lock(t->content);
	r = content_accepted(t->content, first * size, count * size, to, err);
	content_unlock(t->content);
	return r;
}

static int generate(void *context, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	const struct text *t = context;

	return text_generate(&t->layout, offset, n, to, copy_elements, context, err);
}

static int text_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	struct tensor *tensor = tensor_of(s);
	size_t dims = tensor->shape.rank * sizeof(int64_t);
	cleanup_free struct text *t = malloc(sizeof(*t) + dims);
	struct shape shape = {tensor->shape.rank, t ? t->dims : NULL};
	uint64_t size;
	int r;

	if (!t)
		return -ENOMEM;
	if (dims)
		memcpy(t->dims, tensor->shape.dims, dims);
	r = text_layout_init(tensor->dtype, &shape, &t->layout);
	if (r == 0)
		r = pieces_open_content(out, s->branch->model, tensor, &t->content, err);
	if (r < 0)
		return r;
	size = t->layout.size;
	return pieces_add_generated(out, size, generate, steal_pointer(t));
}

/* ---- what was written ---- */

static int copy_draft(void *draft, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	const struct draft *d = draft;
	int r = read_at(d->fd, to, n, offset);

	return r < 0 ? error_set(err, r, "work folder: %s", strerror(-r)) : 0;
}

static int text_accept(const struct showing *s, const struct draft *d, struct error *err)
{
	struct draft draft = *d;
	const struct text_source source = {d->size, copy_draft, &draft};
	struct text_layout l;
	int r = layout_of(s, &l);

	return r < 0 ? r : content_take_text(s->branch->model, tensor_of(s), &l, &source, err);
}

const struct kind kind_text = {
	.of = THING_TENSOR,
	.folder = "text",
	.link = ".txt",
	.path = text_path,
	.compose = text_compose,
	.size = text_size,
	.room = text_room,
	.accept = text_accept,
};
