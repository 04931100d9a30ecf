/*
 * Tensors below npy/, as numpy.load() reads them: a header, then the bytes of the tensor. The tree
 * is that of variables/.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "codec/base/swap.h"
#include "codec/content/content.h"
#include "codec/tensor/npy.h"
#include "fs/kinds/kinds.h"
#include "fs/view/pieces.h"
#include "fs/view/branch.h"

static struct tensor *tensor_of(const struct showing *s)
{
	return model_tensor(s->branch->model, s->object);
}

static int npy_path(const struct showing *s, struct buf *out)
{
	return npy_has(tensor_of(s)->dtype) ? mirror_path(s, "npy/", ".npy", out) : 0;
}

static int npy_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	struct tensor *t = tensor_of(s);

	npy_header(t->dtype, &t->shape, &out->bytes);
	return pieces_add_content(out, s->branch->model, t, err);
}

static uint64_t npy_shift(const struct showing *s)
{
	cleanup_buf struct buf header = {0};

	npy_header(tensor_of(s)->dtype, &tensor_of(s)->shape, &header);
	return header.n;
}

static uint64_t npy_size(const struct showing *s)
{
	return npy_shift(s) + tensor_size(tensor_of(s));
}

/* A file that somebody else made may have a longer header. */
static uint64_t npy_room(const struct showing *s)
{
	return tensor_size(tensor_of(s)) + NPY_HEADER_MAX;
}

/* ---- taking a file over ---- */

/* The elements of a file, in whatever order they lie there. */
struct elements {
	const uint8_t *bytes;
	uint32_t size; /* of an element */
	uint32_t swap; /* of what is to be swapped, or 0 */
	const struct npy *npy;
	const struct shape *shape;
};

/* Where element i, counted row by row, lies if columns were written first. */
static uint64_t fortran_index(const struct shape *shape, uint64_t i)
{
	uint64_t place = 0, index[RANK_MAX];

	for (uint32_t d = shape->rank; d-- > 0; i /= (uint64_t)shape->dims[d])
		index[d] = i % (uint64_t)shape->dims[d];
	for (uint32_t d = shape->rank; d-- > 0;)
		place = place * (uint64_t)shape->dims[d] + index[d];
	return place;
}

/* Gives the content its bytes, part by part, in their order. */
static int put_elements(void *context, uint8_t *to, size_t n, uint64_t at)
{
	const struct elements *e = context;

	if (!e->npy->fortran || e->shape->rank < 2) {
		memcpy(to, e->bytes + at, n);
	} else {
		for (size_t i = 0; i < n; i += e->size)
			memcpy(to + i,
			       e->bytes + e->size * fortran_index(e->shape, (at + i) / e->size),
			       e->size);
	}
	if (e->swap > 1)
		swap_bytes(to, n, e->swap);
	return 0;
}

static int check_size(const struct npy *npy, const struct tensor *t, uint64_t size,
		      struct error *err)
{
	uint64_t wanted = npy->data + tensor_size(t);

	if (size == wanted)
		return 0;
	return error_set(err, -EINVAL, "the .npy has %llu bytes, its header makes it %llu",
			 (unsigned long long)size, (unsigned long long)wanted);
}

static int take_over(const struct showing *s, const struct npy *npy, const uint8_t *file,
		     struct error *err)
{
	struct model *m = s->branch->model;
	struct tensor *t = model_tensor(m, s->object);
	struct elements e = {
		.bytes = file + npy->data,
		.size = dtype_size(t->dtype),
		.swap = npy->swapped ? dtype_swap_size(t->dtype) : 0,
		.npy = npy,
		.shape = &t->shape,
	};

	return content_overwrite(m, t, put_elements, &e, err);
}

static int npy_accept(const struct showing *s, const struct draft *d, struct error *err)
{
	const struct tensor *t = tensor_of(s);
	size_t size = (size_t)d->size;
	void *map = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, d->fd, 0) : MAP_FAILED;
	cleanup_free struct npy *npy = malloc(sizeof(*npy));
	struct span start;
	int r;

	if (map == MAP_FAILED || !npy) {
		if (map != MAP_FAILED)
			munmap(map, size);
		return size ? -ENOMEM : error_set(err, -EINVAL, "an empty file is no .npy");
	}
	start = span_of(map, size < NPY_HEADER_MAX ? size : NPY_HEADER_MAX);
	r = npy_parse(start, npy, err);
	if (r == 0)
		r = npy_check(npy, t->dtype, &t->shape, err);
	if (r == 0)
		r = check_size(npy, t, size, err);
	if (r == 0)
		r = take_over(s, npy, map, err);
	munmap(map, size);
	return r < 0 ? r : CONTENT_ACCEPTED;
}

const struct kind kind_npy = {
	.of = THING_TENSOR,
	.folder = "npy",
	.link = ".npy",
	.path = npy_path,
	.compose = npy_compose,
	.size = npy_size,
	.shift = npy_shift,
	.room = npy_room,
	.accept = npy_accept,
};
