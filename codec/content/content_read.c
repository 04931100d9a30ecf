/*
 * A read walks down: draft, overlay, base. At each floor the blocks that are there answer, and
 * the runs between them are asked of the floor below:
 *
 *	draft    ..DDDD......DD|            its blocks; below `keep` the overlay; zeros
 *	overlay  ....OO..OOOO...............  its blocks; the base
 *	base     BBBBBBBBBBBBBBBBBBBBBBBBBBB  the shard, or the slices' shards, or memory
 *
 * Two consumers walk so: one collects iovecs, one copies. Both get the same pieces (struct
 * piece) from the same walk.
 */
#include "codec/content/content_state.h"

#include "codec/work/data_file.h"
#include "codec/model/format.h"
#include "codec/tensor/slices.h"
#include "codec/base/swap.h"

enum piece_type { PIECE_BASE, PIECE_REGION, PIECE_ZEROS };

/* A run of bytes that comes from one place. */
struct piece {
	enum piece_type type;
	const struct region *region;
	uint64_t offset; /* in the region, or in the tensor */
	uint64_t size;
};

typedef int piece_visitor(void *context, struct content *c, const struct piece *piece);

static int walk_overlay(struct content *c, uint64_t at, uint64_t n, piece_visitor *visit,
			void *context)
{
	while (n) {
		struct piece p = {PIECE_BASE, c->overlay, at, n};
		bool present = false;
		int r;

		if (c->overlay)
			p.size = region_run(c->overlay, at, n, &present);
		if (present)
			p.type = PIECE_REGION;
		r = visit(context, c, &p);
		if (r < 0)
			return r;
		at += p.size;
		n -= p.size;
	}
	return 0;
}

/* What no block of the draft covers: what was kept of the content, then zeros. */
static int walk_below_draft(struct content *c, uint64_t at, uint64_t n, piece_visitor *visit,
			    void *context)
{
	uint64_t kept = at < c->keep ? c->keep - at : 0;
	struct piece zeros = {.type = PIECE_ZEROS};
	int r = 0;

	if (kept > n)
		kept = n;
	if (kept)
		r = walk_overlay(c, at, kept, visit, context);
	zeros.size = n - kept;
	return r < 0 || !zeros.size ? r : visit(context, c, &zeros);
}

/* The bytes as they are seen. */
static int walk(struct content *c, uint64_t at, uint64_t n, piece_visitor *visit, void *context)
{
	if (!c->draft)
		return walk_overlay(c, at, n, visit, context);
	while (n) {
		bool present;
		uint64_t size = region_run(c->draft, at, n, &present);
		struct piece p = {PIECE_REGION, c->draft, at, size};
		int r = present ? visit(context, c, &p)
				: walk_below_draft(c, at, size, visit, context);

		if (r < 0)
			return r;
		at += size;
		n -= size;
	}
	return 0;
}

/* ---- the base ---- */

static struct shard *shard_of(struct content *c, const struct tensor *t)
{
	return &c->model->shards[t->base.shard];
}

