/*
 * TensorFlow's element types (upstream: core/framework/types.proto, types.cc).
 *
 * A dtype is its number; one that is not listed here is valid, of unknown element size, and
 * called "dtype-N". Types of less than a byte take one byte an element.
 */
#ifndef CODEC_DTYPE_H
#define CODEC_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

enum dtype {
	DTYPE_INVALID = 0,
	DTYPE_STRING = 7,
	DTYPE_RESOURCE = 20,
	DTYPE_VARIANT = 21,
	DTYPE_LAST = 33, /* the last one that we know */
	DTYPE_REF = 100, /* numbers from here on are references of old graphs: never data */
};

struct dtype_name {
	char text[24];
};

/* Bytes of an element; 0: variable, or not known. */
uint32_t dtype_size(uint32_t dtype);
/* "float32", "bfloat16", "string", "dtype-34". */
struct dtype_name dtype_name(uint32_t dtype);
/* The number of a name, also "dtype-34"; -EINVAL if there is none. */
int dtype_from_name(const char *name);
/* The bytes that swap when the byte order does: the element's, or half of a complex one's.
 * 0 where TensorFlow has no swapped form (float8, int4, variant, unknown ones). */
uint32_t dtype_swap_size(uint32_t dtype);

#endif
