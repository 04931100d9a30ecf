#include "codec/base/crc32c.h"

#include <isa-l/crc.h>

/* crc32_iscsi takes its length as an int, and neither inverts before nor after. */
enum { PART = 1 << 30 };

uint32_t crc32c_extend(uint32_t crc, struct span bytes)
{
	crc = ~crc;
	while (bytes.n) {
		size_t n = bytes.n < PART ? bytes.n : PART;

		/* The library's prototype lacks a const; it only reads. */
		crc = crc32_iscsi((unsigned char *)(uintptr_t)bytes.p, (int)n, crc);
		bytes = span_skip(bytes, n);
	}
	return ~crc;
}
