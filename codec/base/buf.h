/*
 * A string of bytes that grows.
 *
 * Adding cannot fail visibly: without memory the buf is marked and stays as it is, and the
 * owner asks once, at the end, with buf_error(). A zeroed struct buf is an empty one.
 */
#ifndef CODEC_BASE_BUF_H
#define CODEC_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>

#include "codec/base/mem.h"
#include "codec/base/span.h"

struct buf {
	uint8_t *p;
	size_t n;
	size_t capacity;
	bool failed; /* an addition found no memory; what is here is not all */
};

void buf_release(struct buf *b);
#define cleanup_buf __attribute__((cleanup(buf_release)))

/* 0, or -ENOMEM if anything that was added is missing. */
int buf_error(const struct buf *b);
/* Empty again; the memory is kept. */
void buf_reset(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
	return span_of(b->p, b->n);
}

void buf_add(struct buf *b, struct span bytes);
void buf_add_str(struct buf *b, const char *s);
void buf_add_u8(struct buf *b, uint8_t c);
void buf_add_le32(struct buf *b, uint32_t v);
void buf_add_le64(struct buf *b, uint64_t v);
void buf_add_varint(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/* n more bytes for the caller to fill, at the returned place; NULL without memory. */
uint8_t *buf_extend(struct buf *b, size_t n);
/* Drops n bytes of the front. */
void buf_drop_front(struct buf *b, size_t n);

#endif
