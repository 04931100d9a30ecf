#include "codec/tensor/npy.h"

#include <stdio.h>

/* What NumPy leaves room for: the digits of a first dimension that may grow. */
enum { GROWTH_DIGITS = 21, ALIGN = 64, PREAMBLE = 10 };

static const char magic[] = "\x93NUMPY";

/* The descr that numpy.save() writes; "" for none. Opaque types are what numpy.load() takes. */
static const char *descr_of(uint32_t dtype)
{
	static const char *const descrs[DTYPE_LAST + 1] = {
		[1] = "<f4",  [2] = "<f8",   [3] = "<i4",  [4] = "|u1",	 [5] = "<i2",
		[6] = "|i1",  [8] = "<c8",   [9] = "<i8",  [10] = "|b1", [11] = "|i1",
		[12] = "|u1", [13] = "<i4",  [14] = "<V2", [15] = "<i2", [16] = "<u2",
		[17] = "<u2", [18] = "<c16", [19] = "<f2", [22] = "<u4", [23] = "<u8",
	};

	if (dtype > DTYPE_LAST || !dtype_size(dtype))
		return "";
	return descrs[dtype] ? descrs[dtype] : "|V1";
}

bool npy_has(uint32_t dtype)
{
	return descr_of(dtype)[0] != '\0';
}

/* (784, 64) or (5,) or () */
static void add_tuple(const struct shape *shape, struct buf *out)
{
	buf_add_u8(out, '(');
	for (uint32_t i = 0; i < shape->rank; i++)
		buf_printf(out, i ? ", %lld" : "%lld", (long long)shape->dims[i]);
	buf_add_str(out, shape->rank == 1 ? ",)" : ")");
}

void npy_header(uint32_t dtype, const struct shape *shape, struct buf *out)
{
	cleanup_buf struct buf text = {0};
	char digits[24];
	size_t n;

	buf_printf(&text, "{'descr': '%s', 'fortran_order': False, 'shape': ", descr_of(dtype));
	add_tuple(shape, &text);
	buf_add_str(&text, ", }");
	if (shape->rank) {
		n = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)shape->dims[0]);
		for (; n < GROWTH_DIGITS; n++)
			buf_add_u8(&text, ' ');
	}
	while (!text.failed && (PREAMBLE + text.n + 1) % ALIGN)
		buf_add_u8(&text, ' ');
	buf_add_u8(&text, '\n');
	buf_add(out, span_of(magic, sizeof(magic) - 1));
	buf_add(out, span_of("\1\0", 2));
	buf_add_u8(out, (uint8_t)text.n);
	buf_add_u8(out, (uint8_t)(text.n >> 8));
	buf_add(out, buf_span(&text));
	out->failed |= text.failed;
}

/* ---- parsing: a Python dictionary of three known keys ---- */

static void skip_space(struct span *s)
{
	while (s->n && (s->p[0] == ' ' || s->p[0] == '\t' || s->p[0] == '\n'))
		*s = span_skip(*s, 1);
}

