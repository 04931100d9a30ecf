#include "codec/content/base.h"

#include "codec/base/swap.h"
#include "codec/model/format.h"
#include "codec/tensor/slices.h"
#include "codec/tensor/stored.h"

static struct shard *shard_of(const struct content *c, const struct extent *e)
{
	return &c->model->shards[e->shard];
}

static int map_extent(struct content *c, const struct extent *e, const uint8_t **ret,
		      struct error *err)
{
	struct shard *s = shard_of(c, e);
	int r = shard_map(s, c->model->place.rootfd, ret, err);

	if (r < 0)
		return r;
	if (e->offset > s->id.size || e->size > s->id.size - e->offset)
		return error_set(
			err, -EIO,
			"%s: the file has %llu bytes, but the tensor lies at %llu, %llu bytes long",
			s->name, (unsigned long long)s->id.size, (unsigned long long)e->offset,
			(unsigned long long)e->size);
	return 0;
}

static int check_extent(struct content *c, const struct extent *e, struct error *err)
{
	const uint8_t *map;

	return map_extent(c, e, &map, err);
}

int base_check(struct content *c, struct error *err)
{
	const struct storage *storage = &c->tensor->storage;
	int r = 0;

	switch (storage->type) {
	case STORED_EXTENT: return check_extent(c, &storage->extent, err);
	case STORED_SLICES:
		for (size_t i = 0; i < storage->slices->n && r == 0; i++)
			r = check_extent(c, &storage->slices->slice[i].extent, err);
		return r;
	default: return error_set(err, -EIO, "%s", c->tensor->damage);
	}
}

bool base_is_doubted(const struct content *c)
{
	bool doubted = false;

	for (size_t i = 0; i < tensor_runs(c->tensor); i++)
		doubted |= c->model->shards[tensor_run(c->tensor, i).extent.shard].doubted;
	return doubted;
}

/* ---- what the format decodes ---- */

bool base_decodes(const struct content *c)
{
	return c->tensor->storage.type == STORED_DECODED;
}

int base_decode(struct content *c, struct error *err)
{
	cleanup_buf struct buf made = {0};
	int r;

	if (c->decoded.p)
		return 0;
	r = c->model->format->decode(c->model, c->tensor, &made, err);
	if (r < 0)
		return r;
	if (tensor_is_raw(c->tensor) && made.n != tensor_size(c->tensor))
		return error_set(err, -EIO, "%zu bytes instead of %llu", made.n,
				 (unsigned long long)tensor_size(c->tensor));
	c->decoded = made;
	made = (struct buf){0};
	return 0;
}

/* ---- what is handed to the kernel ---- */

/* The bytes to be swapped in each element of a big-endian bundle; 0: they are as we want them. */
static uint32_t swap_width(const struct content *c)
{
	uint32_t width = c->tensor->storage.big_endian ? dtype_swap_size(c->tensor->dtype) : 0;

	return width > 1 ? width : 0;
}

static int mapped_run(struct content *c, uint64_t at, uint64_t n, struct iovec *ret)
{
	const struct tensor *t = c->tensor;
	const struct slices *slices = t->storage.slices;
	const struct extent *e = &t->storage.extent;
	struct slice_run run = {.offset = at, .size = n};
	const uint8_t *map;
	int r;

	if (t->storage.type == STORED_SLICES) {
		run = slices_find(slices, &t->shape, dtype_size(t->dtype), at, 0);
		e = &slices->slice[run.slice].extent;
	}
	/* A commit since the file was opened has put another shard here. */
	r = map_extent(c, e, &map, NULL);
	if (r < 0 || !map)
		return r < 0 ? r : -E2BIG;
	ret->iov_base = (void *)(uintptr_t)(map + e->offset + run.offset);
	ret->iov_len = (size_t)(run.size < n ? run.size : n);
	return 0;
}

int base_run(struct content *c, uint64_t at, uint64_t n, struct iovec *ret)
{
	if (!c->decoded.p)
		return swap_width(c) ? -E2BIG : mapped_run(c, at, n, ret);
	*ret = (struct iovec){c->decoded.p + at, (size_t)n};
	return 0;
}

/* ---- what is copied ---- */

/* A descriptor to read from. -ESTALE: what it leads to may be another file than at load. */
static int open_shard(struct content *c, const struct extent *e, struct error *err)
{
	struct shard *s = shard_of(c, e);
	cleanup_fd int fd = shard_open(s, c->model->place.rootfd, err);

	if (fd >= 0 && s->doubted && !c->believed && !c->model->by_content)
		return error_set(err, -ESTALE, "%s: changed since the mount", s->name);
	return steal_fd(&fd);
}

