/* UTF-8, one character at a time. */
#ifndef CODEC_BASE_UTF8_H
#define CODEC_BASE_UTF8_H

#include "codec/base/span.h"

/*
 * Takes one character off the front of s. Returns false, with one byte taken, where there is no
 * valid one (overlong forms, surrogates and what lies above U+10FFFF are none). s is not empty.
 */
static inline bool utf8_take(struct span *s, uint32_t *ret)
{
	uint8_t c = s->p[0];
	size_t more = c < 0x80 ? 0 : c < 0xc2 ? 9 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 9;
	uint32_t v = more == 0 ? c : c & (0x3fu >> more);

	if (more > 3 || more >= s->n) {
		*s = span_skip(*s, 1);
		return false;
	}
	for (size_t i = 1; i <= more; i++) {
		if ((s->p[i] & 0xc0) != 0x80) {
			*s = span_skip(*s, 1);
			return false;
		}
		v = v << 6 | (s->p[i] & 0x3fu);
	}
	if ((more == 2 && v < 0x800) || (more == 3 && (v < 0x10000 || v > 0x10ffff)) ||
	    (v >= 0xd800 && v < 0xe000)) {
		*s = span_skip(*s, 1);
		return false;
	}
	*s = span_skip(*s, more + 1);
	*ret = v;
	return true;
}

static inline bool utf8_valid(struct span s)
{
	uint32_t c;

	while (s.n)
		if (!utf8_take(&s, &c))
			return false;
	return true;
}

/* Writes the character (a surrogate as well) and returns how many bytes it took, 1 to 4. */
static inline size_t utf8_put(uint8_t out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

#endif
