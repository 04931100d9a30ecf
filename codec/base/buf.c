#include "codec/base/buf.h"

#include <stdio.h>

void buf_release(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}

int buf_error(const struct buf *b)
{
	return b->failed ? -ENOMEM : 0;
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	b->failed = false;
}

static bool reserve(struct buf *b, size_t n)
{
	size_t wanted;
	uint8_t *p;

	if (b->failed)
		return false;
	if (b->p && n <= b->capacity - b->n)
		return true;
	if (add_overflows(b->n, n, &wanted)) {
		b->failed = true;
		return false;
	}
	if (wanted < b->capacity + b->capacity / 2)
		wanted = b->capacity + b->capacity / 2;
	if (wanted < 64)
		wanted = 64;
	p = realloc(b->p, wanted);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->p = p;
	b->capacity = wanted;
	return true;
}

uint8_t *buf_extend(struct buf *b, size_t n)
{
	uint8_t *p;

	if (!reserve(b, n))
		return NULL;
	p = b->p + b->n;
	b->n += n;
	return p;
}

void buf_add(struct buf *b, struct span bytes)
{
	uint8_t *p = buf_extend(b, bytes.n);

	if (p && bytes.n)
		memcpy(p, bytes.p, bytes.n);
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, span_str(s));
}

void buf_add_u8(struct buf *b, uint8_t c)
{
	buf_add(b, span_of(&c, 1));
}

void buf_add_le32(struct buf *b, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		buf_add_u8(b, (uint8_t)(v >> (8 * i)));
}

void buf_add_le64(struct buf *b, uint64_t v)
{
	buf_add_le32(b, (uint32_t)v);
	buf_add_le32(b, (uint32_t)(v >> 32));
}

void buf_add_varint(struct buf *b, uint64_t v)
{
	while (v >= 0x80) {
		buf_add_u8(b, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	buf_add_u8(b, (uint8_t)v);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0 || !reserve(b, (size_t)n + 1)) {
		b->failed = true;
		return;
	}
	vsnprintf((char *)b->p + b->n, (size_t)n + 1, format, args);
	b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(b, format, args);
	va_end(args);
}

void buf_drop_front(struct buf *b, size_t n)
{
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}