static bool take_char(struct span *s, char c)
{
	skip_space(s);
	if (!s->n || s->p[0] != (uint8_t)c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

static bool take_word(struct span *s, const char *word)
{
	skip_space(s);
	if (!span_starts(*s, span_str(word)))
		return false;
	*s = span_skip(*s, strlen(word));
	return true;
}

static bool take_string(struct span *s, struct span *ret)
{
	const uint8_t *end;
	char quote;

	skip_space(s);
	if (!s->n || (s->p[0] != '\'' && s->p[0] != '"'))
		return false;
	quote = (char)s->p[0];
	*s = span_skip(*s, 1);
	end = memchr(s->p, quote, s->n);
	if (!end)
		return false;
	*ret = span_first(*s, (size_t)(end - s->p));
	*s = span_skip(*s, ret->n + 1);
	return true;
}

static bool take_integer(struct span *s, int64_t *ret)
{
	int64_t v = 0;
	size_t n = 0;

	skip_space(s);
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		if (mul_overflows(v, 10, &v) || add_overflows(v, s->p[n++] - '0', &v))
			return false;
	*s = span_skip(*s, n);
	(void)(s->n && s->p[0] == 'L' && take_char(s, 'L')); /* Python 2 */
	*ret = v;
	return n > 0;
}

static bool take_shape(struct span *s, struct npy *npy)
{
	if (!take_char(s, '('))
		return false;
	for (npy->rank = 0; !take_char(s, ')');) {
		if (npy->rank == RANK_MAX || !take_integer(s, &npy->dims[npy->rank++]))
			return false;
		if (!take_char(s, ','))
			return take_char(s, ')');
	}
	return true;
}

/* One of the three members; a structured descr is a list, and none of ours. */
static bool take_member(struct span *s, struct npy *npy, unsigned *seen)
{
	struct span key;

	if (!take_string(s, &key) || !take_char(s, ':'))
		return false;
	if (span_is(key, "descr")) {
		*seen |= 1;
		return take_string(s, &npy->descr);
	}
	if (span_is(key, "fortran_order")) {
		*seen |= 2;
		npy->fortran = take_word(s, "True");
		return npy->fortran || take_word(s, "False");
	}
	*seen |= 4;
	return span_is(key, "shape") && take_shape(s, npy);
}

static bool take_dictionary(struct span s, struct npy *npy)
{
	unsigned seen = 0;

	if (!take_char(&s, '{'))
		return false;
	while (!take_char(&s, '}')) {
		if (!take_member(&s, npy, &seen))
			return false;
		if (!take_char(&s, ',') && !(s.n && s.p[0] == '}'))
			return false;
	}
	skip_space(&s);
	return seen == 7 && !s.n;
}

int npy_parse(struct span file, struct npy *ret, struct error *err)
{
	struct npy npy = {0};
	struct span s = file, header, start;
	uint32_t n = 0;
	uint8_t major, minor, low, high;

	if (span_take(&s, sizeof(magic) - 1, &start) < 0 || !span_is(start, magic) ||
	    span_take_u8(&s, &major) < 0 || span_take_u8(&s, &minor) < 0)
		return error_set(err, -EINVAL, "no .npy: it does not begin with \\x93NUMPY");
	if (major == 1 && span_take_u8(&s, &low) == 0 && span_take_u8(&s, &high) == 0)
		n = low | (uint32_t)high << 8;
	else if ((major != 2 && major != 3) || span_take_le32(&s, &n) < 0)
		return error_set(err, -EINVAL, "a .npy of version %u.%u", major, minor);
	if (n > NPY_HEADER_MAX || span_take(&s, n, &header) < 0)
		return error_set(err, -EINVAL, "the header of the .npy is cut or too long");
	npy.data = file.n - s.n;
	if (!take_dictionary(header, &npy))
		return error_set(err, -EINVAL, "the header of the .npy makes no sense: %s",
				 quote(header));
	npy.swapped = npy.descr.n && npy.descr.p[0] == '>';
	*ret = npy;
	return 0;
}

/* The descr without its byte order is that of the dtype, or stands for it. */
static bool same_type(struct span descr, uint32_t dtype)
{
	struct span ours = span_str(descr_of(dtype));
	char width[8];

	if (span_is(descr, dtype_name(dtype).text))
		return true;
	if (!descr.n || !memchr("<>|=", descr.p[0], 4))
		return false;
	descr = span_skip(descr, 1);
	ours = span_skip(ours, 1);
	if (span_equal(descr, ours))
		return true;
	snprintf(width, sizeof(width), "u%u", dtype_size(dtype));
	return ours.p[0] == 'V' &&
	       (span_is(descr, width) || (dtype_size(dtype) == 1 && span_is(descr, "f1")));
}

int npy_check(const struct npy *npy, uint32_t dtype, const struct shape *shape, struct error *err)
{
	cleanup_buf struct buf text = {0};
	struct shape given = {npy->rank, npy->dims};

	if (!same_type(npy->descr, dtype))
		return error_set(err, -EINVAL, "the .npy is of dtype %s, the tensor of %s",
				 quote(npy->descr), dtype_name(dtype).text);
	if (given.rank == shape->rank &&
	    (given.rank == 0 || memcmp(given.dims, shape->dims, given.rank * sizeof(int64_t)) == 0))
		return 0;
	buf_add_str(&text, "the .npy has the shape ");
	shape_print(&given, &text);
	buf_add_str(&text, ", the tensor ");
	shape_print(shape, &text);
	return error_set(err, -EINVAL, "%.*s", (int)text.n, text.p);
}
