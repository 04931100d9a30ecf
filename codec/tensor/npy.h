/*
 * NumPy's file format (upstream: numpy/lib/format.py): a magic string, a version, a header that is
 * a Python dictionary in text, then the elements.
 *
 * dtypes that NumPy knows have their own descr; the others (bfloat16, float8, int4 ...) are opaque
 * bytes: <V2 and |V1, which numpy.load() takes without help.
 */
#ifndef CODEC_TENSOR_NPY_H
#define CODEC_TENSOR_NPY_H

#include "codec/tensor/tensor.h"

/* True if tensors of that dtype can be shown as .npy: its elements have a fixed size. */
bool npy_has(uint32_t dtype);
/* Adds the header exactly as numpy.save() writes it. */
void npy_header(uint32_t dtype, const struct shape *shape, struct buf *out);

/* What a header says. */
struct npy {
	size_t data;	   /* offset of the elements */
	bool fortran;	   /* the first index varies fastest */
	bool swapped;	   /* big-endian */
	struct span descr; /* without its quotes; a part of the header */
	uint32_t rank;
	int64_t dims[RANK_MAX];
};

/* More than any header has that NumPy or we would write. */
enum { NPY_HEADER_MAX = 1 << 16 };

/*
 * Parses the header at the beginning of a file, of which `file` is the first part (NPY_HEADER_MAX
 * bytes, or all). -EINVAL, with what is wrong: no .npy, a structured or object dtype, no valid
 * shape.
 */
int npy_parse(struct span file, struct npy *ret, struct error *err);
/*
 * 0 if these elements can be those of a tensor of that dtype and shape; -EINVAL and why not. An
 * opaque dtype is also taken as the unsigned integer of its width, and by its name.
 */
int npy_check(const struct npy *npy, uint32_t dtype, const struct shape *shape, struct error *err);

#endif
