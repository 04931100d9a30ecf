/*
 * Bytes that belong to somebody else, read only through a view that shrinks.
 *
 * Every byte that came from a file is read with the take functions here: each moves the front
 * of the span past what it took, and answers -EBADMSG, with the span unchanged, when there is
 * less. There is no pointer arithmetic on file data anywhere else.
 */
#ifndef CODEC_BASE_SPAN_H
#define CODEC_BASE_SPAN_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p;
	size_t n;
};

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){p, n};
}

static inline struct span span_str(const char *s)
{
	return span_of(s, strlen(s));
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_equal(a, span_str(s));
}

/* <0, 0, >0 as memcmp; of two where one is the beginning of the other the shorter comes first. */
static inline int span_compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static inline bool span_starts(struct span s, struct span start)
{
	return s.n >= start.n && (start.n == 0 || memcmp(s.p, start.p, start.n) == 0);
}

static inline bool span_ends(struct span s, struct span end)
{
	return s.n >= end.n && (end.n == 0 || memcmp(s.p + (s.n - end.n), end.p, end.n) == 0);
}

/* Drops n bytes that the caller knows to be there. (In C, NULL + 0 is undefined.) */
static inline struct span span_skip(struct span s, size_t n)
{
	return span_of(n ? s.p + n : s.p, s.n - n);
}

/* The first n bytes; the caller knows that they are there. */
static inline struct span span_first(struct span s, size_t n)
{
	return span_of(s.p, n);
}

/* What lies at [offset, offset + n) of whole; neither number is trusted. */
static inline int span_slice(struct span whole, uint64_t offset, uint64_t n, struct span *ret)
{
	if (offset > whole.n || n > whole.n - offset)
		return -EBADMSG;
	*ret = span_first(span_skip(whole, (size_t)offset), (size_t)n);
	return 0;
}

static inline int span_take(struct span *s, uint64_t n, struct span *ret)
{
	if (n > s->n)
		return -EBADMSG;
	*ret = span_first(*s, (size_t)n);
	*s = span_skip(*s, (size_t)n);
	return 0;
}

static inline int span_take_u8(struct span *s, uint8_t *ret)
{
	if (s->n < 1)
		return -EBADMSG;
	*ret = s->p[0];
	*s = span_skip(*s, 1);
	return 0;
}

static inline uint32_t le32_at(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t le64_at(const uint8_t *p)
{
	return le32_at(p) | (uint64_t)le32_at(p + 4) << 32;
}

static inline int span_take_le32(struct span *s, uint32_t *ret)
{
	if (s->n < 4)
		return -EBADMSG;
	*ret = le32_at(s->p);
	*s = span_skip(*s, 4);
	return 0;
}

static inline int span_take_le64(struct span *s, uint64_t *ret)
{
	if (s->n < 8)
		return -EBADMSG;
	*ret = le64_at(s->p);
	*s = span_skip(*s, 8);
	return 0;
}

/*
 * Base-128 integers, the least significant group first. Longer than 10 (5) bytes, or with bits
 * beyond 64 (32), is -EBADMSG; TensorFlow drops such bits, but nothing writes them.
 */
static inline int span_take_varint64(struct span *s, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 10 && i < s->n; i++) {
		uint64_t group = s->p[i] & 0x7f;

		if (i == 9 && group > 1)
			return -EBADMSG;
		v |= group << (7 * i);
		if (!(s->p[i] & 0x80)) {
			*ret = v;
			*s = span_skip(*s, i + 1);
			return 0;
		}
	}
	return -EBADMSG;
}

static inline int span_take_varint32(struct span *s, uint32_t *ret)
{
	struct span rest = *s;
	uint64_t v;

	if (span_take_varint64(&rest, &v) < 0 || v > UINT32_MAX || s->n - rest.n > 5)
		return -EBADMSG;
	*ret = (uint32_t)v;
	*s = rest;
	return 0;
}

#endif
