#include "support.h"

#include "codec/tensor/dtype.h"

/* Number, name, bytes of an element, bytes that swap (types.proto; byte_swap_tensor.cc). */
static const struct {
	uint32_t number;
	const char *name;
	uint32_t size, swap;
} known[] = {
	{1, "float32", 4, 4},
	{2, "float64", 8, 8},
	{3, "int32", 4, 4},
	{4, "uint8", 1, 1},
	{5, "int16", 2, 2},
	{6, "int8", 1, 1},
	{7, "string", 0, 0},
	{8, "complex64", 8, 4},
	{9, "int64", 8, 8},
	{10, "bool", 1, 1},
	{11, "qint8", 1, 1},
	{12, "quint8", 1, 1},
	{13, "qint32", 4, 4},
	{14, "bfloat16", 2, 2},
	{15, "qint16", 2, 2},
	{16, "quint16", 2, 2},
	{17, "uint16", 2, 2},
	{18, "complex128", 16, 8},
	{19, "float16", 2, 2},
	{20, "resource", 0, 0},
	{21, "variant", 0, 0},
	{22, "uint32", 4, 4},
	{23, "uint64", 8, 8},
	{24, "float8_e5m2", 1, 0},
	{25, "float8_e4m3fn", 1, 0},
	{26, "float8_e4m3fnuz", 1, 0},
	{27, "float8_e4m3b11fnuz", 1, 0},
	{28, "float8_e5m2fnuz", 1, 0},
	{29, "int4", 1, 0},
	{30, "uint4", 1, 0},
	{31, "int2", 1, 0},
	{32, "uint2", 1, 0},
	{33, "float4_e2m1fn", 1, 0},
};

TEST(known_types)
{
	assert_int_equal(ARRAY_SIZE(known), DTYPE_LAST);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		assert_string_equal(dtype_name(known[i].number).text, known[i].name);
		assert_int_equal(dtype_from_name(known[i].name), known[i].number);
		assert_int_equal(dtype_size(known[i].number), known[i].size);
		assert_int_equal(dtype_swap_size(known[i].number), known[i].swap);
	}
}

TEST(types_to_come)
{
	static const uint32_t numbers[] = {34, 42, 99};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct dtype_name name = dtype_name(numbers[i]);

		assert_int_equal(dtype_from_name(name.text), numbers[i]);
		assert_int_equal(dtype_size(numbers[i]), 0);
		assert_int_equal(dtype_swap_size(numbers[i]), 0);
	}
	assert_string_equal(dtype_name(34).text, "dtype-34");
	assert_string_equal(dtype_name(UINT32_MAX).text, "dtype-4294967295");
	assert_int_equal(dtype_size(UINT32_MAX), 0);
	assert_int_equal(dtype_size(DTYPE_INVALID), 0);
	assert_string_equal(dtype_name(DTYPE_INVALID).text, "dtype-0");
}

TEST(names_of_nothing)
{
	static const char *const strangers[] = {
		"",	     "float",
		"Float32",   "float32 ",
		"dtype-",    "dtype-0",
		"dtype-33",  "dtype-100",
		"dtype--1",  "dtype-+34",
		"dtype- 34", "dtype-34x",
		"dtype",     "dtype-99999999999999999999",
	};

	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++)
		assert_int_equal(dtype_from_name(strangers[i]), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_types),
		cmocka_unit_test(types_to_come),
		cmocka_unit_test(names_of_nothing),
	};

	return RUN(tests);
}
