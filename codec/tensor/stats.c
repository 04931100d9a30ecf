/*
 * Elements are widened to doubles, a few thousand at a time, and looked at in one loop that does
 * not know what they were; only 64-bit integers, which a double cannot hold, have a loop of their
 * own.
 */
#include "codec/tensor/stats.h"

#include <math.h>

#include "codec/tensor/small_float.h"

enum { BATCH = 2048 };

static uint64_t load(const uint8_t *p, size_t size, bool big_endian)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < size; i++)
		bits |= (uint64_t)p[big_endian ? size - 1 - i : i] << (8 * i);
	return bits;
}

static double as_float(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	return (double)value;
}

static double as_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* A number of b bits in two's complement. */
static int64_t as_signed(uint64_t bits, unsigned b)
{
	return (int64_t)(bits << (64 - b)) >> (64 - b);
}

/* One element, or one part of a complex one. */
static double widen(uint32_t dtype, uint64_t bits)
{
	const struct small_float *f = small_float_of(dtype);

	switch (dtype) {
	case DTYPE_FLOAT32:
	case DTYPE_COMPLEX64: return as_float((uint32_t)bits);
	case DTYPE_FLOAT64:
	case DTYPE_COMPLEX128: return as_double(bits);
	case DTYPE_BFLOAT16: return as_float((uint32_t)bits << 16);
	case DTYPE_INT32:
	case DTYPE_QINT32: return (double)as_signed(bits, 32);
	case DTYPE_INT16:
	case DTYPE_QINT16: return (double)as_signed(bits, 16);
	case DTYPE_INT8:
	case DTYPE_QINT8: return (double)as_signed(bits, 8);
	case DTYPE_INT4: return (double)as_signed(bits, 4);
	case DTYPE_INT2: return (double)as_signed(bits, 2);
	case DTYPE_UINT4: return (double)(bits & 15);
	case DTYPE_UINT2: return (double)(bits & 3);
	default: return f ? small_float_widen(f, (unsigned)bits) : (double)bits;
	}
}

/* n numbers of size bytes each; what nearly all models are made of goes fast. */
static void widen_run(uint32_t dtype, bool big_endian, const uint8_t *p, size_t size, size_t n,
		      double *out)
{
	float value;

	if (dtype != DTYPE_FLOAT32 || big_endian) {
		for (size_t i = 0; i < n; i++)
			out[i] = widen(dtype, load(p + i * size, size, big_endian));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		memcpy(&value, p + i * sizeof(value), sizeof(value));
		out[i] = (double)value;
	}
}

static void add_numbers(struct stats *s, const double *v, size_t n)
{
	double min = INFINITY, max = -INFINITY, sum = 0;
	uint64_t nan = 0, inf = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_nan = v[i] != v[i], is_inf = v[i] - v[i] != 0 && !is_nan;
		bool counts = !is_nan && !is_inf;

		nan += is_nan;
		inf += is_inf;
		min = counts && v[i] < min ? v[i] : min;
		max = counts && v[i] > max ? v[i] : max;
		sum += counts ? v[i] : 0;
	}
	stats_merge(s, &(struct stats){nan, inf, n - nan - inf, (long double)min, (long double)max,
				       (long double)sum});
}

static void add_complex(struct stats *s, const double *v, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2) {
		bool nan = isnan(v[i]) || isnan(v[i + 1]);

		s->nan += nan;
		s->inf += !nan && (isinf(v[i]) || isinf(v[i + 1]));
	}
}

static void add_wide(struct stats *s, uint32_t dtype, bool big_endian, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t bits = load(p + i * sizeof(bits), sizeof(bits), big_endian);
		long double v =
			dtype == DTYPE_INT64 ? (long double)(int64_t)bits : (long double)bits;

		stats_merge(s, &(struct stats){.n = 1, .min = v, .max = v, .sum = v});
	}
}

bool stats_countable(uint32_t dtype)
{
	return dtype_size(dtype) != 0;
}

void stats_add(struct stats *s, uint32_t dtype, bool big_endian, struct span elements)
{
	bool is_complex = dtype == DTYPE_COMPLEX64 || dtype == DTYPE_COMPLEX128;
	size_t size = dtype_size(dtype) >> is_complex;
	double v[BATCH];

	while (elements.n >= size) {
		size_t n = elements.n / size < BATCH ? elements.n / size : BATCH;

		if (dtype == DTYPE_INT64 || dtype == DTYPE_UINT64) {
			add_wide(s, dtype, big_endian, elements.p, n);
		} else {
			widen_run(dtype, big_endian, elements.p, size, n, v);
			(is_complex ? add_complex : add_numbers)(s, v, n);
		}
		elements = span_skip(elements, n * size);
	}
}

void stats_merge(struct stats *s, const struct stats *part)
{
	s->nan += part->nan;
	s->inf += part->inf;
	if (!part->n)
		return;
	s->min = s->n && s->min < part->min ? s->min : part->min;
	s->max = s->n && s->max > part->max ? s->max : part->max;
	s->sum += part->sum;
	s->n += part->n;
}
