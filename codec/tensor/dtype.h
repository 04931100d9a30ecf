/*
 * TensorFlow's element types (upstream: core/framework/types.proto, types.cc).
 *
 * A dtype is its number; one that is not listed here is valid, of unknown element size, and
 * called "dtype-N". Types of less than a byte take one byte an element.
 */
#ifndef CODEC_TENSOR_DTYPE_H
#define CODEC_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

enum dtype {
	DTYPE_INVALID = 0,
	DTYPE_FLOAT32 = 1,
	DTYPE_FLOAT64 = 2,
	DTYPE_INT32 = 3,
	DTYPE_UINT8 = 4,
	DTYPE_INT16 = 5,
	DTYPE_INT8 = 6,
	DTYPE_STRING = 7,
	DTYPE_COMPLEX64 = 8,
	DTYPE_INT64 = 9,
	DTYPE_BOOL = 10,
	DTYPE_QINT8 = 11,
	DTYPE_QUINT8 = 12,
	DTYPE_QINT32 = 13,
	DTYPE_BFLOAT16 = 14,
	DTYPE_QINT16 = 15,
	DTYPE_QUINT16 = 16,
	DTYPE_UINT16 = 17,
	DTYPE_COMPLEX128 = 18,
	DTYPE_FLOAT16 = 19,
	DTYPE_RESOURCE = 20,
	DTYPE_VARIANT = 21,
	DTYPE_UINT32 = 22,
	DTYPE_UINT64 = 23,
	DTYPE_FLOAT8_E5M2 = 24,
	DTYPE_FLOAT8_E4M3FN = 25,
	DTYPE_FLOAT8_E4M3FNUZ = 26,
	DTYPE_FLOAT8_E4M3B11FNUZ = 27,
	DTYPE_FLOAT8_E5M2FNUZ = 28,
	DTYPE_INT4 = 29,
	DTYPE_UINT4 = 30,
	DTYPE_INT2 = 31,
	DTYPE_UINT2 = 32,
	DTYPE_FLOAT4_E2M1FN = 33,
	DTYPE_LAST = 33, /* the last one that we know */
	DTYPE_REF = 100, /* numbers from here on are references of old graphs: never data */
};

struct dtype_name {
	char text[24];
};

/* Bytes of an element; 0: variable, or not known. */
uint32_t dtype_size(uint32_t dtype);
/* True of integers, quantized ones and bool among them. */
bool dtype_is_integer(uint32_t dtype);
/* "float32", "bfloat16", "string", "dtype-34". */
struct dtype_name dtype_name(uint32_t dtype);
/* The number of a name, also "dtype-34"; -EINVAL if there is none. */
int dtype_from_name(const char *name);
/* The bytes that swap when the byte order does: the element's, or half of a complex one's.
 * 0 where TensorFlow has no swapped form (float8, int4, variant, unknown ones). */
uint32_t dtype_swap_size(uint32_t dtype);

#endif
