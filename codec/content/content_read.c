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
#include "codec/content/base.h"
#include "codec/content/content_state.h"

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
		uint64_t size = region_run(c->draft->region, at, n, &present);
		struct piece p = {PIECE_REGION, c->draft->region, at, size};
		int r = present ? visit(context, c, &p)
				: walk_below_draft(c, at, size, visit, context);

		if (r < 0)
			return r;
		at += size;
		n -= size;
	}
	return 0;
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

static int gather_base(struct gather *g, struct content *c, uint64_t at, uint64_t n)
{
	int r = 0;

	while (n && r == 0) {
		struct iovec run;

		r = base_run(c, at, n, &run);
		if (r < 0)
			break;
		r = gather_bytes(g, run.iov_base, run.iov_len);
		at += run.iov_len;
		n -= run.iov_len;
	}
	return r;
}

static int gather_piece(void *context, struct content *c, const struct piece *p)
{
	struct gather *g = context;

	switch (p->type) {
	case PIECE_BASE: return gather_base(g, c, p->offset, p->size);
	case PIECE_REGION:
		return p->region->bytes ? gather_bytes(g, p->region->bytes + p->offset, p->size)
					: -E2BIG;
	case PIECE_ZEROS: return gather_zeros(g, p->size);
	}
	return 0;
}

int content_read(struct content *c, uint64_t offset, size_t n, struct iovec *iov, int max)
{
	struct gather g = {iov, 0, max};
	int r = walk(c, offset, n, gather_piece, &g);

	return r < 0 ? r : g.n;
}

int content_read_accepted(struct content *c, uint64_t offset, size_t n, struct iovec *iov, int max)
{
	struct gather g = {iov, 0, max};
	int r = walk_overlay(c, offset, n, gather_piece, &g);

	return r < 0 ? r : g.n;
}

/* ---- copying ---- */

struct copy {
	uint8_t *to;
	bool keep_fd; /* more will be asked: leave the base's descriptor open */
	struct error *err;
};

static int copy_piece(void *context, struct content *c, const struct piece *p)
{
	struct copy *copy = context;
	int r = 0;

	switch (p->type) {
	case PIECE_BASE:
		r = base_copy(c, p->offset, p->size, copy->keep_fd, copy->to, copy->err);
		break;
	case PIECE_REGION:
		r = read_at(p->region->data->fd, copy->to, (size_t)p->size,
			    p->region->offset + p->offset);
		if (r < 0)
			error_set(copy->err, r, "work folder: %s", strerror(-r));
		break;
	case PIECE_ZEROS: memset(copy->to, 0, (size_t)p->size); break;
	}
	copy->to += p->size;
	return r;
}

int content_copy_locked(struct content *c, uint64_t offset, size_t n, void *to, struct error *err)
{
	struct copy copy = {to, false, err};

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

	if (c->draft && region == c->draft->region)
		return walk_below_draft(c, offset, n, copy_piece, &copy);
	return walk_overlay(c, offset, n, copy_piece, &copy);
}
