/* Changing the bytes of a tensor: in place, or by a draft. */
#include "codec/content/content_state.h"

#include <time.h>

#include "codec/work/data_file.h"
#include "codec/work/edits.h"

static void touch(struct content *c)
{
	struct region *edited = c->draft ? c->draft->region : c->overlay;

	if (edited)
		clock_gettime(CLOCK_REALTIME, &edited->when);
	edits_touch(c->model);
}

static uint64_t block_end(const struct region *r, uint64_t block)
{
	uint64_t end = (block + 1) * REGION_BLOCK;

	return end < r->size ? end : r->size;
}

int content_fill_block(struct content *c, struct region *to, uint64_t block, struct error *err)
{
	uint64_t start = block * REGION_BLOCK, n = block_end(to, block) - start;
	uint8_t bytes[REGION_BLOCK];
	int r = content_copy_below(c, to, start, (size_t)n, bytes, err);

	if (r < 0)
		return r;
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
		r = content_fill_block(c, to, first, err);
	if (r == 0 && at + n < block_end(to, last) && !region_has(to, last) &&
	    !(first == last && at % REGION_BLOCK))
		r = content_fill_block(c, to, last, err);
	return r;
}

static bool all_present(const struct region *r, uint64_t at, uint64_t n)
{
	bool present;

	return region_run(r, at, n, &present) == n && present;
}

/*
 * What was opened for writing need not be writable any more: a commit may have stopped half way, or
 * found no room for a draft.
 */
static int check_writable(const struct content *c, struct error *err)
{
	if (c->lost && !c->model->read_only)
		return error_set(err, -EIO, "what was written of it before was dropped meanwhile");
	return model_check_editable(c->model, err);
}

static int write_region(struct content *c, struct region *to, const void *bytes, size_t n,
			uint64_t at, struct error *err)
{
	uint64_t first = at / REGION_BLOCK, count = (at + n - 1) / REGION_BLOCK + 1 - first;
	int r = fill_edges(c, to, at, n, err);

	if (r < 0)
		return r;
	r = write_at(to->data->fd, bytes, n, to->offset + at);
	if (r < 0)
		return error_set(err, r, "work folder: %s", strerror(-r));
	if (!all_present(to, at, n)) {
		if (c->draft && to == c->draft->region)
			region_set(to, first, count); /* it dies with us: nothing to journal */
		else
			r = edits_add_blocks(c->model, to, first, count, err);
	}
	return r;
}

/*
 * The first write to a tensor. If it is refused nothing of it stays; and of a model that was
 * replaced not even a work folder, which the next mount would take for that of another model.
 */
static int write_first(struct content *c, const void *bytes, size_t n, uint64_t at,
		       struct error *err)
{
	const struct change edit = {.object = object_tensor(c->tensor->id), .how = CHANGE_BYTES};
	uint8_t byte;
	int r = content_accepted(c, at, 1, &byte, err);

	if (r == 0)
		r = ledger_apply(c->model, &edit, err);
	if (r < 0)
		return r;
	c->overlay = ledger_region(c->model, c->tensor->id);
	r = write_region(c, c->overlay, bytes, n, at, err);
	if (r < 0) {
		c->overlay = NULL;
		ledger_forget(c->model, edit.object);
	}
	return r;
}

static int write_locked(struct content *c, const void *bytes, size_t n, uint64_t at,
			struct error *err)
{
	struct region *to = c->draft ? c->draft->region : c->overlay;
	int r = check_writable(c, err);

	if (r < 0)
		return r;
	if (!to)
		return write_first(c, bytes, n, at, err);
	r = write_region(c, to, bytes, n, at, err);
	if (r < 0 && c->draft)
		c->draft_error = r;
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
	content_lock_for_edit(c);
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
	struct region *draft = c->draft->region;
	int r = data_file_zero(draft->data, draft->offset + size, draft->size - size);

	if (r < 0)
		return error_set(err, r, "work folder: %s", strerror(-r));
	/* A block that is cut in the middle stays, if it is there; those behind it go. */
	region_clear_from(draft, next);
	if (c->keep > size)
		c->keep = size;
	return 0;
}

