#include "support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "codec/base/number.h"
#include "number_cases.h"

static void assert_prints(double v, bool single, const char *text)
{
	cleanup_buf struct buf out = {0};

	number_add_shortest(&out, v, single);
	if (!span_is(buf_span(&out), text))
		print_error("%a (%s)\n", v, single ? "float" : "double");
	assert_says(buf_span(&out), text);
}

TEST(doubles_as_python_prints_them)
{
	for (size_t i = 0; i < ARRAY_SIZE(doubles); i++)
		assert_prints(doubles[i].value, false, doubles[i].text);
}

TEST(floats_as_python_prints_them)
{
	for (size_t i = 0; i < ARRAY_SIZE(singles); i++)
		assert_prints(singles[i].value, true, singles[i].text);
}

static double random_double(uint64_t *seed)
{
	uint64_t bits = random_next(seed);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static float random_float(uint64_t *seed)
{
	uint32_t bits = (uint32_t)random_next(seed);
	float v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* Whatever is printed is read back as the same, sign of zero and all. */
TEST(numbers_round_trip)
{
	uint64_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		double v = random_double(&seed), again;
		float f = random_float(&seed), f_again;
		cleanup_buf struct buf out = {0};

		if (isfinite(v)) {
			number_add_shortest(&out, v, false);
			buf_add_u8(&out, 0);
			again = strtod((const char *)out.p, NULL);
			assert_memory_equal(&again, &v, sizeof(v));
		}
		buf_reset(&out);
		if (isfinite(f)) {
			number_add_shortest(&out, (double)f, true);
			buf_add_u8(&out, 0);
			f_again = strtof((const char *)out.p, NULL);
			assert_memory_equal(&f_again, &f, sizeof(f));
		}
	}
}

/* Without the zeros at either end, which are there for the looks. */
static int significant_digits(struct span text)
{
	int digits = 0, zeros = 0;

	for (size_t i = 0; i < text.n && text.p[i] != 'e'; i++) {
		if (text.p[i] == '0') {
			zeros++;
		} else if (text.p[i] >= '1' && text.p[i] <= '9') {
			digits += digits ? zeros + 1 : 1;
			zeros = 0;
		}
	}
	return digits;
}

/* At most 17 digits, and none that could be left out: no shorter spelling reads back the same. */
TEST(no_digit_is_idle)
{
	uint64_t seed = 2;

	for (int i = 0; i < 20000; i++) {
		double v = random_double(&seed);
		cleanup_buf struct buf out = {0};
		char shorter[40];
		int digits;

		if (!isfinite(v))
			continue;
		number_add_shortest(&out, v, false);
		digits = significant_digits(buf_span(&out));
		assert_in_range(digits, 1, 17);
		if (digits == 1)
			continue;
		snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, v);
		assert_true(strtod(shorter, NULL) != v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_as_python_prints_them),
		cmocka_unit_test(floats_as_python_prints_them),
		cmocka_unit_test(numbers_round_trip),
		cmocka_unit_test(no_digit_is_idle),
	};

	return RUN(tests);
}
