/*
 * The stored form of a tensor: what its bytes in a shard are, and what its checksum is over
 * (upstream: core/util/tensor_bundle/tensor_bundle.cc, WriteTensor, WriteStringTensor,
 * WriteVariantTensor).
 *
 *	fixed size	the elements; the checksum is over these bytes
 *	string		N lengths (varints), their checksum (4 bytes), the strings; the checksum
 *			is over the lengths as 32-bit numbers (64-bit where one needs it), the 4
 *			bytes, and the strings
 *	variant		for each element a length, a message, the checksum so far (4 bytes); the
 *			checksum is over the lengths as 64-bit numbers, the messages and the 4 bytes
 */
#ifndef CODEC_TENSOR_STORED_H
#define CODEC_TENSOR_STORED_H

#include "codec/tensor/tensor.h"

/* A run of bytes in a shard, and what they are. */
struct stored_run {
	struct extent extent;
	uint64_t elements;
	uint32_t dtype;
	bool big_endian; /* the byte order of the bundle */
};

/* How many runs a tensor is stored in: one, or one a slice; 0 if it is decoded, or damaged. */
size_t tensor_runs(const struct tensor *t);
struct stored_run tensor_run(const struct tensor *t, size_t i);

/*
 * Computes the masked checksum of a run by reading it from the shard's descriptor; extent.crc does
 * not matter. -EIO: unreadable, or the shard ends before. -EBADMSG: strings or variants whose inner
 * lengths or checksums do not fit.
 */
int stored_checksum(int fd, const struct stored_run *run, uint32_t *ret, struct error *err);

/*
 * Computes the checksum as stored_checksum() does and compares it with extent.crc. -EIO:
 * "checksum mismatch: stored X, calculated Y"; and the errors of stored_checksum().
 */
int stored_verify(int fd, const struct stored_run *run, struct error *err);

/* Sees the bytes while they are read, as they are stored: whole elements of a fixed-size dtype. */
struct stored_watch {
	void (*see)(void *context, struct span bytes);
	void *context;
};

/*
 * stored_verify(), which hands all bytes that it reads to watch (NULL: to nobody). They are handed
 * over before it is known whether the checksum is right.
 */
int stored_verify_watched(int fd, const struct stored_run *run, const struct stored_watch *watch,
			  struct error *err);

/*
 * The stored form of strings, added to out: their lengths as varints, one behind the other, and
 * their bytes. A scalar "hi" is 02 d8d81073 6869.
 */
int strings_store(struct span lengths, struct span bytes, uint64_t elements, struct buf *out);

/* Walks the elements of a stored string tensor that is in memory. */
struct strings {
	struct span lengths; /* those still to come */
	struct span bytes;   /* of the elements still to come */
	uint64_t left;
};

/* -EBADMSG: lengths that do not add up to the bytes that are there. */
int strings_open(struct strings *s, struct span stored, uint64_t elements, struct error *err);
/* The next element; false when there is none. */
bool strings_next(struct strings *s, struct span *ret);

#endif
