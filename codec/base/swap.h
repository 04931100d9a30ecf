/* The bytes of numbers in the other order. */
#ifndef CODEC_BASE_SWAP_H
#define CODEC_BASE_SWAP_H

#include <stddef.h>
#include <stdint.h>

/* Swaps each run of width bytes; n is a multiple of width. */
static inline void swap_bytes(uint8_t *p, size_t n, uint32_t width)
{
	for (size_t at = 0; at < n; at += width)
		for (uint32_t i = 0; i < width / 2; i++) {
			uint8_t kept = p[at + i];

			p[at + i] = p[at + width - 1 - i];
			p[at + width - 1 - i] = kept;
		}
}

#endif
