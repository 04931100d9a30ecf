/*
 * A tensor of numbers as a text that people read: where each of its bytes is, by arithmetic alone,
 * so that any range of it can be made without the rest.
 *
 *	# float32 [2, 3]
 *	           0.25            -1.5           1e-07
 *	              1               2             nan
 *
 * - The first line says dtype and shape. It has no spaces at its end.
 * - Then comes one line for each run of the last axis; of a tensor of rank 0 or 1 one for each
 *   number. A number is right-aligned in a column whose width is that of the dtype
 *   (codec/tensor/number_text.h); one space separates two columns.
 * - Of a tensor of rank 3 or more each matrix has a line "# [0, 3, :, :]" before it: its indices.
 *   These lines are padded with spaces to the length of the last, and longest, one.
 * - A tensor without elements has its first line only.
 *
 * numpy.loadtxt() and awk read it; text_read() (codec/tensor/text_read.h) is the way back.
 */
#ifndef CODEC_TENSOR_TEXT_LAYOUT_H
#define CODEC_TENSOR_TEXT_LAYOUT_H

#include "codec/tensor/tensor.h"

struct text_layout {
	uint32_t dtype;
	struct shape shape;
	uint64_t elements, rows, columns; /* rows, columns: lines of a matrix, numbers of a line */
	uint32_t cell;		/* bytes of a number, with what separates it from the next */
	uint64_t head, comment; /* bytes of the first line, of the line before a matrix */
	uint64_t matrix;	/* bytes of a matrix, with the line before it */
	uint64_t size;		/* of all */
};

/*
 * Lays out the text; *ret refers to the shape's dims. -ENOTSUP: the dtype's elements are no
 * numbers. -EFBIG: the text is longer than a file can be. -EBADMSG: the shape makes no sense.
 * -ENOMEM.
 */
int text_layout_init(uint32_t dtype, const struct shape *shape, struct text_layout *ret);

/* Copies the elements [first, first + count), at most TEXT_PART bytes, to `to`. */
typedef int text_elements(void *context, uint64_t first, size_t count, uint8_t *to,
			  struct error *err);
enum { TEXT_PART = 256 << 10 };

/*
 * Writes the bytes [offset, offset + n) of the text, which lie within its size, to `to`; needs
 * the elements that are in it and no others. Whatever elements() fails with; -ENOMEM.
 */
int text_generate(const struct text_layout *l, uint64_t offset, size_t n, uint8_t *to,
		  text_elements *elements, void *context, struct error *err);

#endif
