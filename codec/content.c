/*
 * A read walks down: draft, overlay, base. At each floor the blocks that are there answer, and
 * the runs between them are asked of the floor below:
 *
 *	draft    ..DDDD......DD|            its blocks; below `keep` the overlay; zeros
 *	overlay  ....OO..OOOO...............  its blocks; the base
 *	base     BBBBBBBBBBBBBBBBBBBBBBBBBBB  the shard, or the slices' shards
 *
 * Two consumers walk so: one collects iovecs, one copies. Both get the same pieces (struct
 * piece) from the same walk.
 */
#include "codec/content.h"

#include <assert.h>
#include <time.h>

#include "codec/data_file.h"
#include "codec/edits.h"
#include "codec/slices.h"

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
		return error_set(err, -EIO,
				 "%s: the file has %llu bytes, but the tensor lies at %llu, %llu bytes long",
				 s->name, (unsigned long long)s->id.size,
				 (unsigned long long)e->offset, (unsigned long long)e->size);
	return 0;
}

/* Everything that a read will need is there and mapped. */
static int check_base(struct content *c, struct error *err)
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

/* Where n bytes at `at` of the base begin; *ret_n: how many of them follow there. */
static const struct tensor *base_run(struct content *c, uint64_t at, uint64_t n,
				     uint64_t *ret_offset, uint64_t *ret_n)
{
	const struct tensor *t = c->tensor;
	struct slice_run run = {.offset = at, .size = n};

	if (t->slices) {
		run = slices_find(t->slices, &t->shape, dtype_size(t->dtype), at);
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
	while (n && r == 0) {
		uint64_t offset, part;
		const struct tensor *t = base_run(c, at, n, &offset, &part);

		r = gather_bytes(g, shard_of(c, t)->map + offset, part);
		at += part;
		n -= part;
	}
	return r;
}

int content_read(struct content *c, uint64_t offset, size_t n, struct iovec *iov, int max)
{
	struct gather g = {iov, 0, max};
	int r = walk(c, offset, n, gather_piece, &g);

	return r < 0 ? r : g.n;
}

/* The layout may be read all the while: a commit does not move what is being looked at. */
void content_lock(struct content *c)
{
	pthread_rwlock_rdlock(&c->model->layout);
	pthread_rwlock_rdlock(&c->lock);
}

static void lock_for_edit(struct content *c)
{
	pthread_rwlock_rdlock(&c->model->layout);
	pthread_rwlock_wrlock(&c->lock);
}

void content_unlock(struct content *c)
{
	pthread_rwlock_unlock(&c->lock);
	pthread_rwlock_unlock(&c->model->layout);
}

uint64_t content_seen(const struct content *c)
{
	return c->draft ? c->draft_size : tensor_size(c->tensor);
}

/* ---- copying ---- */

struct copy {
	uint8_t *to;
	bool keep_fd; /* more will be asked: leave the base's descriptor open */
	struct error *err;
};

static int copy_base(struct content *c, const struct tensor *t, uint64_t offset, uint64_t n,
		     struct copy *copy)
{
	cleanup_fd int opened = -1;
	int fd = c->base_fd, r;

	if (fd < 0) {
		fd = opened = shard_open(shard_of(c, t), c->model->place.rootfd, copy->err);
		if (fd < 0)
			return fd;
	}
	if (copy->keep_fd && opened >= 0 && !c->tensor->slices)
		c->base_fd = steal_fd(&opened);
	r = read_at(fd, copy->to, (size_t)n, offset);
	if (r < 0)
		return error_set(copy->err, -EIO, "%s: %s", shard_of(c, t)->name, strerror(-r));
	copy->to += n;
	return 0;
}

static int copy_piece(void *context, struct content *c, const struct piece *p)
{
	struct copy *copy = context;
	uint64_t at = p->offset, n = p->size;
	int r = 0;

	if (p->type == PIECE_REGION) {
		r = read_at(p->region->data->fd, copy->to, (size_t)n, p->region->offset + at);
		copy->to += n;
		return r < 0 ? error_set(copy->err, r, "work folder: %s", strerror(-r)) : 0;
	}
	if (p->type == PIECE_ZEROS) {
		memset(copy->to, 0, (size_t)n);
		copy->to += n;
		return 0;
	}
	while (n && r == 0) {
		uint64_t offset, part;
		const struct tensor *t = base_run(c, at, n, &offset, &part);

		r = copy_base(c, t, offset, part, copy);
		at += part;
		n -= part;
	}
	return r;
}

int content_copy_locked(struct content *c, uint64_t offset, size_t n, void *to,
			struct error *err)
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

/* ---- opening and closing ---- */

static struct content *content_new(struct model *m, struct tensor *t)
{
	struct content *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->model = m;
	c->tensor = t;
	c->base_fd = -1;
	pthread_rwlock_init(&c->lock, NULL);
	return c;
}

void content_free(struct content *c)
{
	if (!c)
		return;
	region_free(c->overlay);
	region_free(c->draft);
	close_pointer(&c->base_fd);
	pthread_rwlock_destroy(&c->lock);
	free(c);
}

/* The contents lock is held. */
static struct content *get_locked(struct model *m, struct tensor *t)
{
	if (!t->content)
		t->content = content_new(m, t);
	if (t->content)
		t->content->handles++;
	return t->content;
}

/* The contents lock is held. What nobody needs goes. */
static void put_locked(struct content *c)
{
	if (--c->handles || c->overlay || c->draft)
		return;
	c->tensor->content = NULL;
	content_free(c);
}

int content_editable(const struct model *m, const struct tensor *t, struct error *err)
{
	if (m->read_only)
		return error_set(err, m->read_only, "%s", m->why_read_only);
	if (!m->edits)
		return error_set(err, -EROFS, "opened for reading only");
	if (t->damage)
		return error_set(err, -EIO, "%s", t->damage);
	if (!tensor_is_raw(t) || t->slices)
		return error_set(err, -EPERM, "a %s of dtype %s cannot be edited yet",
				 t->slices ? "partitioned variable" : "tensor",
				 dtype_name(t->dtype).text);
	return 0;
}

int content_open(struct model *m, struct tensor *t, bool for_write, struct content **ret,
		 struct error *err)
{
	int r = for_write ? content_editable(m, t, err) : 0;
	struct content *c;

	if (r < 0)
		return r;
	pthread_mutex_lock(&m->contents);
	c = get_locked(m, t);
	if (c && for_write)
		c->writers++;
	pthread_mutex_unlock(&m->contents);
	if (!c)
		return -ENOMEM;
	content_lock(c);
	r = check_base(c, err);
	content_unlock(c);
	if (r < 0) {
		content_close(c, for_write, NULL);
		return r;
	}
	*ret = c;
	return 0;
}

/* What a draft lacks. */
static int incomplete(const struct content *c, struct error *err)
{
	const struct tensor *t = c->tensor;
	cleanup_buf struct buf shape = {0};

	shape_print(&t->shape, &shape);
	return error_set(err, -EINVAL, "%llu bytes were written, but %s %.*s takes %llu",
			 (unsigned long long)c->draft_size, dtype_name(t->dtype).text,
			 (int)shape.n, shape.p, (unsigned long long)c->draft->size);
}

static void drop_draft(struct content *c)
{
	edits_drop(c->model, steal_pointer(c->draft));
	c->draft_size = c->keep = 0;
}

/* The lock is held for writing, and no handle for writing is left. */
static enum content_outcome after_last_writer(struct content *c, struct error *err)
{
	close_pointer(&c->base_fd);
	c->base_fd = -1;
	if (!c->draft)
		return CONTENT_SAME;
	incomplete(c, err);
	drop_draft(c);
	return CONTENT_DROPPED;
}

static unsigned count_writers(struct content *c)
{
	unsigned n;

	pthread_mutex_lock(&c->model->contents);
	n = c->writers;
	pthread_mutex_unlock(&c->model->contents);
	return n;
}

enum content_outcome content_close(struct content *c, bool for_write, struct error *err)
{
	enum content_outcome outcome = CONTENT_SAME;
	struct model *m = c->model;
	bool last = false;

	if (for_write) {
		pthread_mutex_lock(&m->contents);
		last = --c->writers == 0;
		pthread_mutex_unlock(&m->contents);
	}
	if (last) {
		lock_for_edit(c);
		if (count_writers(c) == 0) /* none was opened meanwhile */
			outcome = after_last_writer(c, err);
		content_unlock(c);
	}
	pthread_mutex_lock(&m->contents);
	put_locked(c);
	pthread_mutex_unlock(&m->contents);
	return outcome;
}

/* ---- what is seen of a tensor, open or not ---- */

/* The content, if the tensor has one, for a look; it is given back with put_peek(). */
static struct content *peek(struct model *m, const struct tensor *t)
{
	struct content *c;

	pthread_mutex_lock(&m->contents);
	c = t->content;
	if (c)
		c->handles++;
	pthread_mutex_unlock(&m->contents);
	if (c)
		content_lock(c);
	return c;
}

static void put_peek(struct content *c)
{
	struct model *m = c->model;

	content_unlock(c);
	pthread_mutex_lock(&m->contents);
	put_locked(c);
	pthread_mutex_unlock(&m->contents);
}

uint64_t content_size(struct model *m, const struct tensor *t)
{
	struct content *c = peek(m, t);
	uint64_t size;

	if (!c)
		return tensor_size(t);
	size = content_seen(c);
	put_peek(c);
	return size;
}

bool content_edited(struct model *m, const struct tensor *t)
{
	struct content *c = peek(m, t);
	bool edited;

	if (!c)
		return false;
	edited = c->overlay != NULL;
	put_peek(c);
	return edited;
}

bool content_mtime(struct model *m, const struct tensor *t, struct timespec *ret)
{
	struct content *c = peek(m, t);
	bool edited;

	if (!c)
		return false;
	edited = c->mtime.tv_sec != 0;
	if (edited)
		*ret = c->mtime;
	put_peek(c);
	return edited;
}

static void touch(struct content *c)
{
	clock_gettime(CLOCK_REALTIME, &c->mtime);
}

/* ---- editing ---- */

static uint64_t block_end(const struct region *r, uint64_t block)
{
	uint64_t end = (block + 1) * REGION_BLOCK;

	return end < r->size ? end : r->size;
}

/*
 * Writes into the region what shows through it at a block that is about to be written in part.
 * The lock is held for writing.
 */
static int fill_block(struct content *c, struct region *to, uint64_t block, struct error *err)
{
	uint64_t start = block * REGION_BLOCK, n = block_end(to, block) - start;
	uint8_t bytes[REGION_BLOCK];
	struct copy copy = {bytes, true, err};
	int r = to == c->draft ? walk_below_draft(c, start, n, copy_piece, &copy)
			       : walk_overlay(c, start, n, copy_piece, &copy);

	if (r == 0)
		r = write_at(to->data->fd, bytes, (size_t)n, to->offset + start);
	return r < 0 ? error_set(err, r, "work folder: %s", strerror(-r)) : 0;
}

/* The first and the last block, where [at, at + n) covers them in part only. */
static int fill_edges(struct content *c, struct region *to, uint64_t at, uint64_t n,
		      struct error *err)
{
	uint64_t first = at / REGION_BLOCK, last = (at + n - 1) / REGION_BLOCK;
	int r = 0;

	if (at % REGION_BLOCK && !region_has(to, first))
		r = fill_block(c, to, first, err);
	if (r == 0 && at + n < block_end(to, last) && !region_has(to, last) &&
	    !(first == last && at % REGION_BLOCK))
		r = fill_block(c, to, last, err);
	return r;
}

static bool all_present(const struct region *r, uint64_t at, uint64_t n)
{
	bool present;

	return region_run(r, at, n, &present) == n && present;
}

static int write_locked(struct content *c, const void *bytes, size_t n, uint64_t at,
			struct error *err)
{
	struct region *to = c->draft ? c->draft : c->overlay;
	uint64_t first = at / REGION_BLOCK, count = (at + n - 1) / REGION_BLOCK + 1 - first;
	int r = 0;

	if (!to) {
		r = edits_new_region(c->model, c->tensor, false, &c->overlay, err);
		to = c->overlay;
	}
	if (r == 0)
		r = fill_edges(c, to, at, n, err);
	if (r < 0)
		return r;
	r = write_at(to->data->fd, bytes, n, to->offset + at);
	if (r < 0)
		return error_set(err, r, "work folder: %s", strerror(-r));
	if (!all_present(to, at, n)) {
		if (to == c->draft)
			region_set(to, first, count); /* it dies with us: nothing to journal */
		else
			r = edits_add_blocks(c->model, to, first, count, err);
	}
	return r;
}

ssize_t content_write(struct content *c, const void *bytes, size_t n, uint64_t offset,
		      struct error *err)
{
	uint64_t size = tensor_size(c->tensor);
	int r;

	if (!n)
		return 0;
	if (offset >= size)
		return error_set(err, -EFBIG, "the tensor has %llu bytes",
				 (unsigned long long)size);
	if (n > size - offset)
		n = (size_t)(size - offset);
	lock_for_edit(c);
	r = write_locked(c, bytes, n, offset, err);
	if (r == 0) {
		if (c->draft && c->draft_size < offset + n)
			c->draft_size = offset + n;
		touch(c);
	}
	content_unlock(c);
	return r < 0 ? r : (ssize_t)n;
}

/* Cuts a draft: what lies behind must read as zeros if it grows again. */
static int cut_draft(struct content *c, uint64_t size, struct error *err)
{
	uint64_t block = size / REGION_BLOCK, next = block + (size % REGION_BLOCK != 0);
	int r = data_file_zero(c->draft->data, c->draft->offset + size, c->draft->size - size);

	if (r < 0)
		return error_set(err, r, "work folder: %s", strerror(-r));
	/* A block that is cut in the middle stays, if it is there; those behind it go. */
	region_clear_from(c->draft, next);
	if (c->keep > size)
		c->keep = size;
	return 0;
}

static int truncate_locked(struct content *c, uint64_t size, struct error *err)
{
	uint64_t whole = tensor_size(c->tensor);
	int r = 0;

	if (!c->draft && size == whole)
		return 0;
	if (!c->draft) {
		r = edits_new_region(c->model, c->tensor, true, &c->draft, err);
		c->keep = size;
	} else if (size < c->draft_size) {
		r = cut_draft(c, size, err);
	}
	if (r == 0) {
		c->draft_size = size;
		touch(c);
	}
	return r;
}

int content_truncate(struct content *c, uint64_t size, struct error *err)
{
	uint64_t whole = tensor_size(c->tensor);
	int r;

	if (size > whole)
		return error_set(err, -EFBIG, "the tensor has %llu bytes, no room for %llu",
				 (unsigned long long)whole, (unsigned long long)size);
	lock_for_edit(c);
	r = truncate_locked(c, size, err);
	content_unlock(c);
	return r;
}

int content_truncate_closed(struct model *m, struct tensor *t, uint64_t size, struct error *err)
{
	uint64_t whole = tensor_size(t);
	struct content *c;
	int r = content_open(m, t, true, &c, err);

	if (r < 0)
		return r;
	if (count_writers(c) > 1)
		r = content_truncate(c, size, err);
	else if (size != whole)
		r = error_set(err, size < whole ? -EINVAL : -EFBIG,
			      "the tensor has %llu bytes; it cannot have %llu",
			      (unsigned long long)whole, (unsigned long long)size);
	content_close(c, true, NULL);
	return r;
}

/* Blocks of the draft that still show the content below it are written down. */
static int fill_kept(struct content *c, struct error *err)
{
	uint64_t blocks = c->keep / REGION_BLOCK + (c->keep % REGION_BLOCK != 0);
	int r = 0;

	for (uint64_t b = 0; b < blocks && r == 0; b++)
		if (!region_has(c->draft, b))
			r = fill_block(c, c->draft, b, err);
	return r;
}

static int accept_draft(struct content *c, struct error *err)
{
	struct region *before = c->overlay;
	int r = fill_kept(c, err);

	if (r == 0)
		r = edits_accept(c->model, c->draft, err);
	if (r < 0)
		return r;
	c->overlay = steal_pointer(c->draft);
	c->draft_size = c->keep = 0;
	if (before)
		edits_drop(c->model, before);
	return CONTENT_ACCEPTED;
}

int content_flush(struct content *c, struct error *err)
{
	int r = CONTENT_SAME;

	lock_for_edit(c);
	if (c->draft && c->draft_size < c->draft->size)
		r = incomplete(c, err);
	else if (c->draft)
		r = accept_draft(c, err);
	content_unlock(c);
	return r;
}

bool content_give_up(struct model *m, struct tensor *t, struct error *err)
{
	struct content *c = peek(m, t);
	bool had;

	if (!c)
		return false;
	content_unlock(c);
	lock_for_edit(c);
	had = c->draft != NULL;
	if (had) {
		incomplete(c, err);
		drop_draft(c);
	}
	put_peek(c);
	return had;
}

/* ---- for commit and recovery ---- */

bool content_rebase(struct content *c)
{
	c->overlay = region_free(c->overlay);
	close_pointer(&c->base_fd);
	c->base_fd = -1;
	return c->handles || c->draft;
}

/* Copies the blocks of a region that are there. */
static int copy_region(const struct region *from, struct region *to)
{
	enum { PART = 1 << 20 };
	cleanup_free uint8_t *part = malloc(PART);
	int r = part ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < from->size && r == 0;) {
		uint64_t left = from->size - at;
		bool present;
		uint64_t n = region_run(from, at, left < PART ? left : PART, &present);

		if (present) {
			r = read_at(from->data->fd, part, (size_t)n, from->offset + at);
			if (r == 0)
				r = write_at(to->data->fd, part, (size_t)n, to->offset + at);
			region_set(to, at / REGION_BLOCK, (n + REGION_BLOCK - 1) / REGION_BLOCK);
		}
		at += n;
	}
	return r;
}

void content_move_draft(struct content *c, struct region *to)
{
	struct region *from;

	if (to && copy_region(c->draft, to) < 0)
		to = region_free(to);
	lock_for_edit(c);
	from = c->draft;
	c->draft = to;
	if (!to)
		c->draft_size = c->keep = 0;
	content_unlock(c);
	region_free(from);
}

int content_adopt(struct model *m, struct tensor *t, struct region *overlay,
		  const struct timespec *mtime)
{
	struct content *c = t->content;

	if (!c)
		c = t->content = content_new(m, t);
	if (!c)
		return -ENOMEM;
	region_free(c->overlay);
	c->overlay = overlay;
	c->mtime = *mtime;
	return 0;
}