static int truncate_locked(struct content *c, uint64_t size, struct error *err)
{
	uint64_t whole = tensor_size(c->tensor);
	int r;

	if (!size)
		c->lost = false;
	r = check_writable(c, err);
	if (r < 0 || (!c->draft && size == whole))
		return r;
	if (!c->draft) {
		r = scratch_new_region(c->model, object_tensor(c->tensor->id), whole, &c->draft,
				       err);
		c->draft_error = 0;
		c->keep = size;
	} else if (size < c->draft_size) {
		r = cut_draft(c, size, err);
		c->draft_error = 0;
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
	content_lock_for_edit(c);
	r = truncate_locked(c, size, err);
	content_unlock(c);
	return r;
}

/* Blocks of the draft that still show the content below it are written down. */
static int fill_kept(struct content *c, struct error *err)
{
	uint64_t blocks = c->keep / REGION_BLOCK + (c->keep % REGION_BLOCK != 0);
	int r = 0;

	for (uint64_t b = 0; b < blocks && r == 0; b++)
		if (!region_has(c->draft->region, b))
			r = content_fill_block(c, c->draft->region, b, err);
	return r;
}

static int accept_draft(struct content *c, struct error *err)
{
	int r = fill_kept(c, err);

	if (r < 0)
		return r;
	region_set_all(c->draft->region);
	r = scratch_accept(c->model, c->draft, err);
	if (r < 0)
		return r;
	c->draft = NULL;
	c->overlay = ledger_region(c->model, c->tensor->id);
	c->draft_size = c->keep = 0;
	return CONTENT_ACCEPTED;
}

int content_flush(struct content *c, struct error *err)
{
	int r = CONTENT_SAME;

	content_lock_for_edit(c);
	if (c->draft || c->lost)
		r = check_writable(c, err);
	if (r == 0 && c->draft)
		r = c->draft_size < c->draft->region->size ? content_incomplete(c, err)
							   : accept_draft(c, err);
	content_unlock(c);
	return r;
}

/* ---- as a whole ---- */

int content_take_region(struct content *c, struct scratch *fresh, struct error *err)
{
	int r = scratch_accept(c->model, fresh, err);

	if (r < 0)
		return r;
	c->overlay = ledger_region(c->model, c->tensor->id);
	clock_gettime(CLOCK_REALTIME, &c->overlay->when);
	return 0;
}

/* All bytes of a tensor anew: fill() gives them, as content_overwrite() says. */
struct whole {
	int (*fill)(void *context, uint8_t *to, size_t n, uint64_t at);
	void *context;
	uint64_t size; /* of all */
};

static int fill_region(struct region *to, const struct whole *w)
{
	enum { PART = 1 << 20 }; /* a multiple of any element's size */
	cleanup_free uint8_t *part = malloc(PART);
	int r = part ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < to->size && r == 0;) {
		size_t n = to->size - at < PART ? (size_t)(to->size - at) : PART;

		r = w->fill(w->context, part, n, at);
		if (r == 0)
			r = write_at(to->data->fd, part, n, to->offset + at);
		at += n;
	}
	return r;
}

static int edit_whole_locked(struct content *c, const struct whole *w, struct error *err)
{
	struct scratch *fresh;
	int r = scratch_new_region(c->model, object_tensor(c->tensor->id), w->size, &fresh, err);

	if (r < 0)
		return r;
	r = fill_region(fresh->region, w);
	if (r < 0)
		error_set(err, r, "work folder: %s", strerror(-r));
	region_set_all(fresh->region);
	if (r == 0)
		r = content_take_region(c, fresh, err);
	if (r < 0)
		scratch_free(c->model, fresh);
	return r;
}

static int edit_whole(struct model *m, struct tensor *t, const struct whole *w, struct error *err)
{
	struct content *c = content_get(m, t);
	int r;

	if (!c)
		return -ENOMEM;
	content_lock_for_edit(c);
	r = edit_whole_locked(c, w, err);
	content_unlock(c);
	content_put(c);
	return r;
}

static int copy_stored(void *stored, uint8_t *to, size_t n, uint64_t at)
{
	memcpy(to, ((const struct span *)stored)->p + at, n);
	return 0;
}

int content_replace(struct model *m, struct tensor *t, struct span stored, struct error *err)
{
	const struct whole w = {copy_stored, &stored, stored.n};
	int r = content_editable(m, t, err);

	return r < 0 ? r : edit_whole(m, t, &w, err);
}

int content_overwrite(struct model *m, struct tensor *t,
		      int (*fill)(void *context, uint8_t *to, size_t n, uint64_t at), void *context,
		      struct error *err)
{
	const struct whole w = {fill, context, tensor_size(t)};
	int r = content_editable(m, t, err);

	return r < 0 ? r : edit_whole(m, t, &w, err);
}

static int read_region(const struct region *region, struct buf *ret, struct error *err)
{
	uint8_t *p = buf_extend(ret, (size_t)region->size);
	int r = p ? read_at(region->data->fd, p, (size_t)region->size, region->offset) : -ENOMEM;

	return r < 0 ? error_set(err, r, "work folder: %s", strerror(-r)) : 1;
}

int content_replacement(struct model *m, const struct tensor *t, struct buf *ret, struct error *err)
{
	bool edited = ledger_find(m, object_tensor(t->id), NULL);
	struct content *c = edited ? content_get(m, model_tensor(m, t->id)) : NULL;
	int r;

	if (!c)
		return edited ? -ENOMEM : 0;
	pthread_rwlock_rdlock(&c->lock);
	r = c->overlay ? read_region(c->overlay, ret, err) : 0;
	pthread_rwlock_unlock(&c->lock);
	content_put(c);
	return r;
}
