#include "support.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/tensor/dtype.h"
#include "codec/tensor/number_text.h"
#include "codec/tensor/small_float.h"

/* The text of an element, without the spaces before it. */
static struct span text_of(uint32_t dtype, const uint8_t *element, char *out)
{
	uint32_t width = number_text_width(dtype);
	struct span text = span_of(out, width);

	number_text_format(dtype, element, out);
	while (text.n && text.p[0] == ' ')
		text = span_skip(text, 1);
	return text;
}

static enum number_text_fault parse(uint32_t dtype, struct span word, uint8_t *ret)
{
	return number_text_parse(dtype, (const char *)word.p, word.n, ret);
}

/* An element of these bytes prints as this text, and is read back from it. */
static const struct {
	uint32_t dtype;
	const char *hex, *text;
} elements[] = {
	{DTYPE_FLOAT32, "00 00 80 3e", "0.25"},
	{DTYPE_FLOAT32, "00 00 00 80", "-0"},
	{DTYPE_FLOAT32, "cd cc cc 3d", "0.1"},
	{DTYPE_FLOAT32, "00 00 80 4b", "16777216"},
	{DTYPE_FLOAT32, "01 00 00 00", "1e-45"},
	{DTYPE_FLOAT32, "01 00 80 80", "-1.1754945e-38"},
	{DTYPE_FLOAT32, "ff ff 7f ff", "-3.4028235e+38"},
	{DTYPE_FLOAT32, "00 00 80 7f", "inf"},
	{DTYPE_FLOAT32, "00 00 80 ff", "-inf"},
	{DTYPE_FLOAT32, "00 00 c0 7f", "nan"},
	{DTYPE_FLOAT64, "01 00 00 00 00 00 00 00", "5e-324"},
	{DTYPE_FLOAT64, "ff ff ff ff ff ff ef ff", "-1.7976931348623157e+308"},
	{DTYPE_FLOAT64, "00 00 00 00 00 00 f8 7f", "nan"},
	{DTYPE_FLOAT16, "00 70", "8192"},
	{DTYPE_FLOAT16, "ff fb", "-65504"},
	{DTYPE_FLOAT16, "01 00", "6e-08"},
	{DTYPE_FLOAT16, "66 2e", "0.1"},
	{DTYPE_FLOAT16, "00 7c", "inf"},
	{DTYPE_BFLOAT16, "cd 3d", "0.1"},
	{DTYPE_BFLOAT16, "80 43", "256"},
	{DTYPE_BFLOAT16, "01 80", "-9e-41"},
	{DTYPE_BFLOAT16, "c0 7f", "nan"},
	{DTYPE_FLOAT8_E5M2, "7b", "57344"},
	{DTYPE_FLOAT8_E4M3FN, "7e", "448"},
	{DTYPE_FLOAT8_E4M3FN, "7f", "nan"},
	{DTYPE_FLOAT8_E4M3FNUZ, "80", "nan"},
	{DTYPE_FLOAT8_E4M3B11FNUZ, "7f", "30"},
	{DTYPE_FLOAT8_E5M2FNUZ, "7f", "57344"},
	{DTYPE_FLOAT4_E2M1FN, "0f", "-6"},
	{DTYPE_FLOAT4_E2M1FN, "01", "0.5"},
	{DTYPE_COMPLEX64, "00 00 80 3f 00 00 00 c0", "1-2j"},
	{DTYPE_COMPLEX64, "00 00 00 80 00 00 c0 7f", "-0+nanj"},
	{DTYPE_COMPLEX64, "ff ff 7f ff ff ff 7f ff", "-3.4028235e+38-3.4028235e+38j"},
	{DTYPE_COMPLEX128, "00 00 00 00 00 00 f8 7f 00 00 00 00 00 00 f0 ff", "nan-infj"},
	{DTYPE_BOOL, "00", "0"},
	{DTYPE_BOOL, "01", "1"},
	{DTYPE_INT2, "fe", "-2"},
	{DTYPE_UINT2, "03", "3"},
	{DTYPE_INT4, "f8", "-8"},
	{DTYPE_UINT4, "0f", "15"},
	{DTYPE_INT8, "80", "-128"},
	{DTYPE_QINT8, "7f", "127"},
	{DTYPE_UINT8, "ff", "255"},
	{DTYPE_QUINT8, "ff", "255"},
	{DTYPE_INT16, "00 80", "-32768"},
	{DTYPE_QINT16, "00 80", "-32768"},
	{DTYPE_UINT16, "ff ff", "65535"},
	{DTYPE_QUINT16, "ff ff", "65535"},
	{DTYPE_INT32, "00 00 00 80", "-2147483648"},
	{DTYPE_QINT32, "00 00 00 80", "-2147483648"},
	{DTYPE_UINT32, "ff ff ff ff", "4294967295"},
	{DTYPE_INT64, "00 00 00 00 00 00 00 80", "-9223372036854775808"},
	{DTYPE_UINT64, "ff ff ff ff ff ff ff ff", "18446744073709551615"},
};

