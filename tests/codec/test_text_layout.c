#include "support.h"

#include "codec/tensor/number_text.h"
#include "codec/tensor/text_read.h"

/* Elements in memory; where they were asked for, and how many at most. */
struct memory {
	const uint8_t *p;
	uint32_t size;
	uint64_t lowest, end;
};

static int copy_elements(void *context, uint64_t first, size_t count, uint8_t *to,
			 struct error *err)
{
	struct memory *m = context;

	(void)err;
	assert_true(count * m->size <= TEXT_PART);
	m->lowest = first < m->lowest ? first : m->lowest;
	m->end = first + count > m->end ? first + count : m->end;
	memcpy(to, m->p + first * m->size, count * m->size);
	return 0;
}

static int no_elements(void *context, uint64_t first, size_t count, uint8_t *to, struct error *err)
{
	(void)context;
	(void)first;
	(void)count;
	(void)to;
	return error_set(err, -EIO, "damaged");
}

static void generate(const struct text_layout *l, const struct buf *elements, uint64_t offset,
		     size_t n, struct buf *out)
{
	struct memory m = {elements->p, dtype_size(l->dtype), UINT64_MAX, 0};
	uint8_t *to = buf_extend(out, n);

	assert_int_equal(text_generate(l, offset, n, to, copy_elements, &m, NULL), 0);
}

/* Texts as they should be, made of the numbers 0, 1, 2 ... */
static const struct {
	uint32_t dtype, rank;
	int64_t dims[5];
	const char *text;
} texts[] = {
	{DTYPE_UINT8, 0, {0}, "# uint8 []\n  0\n"},
	{DTYPE_UINT8, 1, {3}, "# uint8 [3]\n  0\n  1\n  2\n"},
	{DTYPE_UINT8, 1, {0}, "# uint8 [0]\n"},
	{DTYPE_UINT8, 2, {2, 3}, "# uint8 [2, 3]\n  0   1   2\n  3   4   5\n"},
	{DTYPE_UINT8, 2, {3, 0}, "# uint8 [3, 0]\n"},
	{DTYPE_INT16, 2, {2, 1}, "# int16 [2, 1]\n   256\n   770\n"},
	{DTYPE_UINT8,
	 3,
	 {2, 1, 2},
	 "# uint8 [2, 1, 2]\n# [0, :, :]\n  0   1\n# [1, :, :]\n  2   3\n"},
	{DTYPE_UINT8, 3, {2, 0, 2}, "# uint8 [2, 0, 2]\n"},
	{DTYPE_UINT8,
	 5,
	 {1, 11, 1, 2, 1},
	 "# uint8 [1, 11, 1, 2, 1]\n"
	 "# [0, 0, 0, :, :] \n  0\n  1\n# [0, 1, 0, :, :] \n  2\n  3\n"
	 "# [0, 2, 0, :, :] \n  4\n  5\n# [0, 3, 0, :, :] \n  6\n  7\n"
	 "# [0, 4, 0, :, :] \n  8\n  9\n# [0, 5, 0, :, :] \n 10\n 11\n"
	 "# [0, 6, 0, :, :] \n 12\n 13\n# [0, 7, 0, :, :] \n 14\n 15\n"
	 "# [0, 8, 0, :, :] \n 16\n 17\n# [0, 9, 0, :, :] \n 18\n 19\n"
	 "# [0, 10, 0, :, :]\n 20\n 21\n"},
};

TEST(whole_texts)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_buf struct buf elements = {0}, out = {0};
		struct shape shape = {texts[i].rank, texts[i].dims};
		struct text_layout l;

		for (uint8_t byte = 0; byte < 64; byte++)
			buf_add_u8(&elements, byte);
		assert_int_equal(text_layout_init(texts[i].dtype, &shape, &l), 0);
		assert_int_equal(l.size, strlen(texts[i].text));
		generate(&l, &elements, 0, (size_t)l.size, &out);
		assert_says(buf_span(&out), texts[i].text);
	}
}

static const struct {
	uint32_t dtype, rank;
	int64_t dims[3];
	int r;
} refused[] = {
	{DTYPE_STRING, 1, {3}, -ENOTSUP},
	{DTYPE_VARIANT, 0, {0}, -ENOTSUP},
	{34, 1, {3}, -ENOTSUP},
	{DTYPE_UINT8, 1, {-1}, -EBADMSG},
	{DTYPE_UINT8, 2, {INT64_MAX, 2}, -EBADMSG},
	{DTYPE_UINT8, 1, {INT64_MAX}, -EFBIG},
	{DTYPE_UINT8, 1, {INT64_MAX / 4}, -EFBIG},
	{DTYPE_UINT8, 1, {INT64_MAX / 4 - 100}, 0},
	/* Each matrix is small, the lines before them make it too large. */
	{DTYPE_UINT8, 3, {INT64_MAX / 8, 1, 1}, -EFBIG},
	{DTYPE_COMPLEX128, 1, {INT64_MAX / 50}, -EFBIG},
};

