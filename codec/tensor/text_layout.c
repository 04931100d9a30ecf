#include "codec/tensor/text_layout.h"

#include "codec/tensor/number_text.h"

static void add_first_line(const struct text_layout *l, struct buf *out)
{
	buf_printf(out, "# %s ", dtype_name(l->dtype).text);
	shape_print(&l->shape, out);
	buf_add_u8(out, '\n');
}

/* The line before a matrix, "# [0, 3, :, :]", not padded and without a newline. */
static void add_indices(const struct text_layout *l, uint64_t matrix, struct buf *out)
{
	uint64_t index[RANK_MAX];
	uint32_t n = l->shape.rank - 2;

	for (uint32_t i = n; i-- > 0; matrix /= (uint64_t)l->shape.dims[i])
		index[i] = matrix % (uint64_t)l->shape.dims[i];
	buf_add_str(out, "# [");
	for (uint32_t i = 0; i < n; i++)
		buf_printf(out, "%llu, ", (unsigned long long)index[i]);
	buf_add_str(out, ":, :]");
}

/* Of a tensor that has elements. False: it is longer than a file can be. */
static bool add_matrices(struct text_layout *l)
{
	uint64_t matrices = l->elements / l->columns / l->rows;

	return !mul_overflows(l->rows * l->columns, l->cell, &l->matrix) &&
	       !add_overflows(l->matrix, l->comment, &l->matrix) &&
	       !mul_overflows(l->matrix, matrices, &l->size) &&
	       !add_overflows(l->size, l->head, &l->size) && l->size <= INT64_MAX;
}

int text_layout_init(uint32_t dtype, const struct shape *shape, struct text_layout *ret)
{
	struct text_layout l = {.dtype = dtype, .shape = *shape, .rows = 1, .columns = 1};
	cleanup_buf struct buf first = {0}, comment = {0};
	uint32_t rank = shape->rank;
	int r = shape_elements(shape, &l.elements);

	if (r < 0)
		return r;
	if (!number_text_width(dtype))
		return -ENOTSUP;
	l.cell = number_text_width(dtype) + 1;
	add_first_line(&l, &first);
	l.head = l.size = first.n;
	if (rank >= 1)
		l.rows = (uint64_t)shape->dims[rank >= 2 ? rank - 2 : 0];
	if (rank >= 2)
		l.columns = (uint64_t)shape->dims[rank - 1];
	if (rank >= 3 && l.elements) {
		add_indices(&l, l.elements / (l.rows * l.columns) - 1, &comment);
		l.comment = comment.n + 1;
	}
	if (first.failed || comment.failed)
		return -ENOMEM;
	if (l.elements && !add_matrices(&l))
		return -EFBIG;
	*ret = l;
	return 0;
}

/* ---- a range of it ---- */

/* What is still to be written. */
struct range {
	const struct text_layout *l;
	uint64_t offset; /* in the text */
	uint8_t *to;
	size_t n;
	text_elements *elements;
	void *context;
	struct error *err;
	uint8_t *part; /* room for some elements, */
	size_t most;   /* so many */
};

static void advance(struct range *r, size_t n)
{
	r->offset += n;
	r->to += n;
	r->n -= n;
}

/* As much as is wanted of bytes that begin `skip` bytes before the range does. */
static void put(struct range *r, const void *bytes, size_t n, size_t skip)
{
	n = n - skip < r->n ? n - skip : r->n;
	memcpy(r->to, (const uint8_t *)bytes + skip, n);
	advance(r, n);
}

static int put_first_line(struct range *r)
{
	cleanup_buf struct buf line = {0};

	add_first_line(r->l, &line);
	if (!line.failed)
		put(r, line.p, line.n, (size_t)r->offset);
	return buf_error(&line);
}

static int put_comment(struct range *r, uint64_t matrix, size_t skip)
{
	cleanup_buf struct buf line = {0};

	add_indices(r->l, matrix, &line);
	while (!line.failed && line.n + 1 < r->l->comment)
		buf_add_u8(&line, ' ');
	buf_add_u8(&line, '\n');
	if (!line.failed)
		put(r, line.p, line.n, skip);
	return buf_error(&line);
}

/* The elements at p, of which the first is number `first` of the tensor. */
static void put_cells(struct range *r, uint64_t first, size_t count, const uint8_t *p, size_t skip)
{
	const struct text_layout *l = r->l;
	uint32_t dtype = l->dtype, size = dtype_size(dtype);
	uint64_t left = l->columns - first % l->columns; /* in the line */
	char one[NUMBER_TEXT_MAX + 1];

	for (size_t i = 0; i < count; i++, p += size, skip = 0) {
		bool whole = !skip && r->n >= l->cell;
		char *cell = whole ? (char *)r->to : one;

		number_text_format(dtype, p, cell);
		cell[l->cell - 1] = --left ? ' ' : '\n';
		if (whole)
			advance(r, l->cell);
		else
			put(r, one, l->cell, skip);
		if (!left)
			left = l->columns;
	}
}

/* Numbers of one matrix, as many as there is room for their elements: `at` bytes behind its
 * comment. */
static int put_numbers(struct range *r, uint64_t matrix, uint64_t at)
{
	const struct text_layout *l = r->l;
	uint64_t numbers = l->rows * l->columns, cell = at / l->cell, first;
	size_t skip = (size_t)(at % l->cell), count;
	int res;

	count = (r->n + skip + l->cell - 1) / l->cell;
	count = count < r->most ? count : r->most;
	count = count < numbers - cell ? count : (size_t)(numbers - cell);
	first = matrix * numbers + cell;
	res = r->elements(r->context, first, count, r->part, r->err);
	if (res == 0)
		put_cells(r, first, count, r->part, skip);
	return res;
}

int text_generate(const struct text_layout *l, uint64_t offset, size_t n, uint8_t *to,
		  text_elements *elements, void *context, struct error *err)
{
	size_t most = TEXT_PART / dtype_size(l->dtype), needed = n / l->cell + 2;
	size_t count = needed < most ? needed : most;
	cleanup_free uint8_t *part = malloc(count * dtype_size(l->dtype));
	struct range range = {l, offset, to, n, elements, context, err, part, count};
	int r = part ? 0 : -ENOMEM;

	while (range.n && r == 0) {
		uint64_t matrix, at;

		if (range.offset < l->head) {
			r = put_first_line(&range);
			continue;
		}
		matrix = (range.offset - l->head) / l->matrix;
		at = (range.offset - l->head) % l->matrix;
		if (at < l->comment)
			r = put_comment(&range, matrix, (size_t)at);
		else
			r = put_numbers(&range, matrix, at - l->comment);
	}
	return r;
}
