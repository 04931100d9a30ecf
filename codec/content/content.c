/* Opening, closing and looking at tensors; what a commit does with their edits. */
#include "codec/content/content_state.h"

#include "codec/content/base.h"
#include "codec/model/format.h"
#include "codec/work/edits.h"
#include "codec/work/ledger.h"
#include "codec/content/verify.h"

/* The layout may be read all the while: a commit does not move what is being looked at. */
void content_lock(struct content *c)
{
	pthread_rwlock_rdlock(&c->model->layout);
	pthread_rwlock_rdlock(&c->lock);
}

void content_lock_for_edit(struct content *c)
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

/* ---- opening and closing ---- */

static struct content *content_new(struct model *m, struct tensor *t)
{
	struct content *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->model = m;
	c->tensor = t;
	c->overlay = ledger_region(m, t->id);
	c->base_fd = -1;
	pthread_rwlock_init(&c->lock, NULL);
	return c;
}

void content_free(struct content *c)
{
	if (!c)
		return;
	close_pointer(&c->base_fd);
	buf_release(&c->decoded);
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
	if (--c->handles)
		return;
	c->tensor->content = NULL;
	content_free(c);
}

void content_free_all(struct model *m)
{
	for (tensor_id i = 0; i < m->n_ids; i++) {
		struct tensor *t = model_tensor(m, i);

		content_free(t->content);
		t->content = NULL;
	}
}

int content_editable(const struct model *m, const struct tensor *t, struct error *err)
{
	const struct change bytes = {.object = object_tensor(t->id), .how = CHANGE_BYTES};
	int r = model_check_editable(m, err);

	if (r < 0)
		return r;
	if (!m->edits)
		return error_set(err, -EROFS, "opened for reading only");
	return m->format->allows(m, &bytes, err);
}

/* The content is locked, for an edit where the base is decoded. */
static int look_at_base(struct content *c, bool for_write, struct error *err)
{
	int r = base_decodes(c) ? base_decode(c, err) : base_check(c, err);

	/* Nothing could be saved: a save does not go by checksums alone, where times last. */
	if (r == 0 && for_write && !c->model->by_content && base_is_doubted(c))
		r = error_set(err, -ESTALE, "%s: changed since the mount", c->model->place.path);
	return r;
}

static struct content *get_to_open(struct model *m, struct tensor *t, bool for_write)
{
	struct content *c;

	pthread_mutex_lock(&m->contents);
	c = get_locked(m, t);
	if (c && for_write)
		c->writers++;
	pthread_mutex_unlock(&m->contents);
	return c;
}

int content_open(struct model *m, struct tensor *t, bool for_write, struct content **ret,
		 struct error *err)
{
	int r = for_write ? content_editable(m, t, err) : 0;
	struct content *c;

	if (r == 0 && for_write && !tensor_is_raw(t))
		r = error_set(err, -EPERM, "strings are written as a whole");
	if (r < 0)
		return r;
	c = get_to_open(m, t, for_write);
	if (!c)
		return -ENOMEM;
	if (base_decodes(c))
		content_lock_for_edit(c);
	else
		content_lock(c);
	r = look_at_base(c, for_write, err);
	content_unlock(c);
	if (r < 0) {
		content_close(c, for_write, NULL);
		return r;
	}
	*ret = c;
	return 0;
}

int content_open_within(struct model *m, struct tensor *t, struct content **ret, struct error *err)
{
	struct content *c = get_to_open(m, t, false);
	int r;

	if (!c)
		return -ENOMEM;
	if (base_decodes(c))
		pthread_rwlock_wrlock(&c->lock);
	else
		pthread_rwlock_rdlock(&c->lock);
	r = look_at_base(c, false, err);
	pthread_rwlock_unlock(&c->lock);
	if (r < 0) {
		content_close(c, false, NULL);
		return r;
	}
	*ret = c;
	return 0;
}

static bool is_verified(struct content *c)
{
	bool verified;

	pthread_mutex_lock(&c->model->contents);
	verified = c->tensor->verified;
	pthread_mutex_unlock(&c->model->contents);
	return verified;
}

int content_verify(struct content *c, struct error *err)
{
	bool wanted = c->model->verify && !is_verified(c), doubted, needed;
	int r = 0;

	if (base_decodes(c))
		return 0;
	content_lock(c);
	doubted = base_is_doubted(c);
	needed = (wanted || doubted) && (!c->overlay || c->overlay->present);
	if (needed)
		r = verify_tensor(c->model, c->tensor, err);
	if (needed && r == 0)
		c->believed = true;
	content_unlock(c);
	if (doubted && r == -EIO)
		r = error_prefix(err, -ESTALE, "changed since the mount");
	if (!needed || r < 0)
		return r;
	pthread_mutex_lock(&c->model->contents);
	c->tensor->verified = true;
	pthread_mutex_unlock(&c->model->contents);
	return 0;
}

