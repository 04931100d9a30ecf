/*
 * CRC-32C (Castagnoli) as TensorFlow uses it (upstream: tsl/lib/hash/crc32c.h).
 *
 * crc32c_extend(0, bytes) is the checksum of bytes; crc32c_extend(crc_of_A, B) that of A then B.
 * What is stored in files is the *masked* form.
 */
#ifndef CODEC_BASE_CRC32C_H
#define CODEC_BASE_CRC32C_H

#include "codec/base/span.h"

uint32_t crc32c_extend(uint32_t crc, struct span bytes);

static inline uint32_t crc32c_mask(uint32_t crc)
{
	return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static inline uint32_t crc32c_unmask(uint32_t masked)
{
	uint32_t rotated = masked - 0xa282ead8u;

	return rotated >> 17 | rotated << 15;
}

/* The masked checksum of bytes. */
static inline uint32_t crc32c_masked(struct span bytes)
{
	return crc32c_mask(crc32c_extend(0, bytes));
}

#endif
