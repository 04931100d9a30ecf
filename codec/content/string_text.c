#include "codec/content/string_text.h"

#include "codec/base/base64.h"
#include "codec/content/content.h"
#include "codec/model/format.h"
#include "codec/base/json.h"
#include "codec/tensor/stored.h"
#include "codec/base/utf8.h"

/* Strings are read and written as a whole; more than this is nobody's label or vocabulary. */
static const uint64_t strings_max = 1 << 30;
/* A few bytes may make many: of arrays without elements, of brackets around each element. */
static const uint64_t brackets_max = 16 << 20, text_floor = 64 << 20;
enum { TEXT_RATIO = 32 }; /* characters of text to a stored byte */

static int read_base(struct model *m, const struct tensor *t, struct buf *ret, struct error *err)
{
	struct stored_run run = tensor_run(t, 0);
	cleanup_fd int fd = -1;
	uint8_t *p;
	int r;

	if (run.extent.size > strings_max)
		return error_set(err, -ENOTSUP, "%llu bytes of strings are too many to show",
				 (unsigned long long)run.extent.size);
	fd = shard_open(&m->shards[run.extent.shard], m->place.rootfd, err);
	r = fd < 0 ? fd : stored_verify(fd, &run, err);
	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	p = buf_extend(ret, (size_t)run.extent.size);
	return p ? read_at(fd, p, ret->n, run.extent.offset) : -ENOMEM;
}

int string_read(struct model *m, const struct tensor *t, struct buf *ret, struct error *err)
{
	int r = content_replacement(m, t, ret, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (t->damage)
		return error_set(err, -EIO, "%s", t->damage);
	if (t->storage.type == STORED_DECODED)
		return m->format->decode(m, t, ret, err);
	return read_base(m, t, ret, err);
}

/* ---- printing ---- */

/* An element of a JSON array: text, or what is no UTF-8 as {"base64": ...}. */
static void add_element(struct buf *out, struct span element)
{
	if (utf8_valid(element)) {
		json_add_text(out, element);
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

/* False if it becomes too long. */
static bool add_array(struct buf *out, const struct shape *shape, struct strings *elements)
{
	uint64_t stored = elements->lengths.n + elements->bytes.n;
	uint64_t text_max = out->n + text_floor + TEXT_RATIO * stored;
	struct span element;

	for (uint32_t d = 0; d < shape->rank; d++)
		buf_add_u8(out, '[');
	for (uint64_t i = 1; out->n <= text_max && strings_next(elements, &element); i++) {
		add_element(out, element);
		add_separator(out, shape, i);
	}
	buf_add_u8(out, '\n');
	return out->n <= text_max;
}

/* A shape with a zero in it has no elements, and may still have many brackets. */
static bool too_many_brackets(const struct shape *shape)
{
	uint64_t arrays = 1, all = 1; /* of this dimension; of those until here */

	for (uint32_t d = 0; d < shape->rank && shape->dims[d]; d++)
		if (mul_overflows(arrays, (uint64_t)shape->dims[d], &arrays) ||
		    add_overflows(all, arrays, &all) || all > brackets_max)
			return true;
	return false;
}

int string_print(const struct tensor *t, struct span stored, struct buf *out, struct error *err)
{
	struct strings elements;
	struct span only;
	uint64_t n = 0;
	int r = shape_elements(&t->shape, &n);

	if (r == 0)
		r = strings_open(&elements, stored, n, err);
	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	if (t->shape.rank == 0) {
		if (strings_next(&elements, &only))
			buf_add(out, only);
	} else if (n) {
		if (!add_array(out, &t->shape, &elements))
			return error_set(err, -ENOTSUP, "an array with too many brackets to show");
	} else if (too_many_brackets(&t->shape)) {
		return error_set(err, -ENOTSUP, "an empty array with too many brackets to show");
	} else {
		add_empty(out, &t->shape, 0);
		buf_add_u8(out, '\n');
	}
	return buf_error(out);
}

/* ---- parsing ---- */

/* What a text holds, while it is taken apart. */
struct parser {
	const struct tensor *t;
	struct json json;
	struct span text;
	struct buf lengths, bytes; /* of the elements so far */
	struct error *err;
};

static int complain(const struct parser *p, json_ref at, const char *what)
{
	struct json_position place = json_position(p->text, p->json.values[at].text);

	return error_set(p->err, -EINVAL, "line %zu, column %zu: %s", place.line, place.column,
			 what);
}

static int take_element(struct parser *p, json_ref at)
{
	const struct json_value *v = &p->json.values[at];
	cleanup_buf struct buf element = {0}, spelled = {0};
	json_ref base64 = json_get(&p->json, at, "base64");
	int r = 0;

	if (v->type == JSON_STRING) {
		json_unescape(v->text, &element);
	} else if (base64 && p->json.values[base64].type == JSON_STRING) {
		json_unescape(p->json.values[base64].text, &spelled);
		r = base64_decode(buf_span(&spelled), &element);
	} else {
		r = -EINVAL;
	}
	if (r < 0)
		return complain(p, at, "expected a string, or {\"base64\": \"...\"}");
	buf_add_varint(&p->lengths, element.n);
	buf_add(&p->bytes, buf_span(&element));
	return element.failed ? -ENOMEM : 0;
}

/* An array of that dimension, and what is in it; no deeper than the parser of JSON goes. */
static int take_array(struct parser *p, json_ref at, uint32_t dimension)
{
	const struct shape *shape = &p->t->shape;
	int64_t n = 0;

	if (dimension == shape->rank)
		return take_element(p, at);
	if (p->json.values[at].type != JSON_ARRAY)
		return complain(p, at, "expected an array");
	for (json_ref i = p->json.values[at].child; i; i = p->json.values[i].next, n++) {
		int r = take_array(p, i, dimension + 1);

		if (r < 0)
			return r;
	}
	if (n != shape->dims[dimension]) {
		cleanup_buf struct buf what = {0};

		buf_printf(&what, "an array of %lld, but the shape has %lld here%c", (long long)n,
			   (long long)shape->dims[dimension], 0);
		return what.failed ? -ENOMEM : complain(p, at, (const char *)what.p);
	}
	return 0;
}

static int parse_array(struct parser *p)
{
	int r = json_parse(&p->json, p->text, p->err);

	return r < 0 ? r : take_array(p, 0, 0);
}

int string_parse(const struct tensor *t, struct span text, struct buf *out, struct error *err)
{
	struct parser p = {.t = t, .text = text, .err = err};
	uint64_t elements = 0;
	int r = shape_elements(&t->shape, &elements);

	if (r == 0 && t->shape.rank == 0) {
		buf_add_varint(&p.lengths, text.n);
		buf_add(&p.bytes, text);
	} else if (r == 0) {
		r = parse_array(&p);
	}
	if (r == 0)
		r = strings_store(buf_span(&p.lengths), buf_span(&p.bytes), elements, out);
	if (r == 0 && (p.lengths.failed || p.bytes.failed))
		r = -ENOMEM;
	json_release(&p.json);
	buf_release(&p.lengths);
	buf_release(&p.bytes);
	return r;
}
