/* Tensors whose numbers tests write as a text. */
#ifndef TESTS_CODEC_NUMBERS_H
#define TESTS_CODEC_NUMBERS_H

#include "codec/content/content.h"
#include "codec/content/text_edit.h"

/* Writes a text to the tensor: of these elements, with `behind` at its end. */
int numbers_write(struct model *m, struct tensor *t, const uint8_t *elements, const char *behind,
		  struct error *err);

/*
 * What `bytes` of a tensor become when that text of n bytes of elements is accepted: where the text
 * is another one, the number that it says. CONTENT_ACCEPTED, or CONTENT_SAME.
 */
int numbers_merge(uint32_t dtype, const uint8_t *elements, size_t n, uint8_t *bytes);

#endif
