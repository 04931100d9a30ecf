/* What the tests of messages and of JSON share beside support.h. */
#ifndef TESTS_CODEC_TEXTS_H
#define TESTS_CODEC_TEXTS_H

#include "codec/container/pbwire.h"

/* Adds JSON that is written with ' for ", so that one can read it in C. */
static inline void add_json(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_add_u8(out, *text == '\'' ? '"' : (uint8_t)*text);
}

/* Adds field `number`, which holds what is in content; content is empty then. */
static inline void add_field(struct buf *out, uint32_t number, struct buf *content)
{
	pb_add_bytes(out, number, buf_span(content));
	buf_release(content);
}

static inline void add_text_field(struct buf *out, uint32_t number, const char *text)
{
	pb_add_bytes(out, number, span_str(text));
}

static inline void add_number_field(struct buf *out, uint32_t number, uint64_t value)
{
	buf_add_varint(out, (uint64_t)number << 3);
	buf_add_varint(out, value);
}

#endif
