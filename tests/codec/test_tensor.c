#include "support.h"

#include "codec/tensor/tensor.h"

#define MAX INT64_MAX

static const struct {
	uint32_t rank;
	int64_t dims[4];
	int r;
	uint64_t elements;
} shapes[] = {
	{0, {0}, 0, 1},
	{1, {0}, 0, 0},
	{1, {7}, 0, 7},
	{2, {784, 64}, 0, 50176},
	{3, {2, 0, 3}, 0, 0},
	{1, {MAX}, 0, MAX},
	{2, {MAX, 1}, 0, MAX},
	{2, {MAX, 2}, -EBADMSG, 0},
	{2, {INT64_C(1) << 32, INT64_C(1) << 31}, -EBADMSG, 0},
	{2, {INT64_C(1) << 32, INT64_C(1) << 32}, -EBADMSG, 0},
	{3, {INT64_C(1) << 32, INT64_C(1) << 30, 1}, 0, UINT64_C(1) << 62},
	/* Zeros are left out: a product that would pass 2^63 is refused all the same. */
	{3, {MAX, 2, 0}, -EBADMSG, 0},
	{3, {0, MAX, 2}, -EBADMSG, 0},
	{4, {MAX, 0, MAX, 0}, -EBADMSG, 0},
	{2, {MAX, 0}, 0, 0},
	{1, {-1}, -EBADMSG, 0},
	{2, {0, -1}, -EBADMSG, 0},
	{1, {INT64_MIN}, -EBADMSG, 0},
};

TEST(elements)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct shape shape = {shapes[i].rank, shapes[i].dims};
		uint64_t n = 42;

		assert_int_equal(shape_elements(&shape, &n), shapes[i].r);
		assert_int_equal(n, shapes[i].r < 0 ? 42 : shapes[i].elements);
	}
}

TEST(printed)
{
	static const int64_t dims[] = {784, 0, INT64_MAX};
	cleanup_buf struct buf out = {0};

	shape_print(&(struct shape){0, NULL}, &out);
	buf_add_u8(&out, ' ');
	shape_print(&(struct shape){1, dims}, &out);
	buf_add_u8(&out, ' ');
	shape_print(&(struct shape){3, dims}, &out);
	assert_says(buf_span(&out), "[] [784] [784, 0, 9223372036854775807]");
}

/* Its elements where their size is known, else what is stored. */
TEST(sizes)
{
	static const int64_t dims[] = {3, 5};
	struct tensor t = {.shape = {2, dims}, .dtype = 1, .storage = {.type = STORED_EXTENT}};

	t.storage.extent.size = 99;
	assert_true(tensor_is_raw(&t));
	assert_int_equal(tensor_size(&t), 60);
	t.dtype = 18;
	assert_int_equal(tensor_size(&t), 240);
	t.dtype = DTYPE_STRING;
	assert_false(tensor_is_raw(&t));
	assert_int_equal(tensor_size(&t), 99);
	t.dtype = 34;
	assert_int_equal(tensor_size(&t), 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements),
		cmocka_unit_test(printed),
		cmocka_unit_test(sizes),
	};

	return RUN(tests);
}