static int check_extent(struct content *c, const struct tensor *stored, struct error *err)
{
	struct shard *s = shard_of(c, stored);
	const struct extent *e = &stored->base;
	const uint8_t *map;
	int r = shard_map(s, c->model->place.rootfd, &map, err);

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

/* Everything that a read will need is there and mapped. */
int content_check_base(struct content *c, struct error *err)
{
	const struct slices *slices = c->tensor->slices;
	int r = 0;

	if (c->tensor->damage)
		return error_set(err, -EIO, "%s", c->tensor->damage);
	if (!slices)
		return check_extent(c, c->tensor, err);
	for (size_t i = 0; i < slices->n && r == 0; i++)
		r = check_extent(c, &c->model->tensors[slices->slice[i].tensor], err);
	return r;
}

bool content_decodes(const struct content *c)
{
	return c->model->format && c->model->format->decode;
}

int content_decode(struct content *c, struct error *err)
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

/* Where n bytes at `at` of the base begin; *ret_n: how many of them follow there. */
static const struct tensor *base_run(struct content *c, uint64_t at, uint64_t n,
				     uint64_t *ret_offset, uint64_t *ret_n)
{
	const struct tensor *t = c->tensor;
	struct slice_run run = {.offset = at, .size = n};

	if (t->slices) {
		run = slices_find(t->slices, &t->shape, dtype_size(t->dtype), at, 0);
		t = &c->model->tensors[t->slices->slice[run.slice].tensor];
	}
	*ret_offset = t->base.offset + run.offset;
	*ret_n = run.size < n ? run.size : n;
	return t;
}

/* ---- reading as iovecs ---- */

struct gather {
	struct iovec *iov;
	int n, max;
};

static int gather_bytes(struct gather *g, const uint8_t *p, uint64_t n)
{
	if (g->n == g->max)
		return -E2BIG;
	g->iov[g->n++] = (struct iovec){(void *)(uintptr_t)p, (size_t)n};
	return 0;
}

static int gather_zeros(struct gather *g, uint64_t n)
{
	static const uint8_t zeros[64 << 10];
	int r = 0;

	while (n && r == 0) {
		uint64_t part = n < sizeof(zeros) ? n : sizeof(zeros);

		r = gather_bytes(g, zeros, part);
		n -= part;
	}
	return r;
}

static int gather_piece(void *context, struct content *c, const struct piece *p)
{
	struct gather *g = context;
	uint64_t at = p->offset, n = p->size;
	int r = 0;

	if (p->type == PIECE_REGION)
		return gather_bytes(g, p->region->bytes + at, n);
	if (p->type == PIECE_ZEROS)
		return gather_zeros(g, n);
	if (c->decoded.p)
		return gather_bytes(g, c->decoded.p + at, n);
	while (n && r == 0) {
		uint64_t offset, part;
		const struct tensor *t = base_run(c, at, n, &offset, &part);

		/* A commit since the file was opened has put another shard here. */
		r = check_extent(c, t, NULL);
		if (r == 0)
			r = gather_bytes(g, shard_of(c, t)->map + offset, part);
		at += part;
		n -= part;
	}
	return r;
}

/* What was written by a big-endian machine is shown in our order: its bytes cannot be handed over
 * as they lie. */
static uint32_t swap_width(const struct content *c)
{
	uint32_t width = c->model->big_endian ? dtype_swap_size(c->tensor->dtype) : 0;

	return width > 1 ? width : 0;
}

int content_read(struct content *c, uint64_t offset, size_t n, struct iovec *iov, int max)
{
	struct gather g = {iov, 0, max};
	int r = swap_width(c) ? -E2BIG : walk(c, offset, n, gather_piece, &g);

	return r < 0 ? r : g.n;
}

/* ---- copying ---- */

struct copy {
	uint8_t *to;
	bool keep_fd; /* more will be asked: leave the base's descriptor open */
	struct error *err;
};

static int copy_base(struct content *c, uint64_t at, uint64_t n, struct copy *copy)
{
	const struct tensor *t = c->tensor;
	cleanup_fd int opened = -1;
	int fd = c->base_fd, r;

	if (fd < 0) {
		fd = opened = shard_open(shard_of(c, t), c->model->place.rootfd, copy->err);
		if (fd < 0)
			return fd;
	}
	if (copy->keep_fd && opened >= 0)
		c->base_fd = steal_fd(&opened);
	r = read_at(fd, copy->to, (size_t)n, t->base.offset + at);
	if (r < 0)
		return error_set(copy->err, -EIO, "%s: %s", shard_of(c, t)->name, strerror(-r));
	return 0;
}

/* What a read needs of one slice: a run of its own bytes, for rows follow rows in both. */
struct band {
	uint64_t from, end;
	uint8_t *bytes;
};

static int read_band(struct content *c, size_t slice, struct band *band, struct error *err)
{
	const struct tensor *t = &c->model->tensors[c->tensor->slices->slice[slice].tensor];
	cleanup_fd int fd = shard_open(shard_of(c, t), c->model->place.rootfd, err);
	int r;

	if (fd < 0)
		return fd;
	band->bytes = malloc(band->end - band->from);
	if (!band->bytes)
		return -ENOMEM;
	r = read_at(fd, band->bytes, band->end - band->from, t->base.offset + band->from);
	return r < 0 ? error_set(err, -EIO, "%s: %s", shard_of(c, t)->name, strerror(-r)) : 0;
}

/* Goes through the runs of [at, at + n): notes what is needed, or, with to, copies it there. */
static void walk_bands(const struct tensor *t, struct band *bands, uint64_t at, uint64_t n,
		       uint8_t *to)
{
	size_t hint = 0;

	while (n) {
		struct slice_run run =
			slices_find(t->slices, &t->shape, dtype_size(t->dtype), at, hint);
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
static int copy_slices(struct content *c, uint64_t at, uint64_t n, struct copy *copy)
{
	const struct tensor *t = c->tensor;
	cleanup_free struct band *bands = calloc(t->slices->n, sizeof(*bands));
	int r = 0;

	if (!bands)
		return -ENOMEM;
	walk_bands(t, bands, at, n, NULL);
	for (size_t i = 0; i < t->slices->n && r == 0; i++)
		if (bands[i].end)
			r = read_band(c, i, &bands[i], copy->err);
	if (r == 0)
		walk_bands(t, bands, at, n, copy->to);
	for (size_t i = 0; i < t->slices->n; i++)
		free(bands[i].bytes);
	return r;
}

static int copy_piece(void *context, struct content *c, const struct piece *p)
{
	struct copy *copy = context;
	int r = 0;

	if (p->type == PIECE_ZEROS)
		memset(copy->to, 0, (size_t)p->size);
	else if (p->type == PIECE_BASE && c->decoded.p)
		memcpy(copy->to, c->decoded.p + p->offset, (size_t)p->size);
	else if (p->type == PIECE_BASE)
		r = c->tensor->slices ? copy_slices(c, p->offset, p->size, copy)
				      : copy_base(c, p->offset, p->size, copy);
	else
		r = read_at(p->region->data->fd, copy->to, (size_t)p->size,
			    p->region->offset + p->offset);
	if (r < 0 && p->type == PIECE_REGION)
		error_set(copy->err, r, "work folder: %s", strerror(-r));
	copy->to += p->size;
	return r;
}

/* Copies whole elements, which are then swapped, to a place of their own. */
static int copy_swapped(struct content *c, uint64_t offset, size_t n, uint8_t *to, uint32_t width,
			struct error *err)
{
	uint64_t first = offset / width * width, end = (offset + n + width - 1) / width * width;
	cleanup_free uint8_t *bytes = malloc(end - first);
	struct copy copy = {bytes, false, err};
	int r = bytes ? walk(c, first, end - first, copy_piece, &copy) : -ENOMEM;

	if (r == 0)
		swap_bytes(bytes, end - first, width);
	if (r == 0)
		memcpy(to, bytes + (offset - first), n);
	return r;
}

int content_copy_locked(struct content *c, uint64_t offset, size_t n, void *to, struct error *err)
{
	struct copy copy = {to, false, err};
	uint32_t width = swap_width(c);

	if (width)
		return copy_swapped(c, offset, n, to, width, err);
	return walk(c, offset, n, copy_piece, &copy);
}

int content_copy(struct content *c, uint64_t offset, size_t n, void *to, struct error *err)
{
	int r;

	content_lock(c);
	r = content_copy_locked(c, offset, n, to, err);
	content_unlock(c);
	return r;
}

int content_accepted(struct content *c, uint64_t offset, size_t n, void *to, struct error *err)
{
	struct copy copy = {to, false, err};

	return walk_overlay(c, offset, n, copy_piece, &copy);
}

int content_copy_below(struct content *c, const struct region *region, uint64_t offset, size_t n,
		       void *to, struct error *err)
{
	/* Who writes to it without having opened it for that will not close the descriptor. */
	struct copy copy = {to, content_writers(c) > 0, err};

	if (region == c->draft)
		return walk_below_draft(c, offset, n, copy_piece, &copy);
	return walk_overlay(c, offset, n, copy_piece, &copy);
}
