/*
 * Partitioned variables: one tensor that a bundle stores in slices, each an entry under a key
 * that names the slice (upstream: core/util/saved_tensor_slice_util.cc,
 * core/lib/strings/ordered_code.cc, core/util/tensor_slice_set.cc).
 *
 * The bytes of the whole are found by computing, never by listing: a variable cut by columns has
 * a run of a few bytes in each row.
 */
#ifndef CODEC_TENSOR_SLICES_H
#define CODEC_TENSOR_SLICES_H

#include "codec/tensor/tensor.h"

/* More slices of one variable than anything writes; checking them takes time. */
enum { SLICES_MAX = 10000 };

/* The part [start, start + length) of each dimension. */
struct slice {
	const int64_t *start, *length; /* as many as the tensor has dimensions */
	struct extent extent;	       /* its own bytes, and their checksum */
};

struct slices {
	size_t n;
	struct slice *slice;
};

/* The key under which TensorFlow stores a slice: EncodeTensorNameSlice. full[i]: all of it. */
void slice_key(struct span name, uint32_t rank, const int64_t *start, const int64_t *length,
	       const bool *full, struct buf *out);

/* True if the key is that of a slice: the name of its variable, added to ret. */
bool slice_key_name(struct span key, struct buf *ret);

/*
 * Checks that n slices lie in the shape, do not overlap and cover it; start and length hold
 * shape->rank numbers for each of them. -EBADMSG with a sentence.
 */
int slices_check(size_t n, const int64_t *start, const int64_t *length, const struct shape *shape,
		 struct error *err);

/* Where a byte of the whole lies. */
struct slice_run {
	size_t slice;	 /* which slice */
	uint64_t offset; /* of the byte, in the slice's own bytes */
	uint64_t size;	 /* how many bytes follow both here and there */
};

/*
 * The run that begins at byte `offset` of the whole, which has elements of element_size bytes.
 * hint: a slice that may well hold it, as the one of the run before.
 */
struct slice_run slices_find(const struct slices *s, const struct shape *shape,
			     uint32_t element_size, uint64_t offset, size_t hint);
/* The other way: the run of the whole that begins with byte `offset` of a slice's own bytes. */
struct slice_run slices_reverse(const struct slices *s, const struct shape *shape,
				uint32_t element_size, size_t slice, uint64_t offset);

#endif
