/* Small bundles that tests make, what each tensor holds being up to them; and how models are
 * opened. */
#ifndef TESTS_CODEC_BUNDLES_H
#define TESTS_CODEC_BUNDLES_H

#include "support.h"

#include "codec/model/model.h"
#include "codec/tensor/dtype.h"
#include "codec/work/edits.h"

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

/* Opens the model of that name in a folder; fails if that is not possible. */
struct model *open_model_in(const char *folder, const char *name);
/* Likewise, so that it can be edited. */
struct model *open_to_edit(const char *folder, const char *name, enum edits_mode mode);

#endif
