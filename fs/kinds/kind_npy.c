/*
 * Tensors below npy/, as numpy.load() reads them: a header, then the bytes of the tensor. The tree
 * is that of variables/.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "codec/content/content.h"
#include "codec/tensor/npy.h"
#include "codec/base/swap.h"
#include "fs/view/kind.h"
#include "fs/view/view.h"

static const struct tensor *tensor_of(const struct showing *s)
{
	return model_tensor(s->branch->model, s->object);
}

static int npy_path(const struct showing *s, struct buf *out)
{
	static const char raw[] = "variables/";
	cleanup_buf struct buf path = {0};

	if (!s->branch->tensor_nodes[s->object] || !npy_has(tensor_of(s)->dtype))
		return 0;
	tree_path(s->view->tree, s->branch->root, s->branch->tensor_nodes[s->object], &path);
	if (path.failed)
		return -ENOMEM;
	buf_add_str(out, "npy/");
	buf_add(out, span_skip(buf_span(&path), sizeof(raw) - 1));
	buf_add_str(out, ".npy");
	return 1;
}

static int npy_render(const struct showing *s, struct buf *out, struct error *err)
{
	(void)err;
	npy_header(tensor_of(s)->dtype, &tensor_of(s)->shape, out);
	return buf_error(out);
}

static int npy_editable(const struct showing *s, struct error *err)
{
	return content_editable(s->branch->model, tensor_of(s), err);
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
static uint64_t fortran_place(const struct shape *shape, uint64_t i)
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
			       e->bytes + e->size * fortran_place(e->shape, (at + i) / e->size),
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

static int npy_accept(const struct showing *s, int fd, uint64_t size, struct error *err)
{
	const struct tensor *t = tensor_of(s);
	void *map = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	cleanup_free struct npy *npy = malloc(sizeof(*npy));
	struct span start;
	int r;

	if (map == MAP_FAILED || !npy) {
		if (map != MAP_FAILED)
			munmap(map, size);
		return size ? -ENOMEM : error_set(err, -EINVAL, "an empty file is no .npy");
	}
	start = span_of(map, size < NPY_HEADER_MAX ? (size_t)size : NPY_HEADER_MAX);
	r = npy_parse(start, npy, err);
	if (r == 0)
		r = npy_check(npy, t->dtype, &t->shape, err);
	if (r == 0)
		r = check_size(npy, t, size, err);
	if (r == 0)
		r = take_over(s, npy, map, err);
	munmap(map, size);
	return r;
}

const struct kind kind_npy = {
	.of = THING_TENSOR,
	.path = npy_path,
	.render = npy_render,
	.editable = npy_editable,
	.tail = true,
	.accept_file = npy_accept,
	.lazy = "npy",
};