TEST(written_and_read)
{
	for (size_t i = 0; i < ARRAY_SIZE(elements); i++) {
		cleanup_buf struct buf element = {0};
		char out[NUMBER_TEXT_MAX];
		uint8_t back[NUMBER_SIZE_MAX];

		add_hex(&element, elements[i].hex);
		assert_int_equal(element.n, dtype_size(elements[i].dtype));
		assert_says(text_of(elements[i].dtype, element.p, out), elements[i].text);
		assert_int_equal(parse(elements[i].dtype, span_str(elements[i].text), back),
				 NUMBER_TEXT_GOOD);
		assert_hex(span_of(back, element.n), elements[i].hex);
	}
}

/* What is not written so is read so. */
static const struct {
	uint32_t dtype;
	const char *word, *hex;
} spellings[] = {
	{DTYPE_FLOAT32, "+.25", "00 00 80 3e"},
	{DTYPE_FLOAT32, "0000.2500E+00", "00 00 80 3e"},
	{DTYPE_FLOAT32, "25.e-2", "00 00 80 3e"},
	{DTYPE_FLOAT32, "-NaN", "00 00 c0 7f"},
	{DTYPE_FLOAT32, "+Infinity", "00 00 80 7f"},
	{DTYPE_FLOAT32, "1e-999999999999999999999", "00 00 00 00"},
	{DTYPE_FLOAT32, "-0.00e999999999999999999999", "00 00 00 80"},
	{DTYPE_FLOAT32, "-1e-46", "00 00 00 80"},
	{DTYPE_FLOAT32, "16777217", "00 00 80 4b"},
	{DTYPE_FLOAT32, "16777217.0000000000000000000000000000001", "01 00 80 4b"},
	{DTYPE_FLOAT64, "2e-324", "00 00 00 00 00 00 00 00"},
	{DTYPE_FLOAT64, "9007199254740993.00000000000000000000", "00 00 00 00 00 00 40 43"},
	/* 2049 lies between two: to the even one, or where the digits after it say. */
	{DTYPE_FLOAT16, "2049", "00 68"},
	{DTYPE_FLOAT16, "2049.00000000000000000000000000000000000000001", "01 68"},
	{DTYPE_FLOAT16, "2051", "02 68"},
	{DTYPE_FLOAT16, "2050.99999999999999999999999999999999999999999", "01 68"},
	{DTYPE_FLOAT16, "-65519.999", "ff fb"},
	{DTYPE_FLOAT16, "2.98023223876953125e-8", "00 00"},
	{DTYPE_FLOAT16, "2.980232238769531250000000000000000001e-8", "01 00"},
	{DTYPE_BFLOAT16, "257", "80 43"},
	{DTYPE_BFLOAT16, "0.2570000000000000000000001e3", "81 43"},
	{DTYPE_FLOAT8_E4M3FN, "464", "7e"},
	{DTYPE_FLOAT8_E4M3FNUZ, "-0", "00"},
	{DTYPE_FLOAT8_E4M3FNUZ, "-1e-9", "00"},
	{DTYPE_FLOAT4_E2M1FN, "-0", "08"},
	{DTYPE_FLOAT4_E2M1FN, "0.75", "02"},
	{DTYPE_INT8, "+127", "7f"},
	{DTYPE_INT8, "-1.28e2", "80"},
	{DTYPE_UINT8, "-0", "00"},
	{DTYPE_INT32, "1.000000000000000000e+06", "40 42 0f 00"},
	{DTYPE_INT32, "12.", "0c 00 00 00"},
	{DTYPE_INT32, "0e99", "00 00 00 00"},
	{DTYPE_INT64, "-922337203685477580800e-2", "00 00 00 00 00 00 00 80"},
	{DTYPE_BOOL, "1.000e+00", "01"},
	{DTYPE_COMPLEX64, "2", "00 00 00 40 00 00 00 00"},
	{DTYPE_COMPLEX64, "-2J", "00 00 00 00 00 00 00 c0"},
	{DTYPE_COMPLEX64, "(1+2j)", "00 00 80 3f 00 00 00 40"},
	{DTYPE_COMPLEX64, "1e+00+-2e+00j", "00 00 80 3f 00 00 00 c0"},
	{DTYPE_COMPLEX64, "1e+0j", "00 00 00 00 00 00 80 3f"},
};

