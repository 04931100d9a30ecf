#include "support.h"

#include "codec/tensor/text_read.h"

/* A text in memory; the elements that it has, which must come in their order. */
struct given {
	struct span text;
	struct buf elements;
	uint32_t size;
};

static int copy_text(void *context, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	const struct given *g = context;

	(void)err;
	assert_true(offset <= g->text.n && n <= g->text.n - offset && n <= 64 << 10);
	memcpy(to, g->text.p + offset, n);
	return 0;
}

static int take(void *context, uint64_t first, size_t count, const uint8_t *elements,
		struct error *err)
{
	struct given *g = context;

	(void)err;
	assert_int_equal(first * g->size, g->elements.n);
	assert_true(count && count * g->size <= TEXT_PART);
	buf_add(&g->elements, span_of(elements, count * g->size));
	return 0;
}

static int read_text(uint32_t dtype, struct shape shape, struct span text, struct buf *ret,
		     struct error *err)
{
	struct given g = {.text = text, .size = dtype_size(dtype)};
	struct text_source source = {text.n, copy_text, &g};
	struct text_layout l;
	int r;

	assert_int_equal(text_layout_init(dtype, &shape, &l), 0);
	r = text_read(&l, &source, take, &g, err);
	*ret = g.elements;
	return r;
}

static const int64_t two_by_three[] = {2, 3};

/* All say 1 2 3 4 5 6. */
TEST(accepted)
{
	static const char *const texts[] = {
		"# uint8 [2, 3]\n  1   2   3\n  4   5   6\n",
		"1 2 3 4 5 6",
		"1,2,3\r\n4,5,6\r\n",
		"#uint8[2,3]   \n1\n\n2\t3 , 4\v5\f\n\n6,\n,",
		"# a comment\n1 # one\n2 3#three\n#uint8 [3]\n4 5 6 #",
		"# uint8\n1 2 3 4 5 6",
		"# float [2]\n1.0e0 +2 3. 40e-1 5 006\n",
		"\n# int8 [4]\n1 2 3 4 5 6",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_buf struct buf out = {0};
		struct error err = {0};

		if (read_text(DTYPE_UINT8, (struct shape){2, two_by_three}, span_str(texts[i]),
			      &out, &err) < 0)
			fail_msg("%s: %s", texts[i], err.text);
		assert_hex(buf_span(&out), "01 02 03 04 05 06");
	}
}

TEST(refused)
{
	static const struct {
		uint32_t dtype;
		const char *text, *says;
	} texts[] = {
		{DTYPE_UINT8, "", "line 1: the text ends after 0 numbers, the tensor has 6"},
		{DTYPE_UINT8, "1 2 3\n4 5\n",
		 "line 3: the text ends after 5 numbers, the tensor has 6"},
		{DTYPE_UINT8, "1 2 3\n4 5 6 7",
		 "line 2, column 7: \"7\" is one too many: the tensor has 6 numbers"},
		{DTYPE_UINT8, "1 2\n  x 4 5 6", "line 2, column 3: \"x\" is no number"},
		{DTYPE_UINT8, "1 2\n3;4 5 6", "line 2, column 1: \"3;4\" is no number"},
		{DTYPE_UINT8, "#\n#\n 1 256",
		 "line 3, column 4: \"256\" is out of the range of uint8"},
		{DTYPE_INT32, "1\t2.5",
		 "line 1, column 3: \"2.5\" has a fraction, and int32 is of "
		 "integers"},
		{DTYPE_INT32, "nan", "line 1, column 1: \"nan\" is nothing that int32 has"},
		{DTYPE_FLOAT16, "1 1e5", "column 3: \"1e5\" is out of the range of float16"},
		{DTYPE_FLOAT32, "# float32 [3, 2]\n1 2 3 4 5 6",
		 "line 1: the text is \"# float32 [3, 2]\", the tensor \"# float32 [2, 3]\""},
		{DTYPE_FLOAT32, "# float64 [2, 3]\n1 2 3 4 5 6",
		 "cannot change its dtype or shape"},
		{DTYPE_FLOAT32, "#dtype-34[", "cannot change its dtype or shape"},
		{DTYPE_UINT8, "1 \x1b[31m", "column 3: \"\\x1b[31m\" is no number"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_buf struct buf out = {0};
		struct error err = {0};
		int r = read_text(texts[i].dtype, (struct shape){2, two_by_three},
				  span_str(texts[i].text), &out, &err);

		assert_refused(r, -EINVAL, &err, texts[i].says);
	}
}

/* What a word lies across: the window is moved at each 64 KiB. */
TEST(windows)
{
	int64_t dims[] = {200000};
	cleanup_buf struct buf text = {0}, expected = {0}, out = {0};
	struct error err = {0};
	uint64_t seed = 1;

	for (int64_t i = 0; i < dims[0]; i++) {
		uint32_t v = (uint32_t)random_next(&seed) >> random_below(&seed, 32);

		buf_printf(&text, "%*u%s", (int)random_below(&seed, 12), v, i % 7 ? " " : "\n");
		if (i % 1000 == 0)
			buf_printf(&text, "#%*d\n", (int)random_below(&seed, 3000), 7);
		if (i == 100000) /* longer than the window */
			buf_printf(&text, "%*s#%*s\n", 70000, "", 140000, "x");
		buf_add_le32(&expected, v);
	}
	assert_int_equal(
		read_text(DTYPE_UINT32, (struct shape){1, dims}, buf_span(&text), &out, &err), 0);
	assert_true(span_equal(buf_span(&out), buf_span(&expected)));
}

TEST(long_words)
{
	static const size_t zeros[] = {TEXT_WORD_MAX - 1, TEXT_WORD_MAX, 200000};

	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++) {
		cleanup_buf struct buf text = {0}, out = {0};
		struct error err = {0};
		int r;

		/* From the last bytes of the first window on. */
		buf_printf(&text, "%*s", 65000, "");
		for (size_t n = 0; n < zeros[i]; n++)
			buf_add_u8(&text, '0');
		buf_add_u8(&text, '7');
		r = read_text(DTYPE_UINT8, (struct shape){0, NULL}, buf_span(&text), &out, &err);
		if (zeros[i] < TEXT_WORD_MAX)
			assert_hex(buf_span(&out), "07");
		else
			assert_refused(r, -EINVAL, &err, "line 1, column 65001: \"0000");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),
		cmocka_unit_test(refused),
		cmocka_unit_test(windows),
		cmocka_unit_test(long_words),
	};

	return RUN(tests);
}
