/*
 * Floats of 4 to 16 bits, as ml_dtypes and NumPy have them: a sign, an exponent, a mantissa.
 *
 * A magnitude is the bits without the sign. Magnitudes count up as their values do, so the next
 * larger value is that of the next magnitude.
 */
#ifndef CODEC_TENSOR_SMALL_FLOAT_H
#define CODEC_TENSOR_SMALL_FLOAT_H

#include <stdbool.h>
#include <stdint.h>

enum small_special {
	SMALL_IEEE,		    /* infinities and many NaNs, with the largest exponent */
	SMALL_FINITE,		    /* no infinity; all bits set is the NaN */
	SMALL_FINITE_UNSIGNED_ZERO, /* no infinity; what would be -0 is the NaN */
	SMALL_NUMBERS,		    /* neither */
};

struct small_float {
	uint8_t exponent, mantissa; /* bits of each */
	uint8_t bias;
	enum small_special special;
};

/* NULL: the dtype is no float of at most 16 bits. */
const struct small_float *small_float_of(uint32_t dtype);

/* The value of the bits, sign and all; NaNs and infinities too. */
double small_float_widen(const struct small_float *f, unsigned bits);

/* The value of a magnitude, read as a number even where it stands for a NaN or an infinity. */
double small_float_value(const struct small_float *f, unsigned magnitude);
/* The bit of the sign. */
unsigned small_float_sign(const struct small_float *f);
/* The largest magnitude that is a number. */
unsigned small_float_largest(const struct small_float *f);
/* The bits of the NaN that is written, and of the infinity; -1: there is none. */
int small_float_nan(const struct small_float *f);
int small_float_infinity(const struct small_float *f);
/*
 * The largest magnitude whose value is not above v, and in *ret_rest how far v is on the way to
 * the next one: 0 to 1. v is not negative, and below the value of twice the largest exponent.
 */
unsigned small_float_below(const struct small_float *f, double v, double *ret_rest);

#endif