TEST(spelled_otherwise)
{
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		uint8_t back[NUMBER_SIZE_MAX];

		if (parse(spellings[i].dtype, span_str(spellings[i].word), back))
			fail_msg("%s is refused", spellings[i].word);
		assert_hex(span_of(back, dtype_size(spellings[i].dtype)), spellings[i].hex);
	}
}

static const struct {
	uint32_t dtype;
	const char *word;
	enum number_text_fault fault;
} refused[] = {
	{DTYPE_FLOAT32, "", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "+", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, ".", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "-.e1", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "1e", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "1e+", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "1e1.5", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "1.2.3", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "+-1", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "0x1p3", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "nan(1)", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "infinit", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "1_000", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "1j", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "one", NUMBER_TEXT_NONE},
	{DTYPE_FLOAT32, "3.4028236e38", NUMBER_TEXT_RANGE},
	{DTYPE_FLOAT64, "-1e999999999999999999999", NUMBER_TEXT_RANGE},
	{DTYPE_FLOAT16, "65520", NUMBER_TEXT_RANGE},
	{DTYPE_FLOAT16, "1e300", NUMBER_TEXT_RANGE},
	{DTYPE_FLOAT16, "1e400", NUMBER_TEXT_RANGE},
	{DTYPE_BFLOAT16, "3.4e38", NUMBER_TEXT_RANGE},
	{DTYPE_FLOAT8_E4M3FN, "464.0000000000000000000001", NUMBER_TEXT_RANGE},
	{DTYPE_FLOAT8_E4M3FN, "inf", NUMBER_TEXT_SPECIAL},
	{DTYPE_FLOAT4_E2M1FN, "nan", NUMBER_TEXT_SPECIAL},
	{DTYPE_FLOAT4_E2M1FN, "7", NUMBER_TEXT_RANGE},
	{DTYPE_INT8, "128", NUMBER_TEXT_RANGE},
	{DTYPE_INT8, "-129", NUMBER_TEXT_RANGE},
	{DTYPE_INT8, "1e9999999999999999999", NUMBER_TEXT_RANGE},
	{DTYPE_INT8, "2.5", NUMBER_TEXT_FRACTION},
	{DTYPE_INT8, "1e-9999999999999999999", NUMBER_TEXT_FRACTION},
	{DTYPE_INT8, "inf", NUMBER_TEXT_SPECIAL},
	{DTYPE_UINT8, "-1", NUMBER_TEXT_RANGE},
	{DTYPE_INT64, "9223372036854775808", NUMBER_TEXT_RANGE},
	{DTYPE_INT64, "-9223372036854775809", NUMBER_TEXT_RANGE},
	{DTYPE_UINT64, "18446744073709551616", NUMBER_TEXT_RANGE},
	{DTYPE_INT4, "8", NUMBER_TEXT_RANGE},
	{DTYPE_UINT2, "4", NUMBER_TEXT_RANGE},
	{DTYPE_BOOL, "2", NUMBER_TEXT_RANGE},
	{DTYPE_BOOL, "-1", NUMBER_TEXT_RANGE},
	{DTYPE_BOOL, "True", NUMBER_TEXT_NONE},
	{DTYPE_COMPLEX64, "j", NUMBER_TEXT_NONE},
	{DTYPE_COMPLEX64, "()", NUMBER_TEXT_NONE},
	{DTYPE_COMPLEX64, "(", NUMBER_TEXT_NONE},
	{DTYPE_COMPLEX64, "1+j", NUMBER_TEXT_NONE},
	{DTYPE_COMPLEX64, "1+2", NUMBER_TEXT_NONE},
	{DTYPE_COMPLEX64, "1--2j", NUMBER_TEXT_NONE},
	{DTYPE_COMPLEX64, "1+2j3", NUMBER_TEXT_NONE},
	{DTYPE_COMPLEX64, "1+1e39j", NUMBER_TEXT_RANGE},
};