/* What a draft lacks. */
int content_incomplete(const struct content *c, struct error *err)
{
	const struct tensor *t = c->tensor;
	cleanup_buf struct buf shape = {0};

	if (c->draft_size == c->draft->region->size)
		return error_set(err, -EINVAL, "all bytes were written, but nobody closed it");
	shape_print(&t->shape, &shape);
	return error_set(err, -EINVAL, "%llu bytes were written, but %s %.*s takes %llu%s%s",
			 (unsigned long long)c->draft_size, dtype_name(t->dtype).text, (int)shape.n,
			 shape.p, (unsigned long long)c->draft->region->size,
			 c->draft_error ? ": a write failed: " : "",
			 c->draft_error ? strerror(-c->draft_error) : "");
}

unsigned content_writers(struct content *c)
{
	unsigned n;

	pthread_mutex_lock(&c->model->contents);
	n = c->writers;
	pthread_mutex_unlock(&c->model->contents);
	return n;
}

static void drop_draft(struct content *c)
{
	scratch_free(c->model, steal_pointer(c->draft));
	c->draft_size = c->keep = 0;
	c->lost = content_writers(c) > 0;
}

/* The lock is held for writing, and no handle for writing is left. */
static enum content_outcome after_last_writer(struct content *c, struct error *err)
{
	close_pointer(&c->base_fd);
	c->lost = false;
	if (!c->draft)
		return CONTENT_SAME;
	content_incomplete(c, err);
	drop_draft(c);
	return CONTENT_DROPPED;
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
		content_lock_for_edit(c);
		if (content_writers(c) == 0) /* none was opened meanwhile */
			outcome = after_last_writer(c, err);
		content_unlock(c);
	}
	content_put(c);
	return outcome;
}

/* ---- what is seen of a tensor, open or not ---- */

struct content *content_get(struct model *m, struct tensor *t)
{
	struct content *c;

	pthread_mutex_lock(&m->contents);
	c = get_locked(m, t);
	pthread_mutex_unlock(&m->contents);
	return c;
}

struct content *content_find(struct model *m, const struct tensor *t)
{
	struct content *c;

	pthread_mutex_lock(&m->contents);
	c = t->content;
	if (c)
		c->handles++;
	pthread_mutex_unlock(&m->contents);
	return c;
}

void content_put(struct content *c)
{
	struct model *m = c->model;

	pthread_mutex_lock(&m->contents);
	put_locked(c);
	pthread_mutex_unlock(&m->contents);
}

/* The content, if the tensor has one, for a look; to be let go. */
static struct content *peek(struct model *m, const struct tensor *t)
{
	struct content *c = content_find(m, t);

	if (c)
		content_lock(c);
	return c;
}

static void forget_if_idle(struct content *c)
{
	content_unlock(c);
	content_put(c);
}

uint64_t content_size(struct model *m, const struct tensor *t)
{
	struct content *c = peek(m, t);
	uint64_t size;

	if (!c)
		return tensor_size(t);
	size = content_seen(c);
	forget_if_idle(c);
	return size;
}

bool content_mtime(struct model *m, struct tensor *t, struct timespec *ret)
{
	bool edited = ledger_find(m, object_tensor(t->id), NULL);
	struct content *c = edited ? content_get(m, t) : content_find(m, t);
	const struct region *region;

	if (!c)
		return false;
	content_lock(c);
	region = c->draft ? c->draft->region : c->overlay;
	if (region)
		*ret = region->when;
	forget_if_idle(c);
	return region != NULL;
}

bool content_revert(struct model *m, struct tensor *t)
{
	struct content *c = content_get(m, t);
	bool had;

	if (!c) /* nobody has it open */
		return ledger_forget(m, object_tensor(t->id));
	content_lock_for_edit(c);
	had = c->draft || c->overlay;
	c->lost |= c->draft && content_writers(c) > 0;
	scratch_free(m, steal_pointer(c->draft));
	ledger_forget(m, object_tensor(t->id));
	c->overlay = NULL;
	c->draft_size = c->keep = 0;
	forget_if_idle(c);
	return had;
}

/* ---- for commit and recovery ---- */

void content_rebase(struct content *c)
{
	c->overlay = NULL;
	close_pointer(&c->base_fd);
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

void content_move_draft(struct model *m, struct tensor *t, bool possible)
{
	struct content *c = content_find(m, t);
	struct scratch *from, *to = NULL;

	if (!c)
		return;
	content_lock_for_edit(c);
	from = c->draft;
	if (from && possible &&
	    scratch_new_region(m, from->object, from->region->size, &to, NULL) == 0 &&
	    copy_region(from->region, to->region) < 0) {
		scratch_free(m, to);
		to = NULL;
	}
	if (to)
		to->region->when = from->region->when;
	if (from) {
		c->draft = to;
		c->lost = !to;
	}
	if (!to)
		c->draft_size = c->keep = 0;
	content_unlock(c);
	scratch_free(m, from);
	content_put(c);
}
