/* Small bundles that tests make: what each tensor holds is up to them. */
#ifndef TESTS_CODEC_BUNDLES_H
#define TESTS_CODEC_BUNDLES_H

#include "support.h"

#include "codec/tensor/dtype.h"

enum { MADE_CUTS = 3 };

/* A tensor of at most two dimensions, and how it is stored. */
struct made_tensor {
	const char *key;
	uint32_t dtype; /* of a fixed size; or of strings, a scalar */
	uint32_t rank;
	int64_t dims[2];
	/* A partitioned variable of rank 2: how long its parts are along each dimension, with a 0
	 * behind the last. */
	int64_t cuts[2][MADE_CUTS + 1];
	bool missing; /* its data file is not written */
};

/* The bytes of all its elements, of a fixed size. */
size_t made_size(const struct made_tensor *t);

/*
 * Writes PREFIX.index and its data file into the folder: n tensors in the order of their keys, with
 * contents[i] as their bytes; of a string they end at a NUL. Where one is missing it alone lies in
 * a second data file, which is not there.
 */
void bundle_make(const struct folder *f, const char *prefix, const struct made_tensor *tensors,
		 uint8_t *const *contents, size_t n);

#endif
