#include "codec/tensor/small_float.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "codec/tensor/dtype.h"

const struct small_float *small_float_of(uint32_t dtype)
{
	static const struct small_float floats[DTYPE_LAST + 1] = {
		[DTYPE_BFLOAT16] = {8, 7, 127, SMALL_IEEE},
		[DTYPE_FLOAT16] = {5, 10, 15, SMALL_IEEE},
		[DTYPE_FLOAT8_E5M2] = {5, 2, 15, SMALL_IEEE},
		[DTYPE_FLOAT8_E4M3FN] = {4, 3, 7, SMALL_FINITE},
		[DTYPE_FLOAT8_E4M3FNUZ] = {4, 3, 8, SMALL_FINITE_UNSIGNED_ZERO},
		[DTYPE_FLOAT8_E4M3B11FNUZ] = {4, 3, 11, SMALL_FINITE_UNSIGNED_ZERO},
		[DTYPE_FLOAT8_E5M2FNUZ] = {5, 2, 16, SMALL_FINITE_UNSIGNED_ZERO},
		[DTYPE_FLOAT4_E2M1FN] = {2, 1, 1, SMALL_NUMBERS},
	};

	return dtype <= DTYPE_LAST && floats[dtype].exponent ? &floats[dtype] : NULL;
}

unsigned small_float_sign(const struct small_float *f)
{
	return 1U << (f->exponent + f->mantissa);
}

unsigned small_float_largest(const struct small_float *f)
{
	unsigned all = small_float_sign(f) - 1;

	switch (f->special) {
	case SMALL_IEEE: return all - (1U << f->mantissa);
	case SMALL_FINITE: return all - 1;
	default: return all;
	}
}

int small_float_infinity(const struct small_float *f)
{
	return f->special == SMALL_IEEE ? (int)small_float_largest(f) + 1 : -1;
}

int small_float_nan(const struct small_float *f)
{
	switch (f->special) {
	case SMALL_IEEE: return small_float_infinity(f) | 1 << (f->mantissa - 1);
	case SMALL_FINITE: return (int)small_float_sign(f) - 1;
	case SMALL_FINITE_UNSIGNED_ZERO: return (int)small_float_sign(f);
	default: return -1;
	}
}

/* 2 to the n, which is in the range of normal doubles. */
static double power_of_two(int n)
{
	uint64_t bits = (uint64_t)(n + 1023) << 52;
	double power;

	memcpy(&power, &bits, sizeof(power));
	return power;
}

double small_float_value(const struct small_float *f, unsigned magnitude)
{
	unsigned one = 1U << f->mantissa, exponent = magnitude >> f->mantissa;
	unsigned mantissa = magnitude & (one - 1);

	if (!exponent)
		return mantissa * power_of_two(1 - f->bias - f->mantissa);
	return (one + mantissa) * power_of_two((int)exponent - f->bias - f->mantissa);
}

double small_float_widen(const struct small_float *f, unsigned bits)
{
	unsigned sign = small_float_sign(f), magnitude = bits & (sign - 1);
	bool negative = bits & sign;
	double value;

	if (f->special == SMALL_FINITE_UNSIGNED_ZERO && negative && !magnitude)
		return NAN;
	if (magnitude <= small_float_largest(f))
		value = small_float_value(f, magnitude);
	else
		value = (int)magnitude == small_float_infinity(f) ? INFINITY : NAN;
	return negative ? -value : value;
}

unsigned small_float_below(const struct small_float *f, double v, double *ret_rest)
{
	double scaled;
	uint64_t bits;
	int exponent;
	unsigned whole;

	memcpy(&bits, &v, sizeof(bits));
	exponent = (int)(bits >> 52) - 1023 + f->bias;
	if (exponent < 1)
		exponent = 1;
	/* The leading one of a normal number adds itself to the exponent, which is one less. */
	scaled = v * power_of_two(f->bias + f->mantissa - exponent);
	whole = (unsigned)scaled;
	*ret_rest = scaled - whole;
	return ((unsigned)(exponent - 1) << f->mantissa) + whole;
}
