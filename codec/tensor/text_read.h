/*
 * Reads the numbers of a text that somebody wrote: those of text_layout.h, or any others of which
 * there are as many as the tensor has elements, in their order.
 *
 * White space and commas separate numbers, '#' begins a comment that ends with the line; lines
 * need not be those of the matrix. A first line "# float32 [784, 64]" must say the tensor's own
 * dtype and shape; any other comment may say what it likes. What numbers may look like, and how
 * they are rounded: codec/tensor/number_text.h.
 *
 * Memory is flat: the text is read part by part, the elements are handed on part by part.
 */
#ifndef CODEC_TENSOR_TEXT_READ_H
#define CODEC_TENSOR_TEXT_READ_H

#include "codec/tensor/text_layout.h"

/* A word of more bytes is no number. (The longest that is exact for a double has 1,077.) */
enum { TEXT_WORD_MAX = 4096 };

struct text_source {
	uint64_t size;
	/* Copies the bytes [offset, offset + n) of the text, which are there, to `to`. */
	int (*copy)(void *context, uint64_t offset, size_t n, uint8_t *to, struct error *err);
	void *context;
};

/* Takes the elements [first, first + count), at most TEXT_PART bytes, in their order. */
typedef int text_sink(void *context, uint64_t first, size_t count, const uint8_t *elements,
		      struct error *err);

/*
 * Hands all elements of the tensor that l is of to the sink. -EINVAL, after some or all of them
 * were handed on: the text is not acceptable; err says the line and the column (both from 1, the
 * column in bytes), what stands there and what is wrong with it. Whatever copy() or sink() fails
 * with; -ENOMEM.
 */
int text_read(const struct text_layout *l, const struct text_source *source, text_sink *sink,
	      void *context, struct error *err);

#endif