TEST(what_has_no_text)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct shape shape = {refused[i].rank, refused[i].dims};
		struct text_layout l = {.cell = 42};

		assert_int_equal(text_layout_init(refused[i].dtype, &shape, &l), refused[i].r);
		assert_int_equal(l.cell == 42, refused[i].r < 0);
	}
}

/* ---- random ones ---- */

static void random_elements(uint64_t *seed, uint64_t n, struct buf *out)
{
	for (uint64_t i = 0; i < n; i++)
		buf_add_u8(out, (uint8_t)random_next(seed));
}

/* Any part of the text is that part of the whole text, and costs the elements that it shows. */
static void check_ranges(uint64_t *seed, const struct text_layout *l, const struct buf *elements,
			 struct span whole)
{
	for (int i = 0; i < 50; i++) {
		struct memory m = {elements->p, dtype_size(l->dtype), UINT64_MAX, 0};
		uint64_t offset = random_below(seed, whole.n);
		size_t n = (size_t)random_below(seed, i % 2 ? whole.n - offset + 1 : 40);
		cleanup_buf struct buf out = {0};
		uint8_t *to;

		n = n < whole.n - offset ? n : (size_t)(whole.n - offset);
		to = buf_extend(&out, n);
		assert_int_equal(text_generate(l, offset, n, to, copy_elements, &m, NULL), 0);
		assert_same(buf_span(&out), span_of(whole.p + offset, n));
		assert_true(m.end == 0 || m.end - m.lowest <= n / l->cell + 2);
	}
}

/* All lines that are no comment are equally long, and so are the comments but the first. */
static void check_lines(const struct text_layout *l, struct span whole)
{
	struct span rest = span_skip(whole, l->head);

	while (rest.n) {
		size_t n = l->cell * (size_t)l->columns;

		if (rest.p[0] == '#')
			n = (size_t)l->comment;
		assert_true(n <= rest.n && rest.p[n - 1] == '\n');
		assert_ptr_equal(memchr(rest.p, '\n', rest.n), rest.p + n - 1);
		rest = span_skip(rest, n);
	}
}

struct back {
	const struct text_layout *l;
	const uint8_t *elements;
	uint64_t n;
};

static int compare(void *context, uint64_t first, size_t count, const uint8_t *elements,
		   struct error *err)
{
	struct back *back = context;
	uint32_t size = dtype_size(back->l->dtype);

	(void)err;
	assert_int_equal(first, back->n);
	for (size_t i = 0; i < count; i++)
		assert_true(number_text_alike(back->l->dtype, elements + i * size,
					      back->elements + (first + i) * size));
	back->n += count;
	return 0;
}

static int copy_text(void *context, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	(void)err;
	memcpy(to, (const uint8_t *)context + offset, n);
	return 0;
}

TEST(random_ones)
{
	uint64_t seed = 8;

	for (uint32_t dtype = 1; dtype <= DTYPE_LAST; dtype++)
		for (uint32_t rank = 0; number_text_width(dtype) && rank < 6; rank++) {
			cleanup_buf struct buf elements = {0}, whole = {0};
			int64_t dims[5];
			struct shape shape = {rank, dims};
			struct text_layout l;
			struct text_source source = {.copy = copy_text};
			struct back back = {.l = &l};

			for (uint32_t i = 0; i < rank; i++)
				dims[i] = 1 + (int64_t)random_below(&seed, rank == 1 ? 3000 : 12);
			assert_int_equal(text_layout_init(dtype, &shape, &l), 0);
			random_elements(&seed, l.elements * dtype_size(dtype), &elements);
			generate(&l, &elements, 0, (size_t)l.size, &whole);
			check_ranges(&seed, &l, &elements, buf_span(&whole));
			check_lines(&l, buf_span(&whole));
			source.size = whole.n;
			source.context = whole.p;
			back.elements = elements.p;
			assert_int_equal(text_read(&l, &source, compare, &back, NULL), 0);
			assert_int_equal(back.n, l.elements);
		}
}

/* The end of a text of 10^18 numbers is there at once. */
TEST(a_large_one)
{
	static const int64_t dims[] = {1000000, 1000000, 500000};
	struct shape shape = {3, dims};
	struct text_layout l;
	char tail[20];
	struct error err;
	const uint8_t one = 7;
	struct memory m = {.size = 0, .p = &one};

	assert_int_equal(text_layout_init(DTYPE_UINT8, &shape, &l), 0);
	assert_int_equal(text_generate(&l, l.size - 6, 6, (uint8_t *)tail, copy_elements, &m, NULL),
			 0);
	assert_int_equal(m.end, 500000000000000000);
	assert_int_equal(text_generate(&l, l.head, 20, (uint8_t *)tail, no_elements, NULL, &err),
			 -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_texts),
		cmocka_unit_test(what_has_no_text),
		cmocka_unit_test(random_ones),
		cmocka_unit_test(a_large_one),
	};

	return RUN(tests);
}