TEST(no_numbers_of_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		uint8_t back[NUMBER_SIZE_MAX] = {0};

		if (parse(refused[i].dtype, span_str(refused[i].word), back) != refused[i].fault)
			fail_msg("\"%s\"", refused[i].word);
		assert_hex(span_of(back, 4), "00 00 00 00");
	}
}

/* What cannot be seen in the text counts as the same. */
TEST(alike)
{
	static const struct {
		uint32_t dtype;
		const char *a, *b;
		bool alike;
	} pairs[] = {
		{DTYPE_FLOAT32, "00 00 c0 7f", "01 00 80 ff", true},
		{DTYPE_FLOAT32, "00 00 00 00", "00 00 00 80", false},
		{DTYPE_FLOAT16, "01 7c", "ff ff", true},
		{DTYPE_COMPLEX64, "00 00 c0 7f 00 00 00 00", "01 00 80 7f 00 00 00 00", true},
		{DTYPE_COMPLEX64, "00 00 c0 7f 00 00 00 00", "00 00 c0 7f 00 00 80 3f", false},
		{DTYPE_BOOL, "01", "02", true},
		{DTYPE_BOOL, "00", "02", false},
		{DTYPE_INT4, "ff", "0f", true},
		{DTYPE_INT4, "07", "0f", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		cleanup_buf struct buf a = {0}, b = {0};

		add_hex(&a, pairs[i].a);
		add_hex(&b, pairs[i].b);
		assert_int_equal(number_text_alike(pairs[i].dtype, a.p, b.p), pairs[i].alike);
	}
}

/* ---- all of the small floats ---- */

static void store(uint8_t *p, uint32_t size, uint64_t bits)
{
	for (uint32_t i = 0; i < size; i++)
		p[i] = (uint8_t)(bits >> (8 * i));
}

/* The nearest one, found by looking at all of them; a tie goes to the even one. */
static unsigned nearest(const struct small_float *f, double v)
{
	unsigned best = 0;

	for (unsigned m = 1; m <= small_float_largest(f); m++) {
		double d = fabs(small_float_value(f, m) - v);
		double least = fabs(small_float_value(f, best) - v);

		if (d < least || (d == least && m % 2 == 0))
			best = m;
	}
	return best;
}

/* Digits of a decimal, without zeros at its ends; an exponent does not count. */
static size_t digits_in(struct span text)
{
	size_t n = 0, zeros = 0;

	for (size_t i = 0; i < text.n && text.p[i] != 'e'; i++) {
		if (text.p[i] == '0') {
			zeros += n > 0;
		} else if (text.p[i] >= '1' && text.p[i] <= '9') {
			n += zeros + 1;
			zeros = 0;
		}
	}
	return n;
}

/* No decimal with a digit less lies as near: neither the one below the value nor the one above. */
static void check_shortest(uint32_t dtype, const uint8_t *element, double v, struct span text)
{
	size_t digits = digits_in(text);
	char word[64];
	uint8_t back[2];

	if (digits < 2)
		return;
	snprintf(word, sizeof(word), "%.*e", (int)digits - 2, v);
	for (int step = -1; step <= 1; step++) {
		double unit = pow(10, atoi(strchr(word, 'e') + 1) - (int)digits + 2);
		char other[64];

		snprintf(other, sizeof(other), "%.*e", (int)digits - 2, atof(word) + step * unit);
		if (parse(dtype, span_str(other), back) == NUMBER_TEXT_GOOD &&
		    memcmp(back, element, dtype_size(dtype)) == 0 && strlen(other) < text.n)
			fail_msg("%s is %.*s", other, (int)text.n, text.p);
	}
}

static void check_small(uint32_t dtype)
{
	const struct small_float *f = small_float_of(dtype);
	uint32_t size = dtype_size(dtype), longest = 0;

	for (unsigned bits = 0; bits < 2 * small_float_sign(f); bits++) {
		double v = small_float_widen(f, bits);
		char out[NUMBER_TEXT_MAX];
		uint8_t element[2], back[2];
		struct span text;

		store(element, size, bits);
		text = text_of(dtype, element, out);
		longest = text.n > longest ? (uint32_t)text.n : longest;
		assert_int_equal(parse(dtype, text, back), NUMBER_TEXT_GOOD);
		if (isnan(v)) {
			assert_says(text, "nan");
			assert_true(number_text_alike(dtype, element, back));
			continue;
		}
		assert_memory_equal(back, element, size);
		if (isfinite(v) && v != 0)
			check_shortest(dtype, element, v, text);
	}
	assert_int_equal(longest, number_text_width(dtype));
}

TEST(all_small_floats)
{
	for (uint32_t dtype = 1; dtype <= DTYPE_LAST; dtype++)
		if (small_float_of(dtype))
			check_small(dtype);
}

/* Against a reader that looks at all values; halfway points too. */
TEST(rounding_of_small_floats)
{
	uint64_t seed = 3;

	for (uint32_t dtype = 1; dtype <= DTYPE_LAST; dtype++) {
		const struct small_float *f = small_float_of(dtype);

		for (unsigned i = 0; f && dtype_size(dtype) == 1 && i < 20000; i++) {
			unsigned m = (unsigned)random_below(&seed, small_float_largest(f));
			double a = small_float_value(f, m), b = small_float_value(f, m + 1);
			double v = a + (b - a) * (double)random_below(&seed, 17) / 16;
			char word[64];
			uint8_t back;

			snprintf(word, sizeof(word), "%.60g", v);
			assert_int_equal(parse(dtype, span_str(word), &back), NUMBER_TEXT_GOOD);
			assert_int_equal(back, nearest(f, v));
		}
	}
}

/* ---- random ones of the large ones ---- */

/* $WEIGHTFS_NUMBERS of them; without it as many as take a second. */
static uint64_t how_many(void)
{
	const char *n = getenv("WEIGHTFS_NUMBERS");

	return n ? strtoull(n, NULL, 10) : 1000000;
}

/* Bits of any pattern, and numbers such as people have, by turns. */
static uint64_t random_bits(uint64_t *seed, uint32_t dtype, uint64_t i)
{
	double v = (double)random_next(seed) / 0x1p64 - 0.5;
	uint64_t wide;
	uint32_t single;

	if (i % 2)
		return random_next(seed);
	memcpy(&wide, &v, sizeof(wide));
	memcpy(&single, &(float){(float)v}, sizeof(single));
	return dtype == DTYPE_FLOAT32 ? single : wide;
}

static void check_random(uint32_t dtype)
{
	uint32_t size = dtype_size(dtype);
	uint64_t seed = dtype;

	for (uint64_t i = 0, n = how_many(); i < n; i++) {
		char out[NUMBER_TEXT_MAX];
		uint8_t element[NUMBER_SIZE_MAX], back[NUMBER_SIZE_MAX];
		struct span text;
		bool hidden;

		for (uint32_t part = 0; part < size; part += 8)
			store(element + part, 8, random_bits(&seed, dtype, i));
		text = text_of(dtype, element, out);
		/* Not all is seen of a NaN, nor of a byte that holds a bool or an int4. */
		hidden = size == 1 || memchr(text.p, 'a', text.n);
		if (parse(dtype, text, back) ||
		    (memcmp(back, element, size) != 0 &&
		     !(hidden && number_text_alike(dtype, back, element))))
			fail_msg("%s %.*s", dtype_name(dtype).text, (int)text.n, text.p);
	}
}

TEST(random_numbers)
{
	setlocale(LC_ALL, "");
	for (uint32_t dtype = 1; dtype <= DTYPE_LAST; dtype++)
		if (number_text_width(dtype) && !small_float_of(dtype))
			check_random(dtype);
}

/* Each fixed-size dtype has a text, and no other. */
TEST(which_have_text)
{
	for (uint32_t dtype = 0; dtype <= DTYPE_LAST + 2; dtype++)
		assert_int_equal(number_text_width(dtype) > 0, dtype_size(dtype) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_and_read), cmocka_unit_test(spelled_otherwise),
		cmocka_unit_test(no_numbers_of_it), cmocka_unit_test(alike),
		cmocka_unit_test(all_small_floats), cmocka_unit_test(rounding_of_small_floats),
		cmocka_unit_test(random_numbers),   cmocka_unit_test(which_have_text),
	};

	return RUN(tests);
}