static int copy_extent(struct content *c, uint64_t at, uint64_t n, bool keep_fd, uint8_t *to,
		       struct error *err)
{
	const struct extent *e = &c->tensor->storage.extent;
	cleanup_fd int opened = -1;
	int fd = c->base_fd, r;

	if (fd < 0) {
		fd = opened = open_shard(c, e, err);
		if (fd < 0)
			return fd;
	}
	if (keep_fd && opened >= 0)
		c->base_fd = steal_fd(&opened);
	r = read_at(fd, to, (size_t)n, e->offset + at);
	return r < 0 ? error_set(err, -EIO, "%s: %s", shard_of(c, e)->name, strerror(-r)) : 0;
}

/* What a read needs of one slice: a run of its own bytes, for rows follow rows in both. */
struct band {
	uint64_t from, end;
	uint8_t *bytes;
};

static int read_band(struct content *c, const struct extent *e, struct band *band,
		     struct error *err)
{
	cleanup_fd int fd = open_shard(c, e, err);
	int r;

	if (fd < 0)
		return fd;
	band->bytes = malloc(band->end - band->from);
	if (!band->bytes)
		return -ENOMEM;
	r = read_at(fd, band->bytes, band->end - band->from, e->offset + band->from);
	return r < 0 ? error_set(err, -EIO, "%s: %s", shard_of(c, e)->name, strerror(-r)) : 0;
}

/* Goes through the runs of [at, at + n): notes what is needed, or, with to, copies it there. */
static void walk_bands(const struct tensor *t, struct band *bands, uint64_t at, uint64_t n,
		       uint8_t *to)
{
	size_t hint = 0;

	while (n) {
		struct slice_run run =
			slices_find(t->storage.slices, &t->shape, dtype_size(t->dtype), at, hint);
		struct band *b = &bands[run.slice];
		uint64_t size = run.size < n ? run.size : n;

		if (to) {
			memcpy(to, b->bytes + (run.offset - b->from), size);
			to += size;
		} else {
			b->from = b->end ? b->from : run.offset;
			b->end = run.offset + size;
		}
		hint = run.slice;
		at += size;
		n -= size;
	}
}

/* The base of a partitioned variable: each slice is read once, then the runs are put in place. */
static int copy_slices(struct content *c, uint64_t at, uint64_t n, uint8_t *to, struct error *err)
{
	const struct slices *slices = c->tensor->storage.slices;
	cleanup_free struct band *bands = calloc(slices->n, sizeof(*bands));
	int r = 0;

	if (!bands)
		return -ENOMEM;
	walk_bands(c->tensor, bands, at, n, NULL);
	for (size_t i = 0; i < slices->n && r == 0; i++)
		if (bands[i].end)
			r = read_band(c, &slices->slice[i].extent, &bands[i], err);
	if (r == 0)
		walk_bands(c->tensor, bands, at, n, to);
	for (size_t i = 0; i < slices->n; i++)
		free(bands[i].bytes);
	return r;
}

static int copy_stored(struct content *c, uint64_t at, uint64_t n, bool keep_fd, uint8_t *to,
		       struct error *err)
{
	return c->tensor->storage.type == STORED_SLICES ? copy_slices(c, at, n, to, err)
							: copy_extent(c, at, n, keep_fd, to, err);
}

/* Copies whole elements, which are then swapped, to a place of their own. */
static int copy_swapped(struct content *c, uint64_t at, uint64_t n, uint32_t width, uint8_t *to,
			struct error *err)
{
	uint64_t first = at / width * width, end = (at + n + width - 1) / width * width;
	cleanup_free uint8_t *bytes = malloc(end - first);
	int r = bytes ? copy_stored(c, first, end - first, false, bytes, err) : -ENOMEM;

	if (r == 0)
		swap_bytes(bytes, end - first, width);
	if (r == 0)
		memcpy(to, bytes + (at - first), n);
	return r;
}

int base_copy(struct content *c, uint64_t at, uint64_t n, bool keep_fd, void *to, struct error *err)
{
	uint32_t width = swap_width(c);

	if (c->decoded.p) {
		memcpy(to, c->decoded.p + at, (size_t)n);
		return 0;
	}
	return width ? copy_swapped(c, at, n, width, to, err)
		     : copy_stored(c, at, n, keep_fd, to, err);
}
