/* Tensors below variables/: by their checkpoint keys, as raw bytes or, strings, as text. */
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/stored.h"
#include "codec/utf8.h"
#include "fs/kind.h"
#include "fs/paths.h"
#include "fs/view.h"

/* Strings are rendered in memory; more than this is nobody's label or vocabulary. */
static const uint64_t strings_max = 1 << 30;

static const struct tensor *tensor_of(const struct showing *s)
{
	return &s->branch->model->tensors[s->object];
}

static int add_path(const struct showing *s, bool strings, struct buf *out)
{
	const struct tensor *t = tensor_of(s);
	cleanup_buf struct buf path = {0};
	int r;

	if (t->hidden || (t->dtype == DTYPE_STRING) != strings)
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

/* An element of a JSON array: text, or what is no UTF-8 as {"base64": ...}. */
static void add_element(struct buf *out, struct span element)
{
	if (utf8_valid(element)) {
		json_add_string(out, element);
		return;
	}
	buf_add_str(out, "{\"base64\": \"");
	base64_encode(element, out);
	buf_add_str(out, "\"}");
}

/* Brackets that close behind element i and open before the next, of a shape without zeros. */
static void add_separator(struct buf *out, const struct shape *shape, uint64_t i)
{
	uint64_t block = 1;
	uint32_t closed = 0;

	for (uint32_t d = shape->rank; d-- > 0; closed++) {
		block *= (uint64_t)shape->dims[d];
		if (i % block)
			break;
	}
	for (uint32_t d = 0; d < closed; d++)
		buf_add_u8(out, ']');
	if (closed == shape->rank)
		return;
	buf_add_str(out, closed ? ",\n" : ", ");
	for (uint32_t d = 0; d < closed; d++)
		buf_add_u8(out, '[');
}

/* Brackets of a shape with a zero in it: [[], [], []]. */
static void add_empty(struct buf *out, const struct shape *shape, uint32_t depth)
{
	buf_add_u8(out, '[');
	for (int64_t i = 0; i < shape->dims[depth]; i++) {
		if (i)
			buf_add_str(out, ", ");
		add_empty(out, shape, depth + 1);
	}
	buf_add_u8(out, ']');
}

static void add_array(struct buf *out, const struct shape *shape, struct strings *elements)
{
	struct span element;

	for (uint32_t d = 0; d < shape->rank; d++)
		buf_add_u8(out, '[');
	for (uint64_t i = 1; strings_next(elements, &element); i++) {
		add_element(out, element);
		add_separator(out, shape, i);
	}
	buf_add_u8(out, '\n');
}

/* The stored bytes of a string tensor, checked. */
static int read_stored(struct model *m, const struct tensor *t, struct buf *ret, struct error *err)
{
	cleanup_fd int fd = -1;
	uint64_t elements;
	uint8_t *p;
	int r = shape_elements(&t->shape, &elements);

	if (t->damage)
		return error_set(err, -EIO, "%s", t->damage);
	if (t->slices || t->base.size > strings_max)
		return error_set(err, -ENOTSUP, "%llu bytes of strings are too many to show",
				 (unsigned long long)t->base.size);
	fd = shard_open(&m->shards[t->base.shard], m->place.rootfd, err);
	if (fd < 0)
		return fd;
	if (r == 0)
		r = stored_verify(fd, &t->base, t->dtype, elements, m->big_endian, err);
	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	p = buf_extend(ret, (size_t)t->base.size);
	return p ? read_at(fd, p, ret->n, t->base.offset) : -ENOMEM;
}

/* A shape with a zero in it has no elements, and may still have many brackets. */
static bool too_many_brackets(const struct shape *shape)
{
	uint64_t product = 1;

	for (uint32_t d = 0; d < shape->rank && shape->dims[d]; d++)
		if (mul_overflows(product, (uint64_t)shape->dims[d], &product) ||
		    product > strings_max)
			return true;
	return false;
}

static int strings_render(const struct showing *s, struct buf *out, struct error *err)
{
	const struct tensor *t = tensor_of(s);
	cleanup_buf struct buf stored = {0};
	struct strings elements;
	struct span only;
	uint64_t n = 0;
	int r = read_stored(s->branch->model, t, &stored, err);

	if (r == 0)
		r = shape_elements(&t->shape, &n);
	if (r == 0)
		r = strings_open(&elements, buf_span(&stored), n, err);
	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	if (t->shape.rank == 0) {
		if (strings_next(&elements, &only))
			buf_add(out, only);
	} else if (n) {
		add_array(out, &t->shape, &elements);
	} else if (too_many_brackets(&t->shape)) {
		return error_set(err, -ENOTSUP, "an empty array with too many brackets to show");
	} else {
		add_empty(out, &t->shape, 0);
		buf_add_u8(out, '\n');
	}
	return buf_error(out);
}

const struct kind kind_strings = {
	.of = THING_TENSOR,
	.path = strings_path,
	.render = strings_render,
};
