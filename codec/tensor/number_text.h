/*
 * One element of a tensor as text, and back.
 *
 * A number is written as the shortest decimal that reads back to the same bits in its own dtype
 * (of several as short, the nearest), in the manner of std::to_chars: 0.25, -1.5e-07, 16777216.
 * A bool is 0 or 1; a complex number is re+imj; nan, inf and -inf are themselves. Of the many NaNs
 * of a dtype all print as nan, which reads back as one of them; a bool of another byte than 0 and 1
 * prints as 1, and the unused bits of an int4 and the like are not shown: number_text_alike()
 * knows.
 *
 * Elements are as they lie in a tensor file: little-endian. The functions keep no state and are
 * free of the locale.
 */
#ifndef CODEC_TENSOR_NUMBER_TEXT_H
#define CODEC_TENSOR_NUMBER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT_MAX = 49, NUMBER_SIZE_MAX = 16 };

/* Characters of the longest text that the dtype has; 0: its elements are no numbers. */
uint32_t number_text_width(uint32_t dtype);

/* Writes exactly that many characters to out: the number, right-aligned. No NUL. */
void number_text_format(uint32_t dtype, const uint8_t *element, char *out);

/* True if both elements print as the same text. */
bool number_text_alike(uint32_t dtype, const uint8_t *a, const uint8_t *b);

enum number_text_fault {
	NUMBER_TEXT_GOOD,
	NUMBER_TEXT_NONE,     /* the word is no number */
	NUMBER_TEXT_RANGE,    /* a number, larger or smaller than any of the dtype */
	NUMBER_TEXT_FRACTION, /* a number with a fraction, and the dtype has integers only */
	NUMBER_TEXT_SPECIAL,  /* nan or inf, and the dtype has none */
};

/*
 * Reads a word of n bytes, all of it, as a number of the dtype: rounded to nearest, ties to even.
 * Takes what number_text_format() writes, and a leading '+', "3.0" and "1e3" as integers, "NaN",
 * "Infinity", "2j", "(1+2j)" and "1+-2j" (as NumPy writes it). *ret_element (dtype_size() bytes)
 * is set if the answer is NUMBER_TEXT_GOOD.
 */
enum number_text_fault number_text_parse(uint32_t dtype, const char *word, size_t n,
					 uint8_t *ret_element);

#endif
