/* Opening, closing and looking at tensors; what a commit does with their edits. */
#include "codec/content/content_state.h"

#include "codec/content/base.h"
#include "codec/work/edits.h"
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
	if (--c->handles || c->overlay || c->draft)
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

static int check_editable(const struct model *m, const struct tensor *t, struct error *err)
{
	int r = model_check_editable(m, err);

	if (r < 0)
		return r;
	if (!m->edits)
		return error_set(err, -EROFS, "opened for reading only");
	if (t->damage)
		return error_set(err, -EIO, "%s", t->damage);
	return 0;
}

static int not_editable(const struct tensor *t, struct error *err)
{
	return error_set(err, -EPERM, "a tensor of dtype %s cannot be edited",
			 dtype_name(t->dtype).text);
}

int content_editable(const struct model *m, const struct tensor *t, struct error *err)
{
	int r = check_editable(m, t, err);

	return r < 0 || tensor_is_raw(t) ? r : not_editable(t, err);
}

int content_replaceable(const struct model *m, const struct tensor *t, struct error *err)
{
	int r = check_editable(m, t, err);

	return r < 0 || (t->dtype == DTYPE_STRING) ? r : not_editable(t, err);
}

static int look_at_base(struct content *c, struct error *err)
{
	bool decodes = base_decodes(c);
	int r;

	if (decodes)
		content_lock_for_edit(c);
	else
		content_lock(c);
	r = decodes ? base_decode(c, err) : base_check(c, err);
	content_unlock(c);
	return r;
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
	r = look_at_base(c, err);
	if (r < 0) {
		content_close(c, for_write, NULL);
		return r;
	}
	*ret = c;
	return 0;
}

int content_verify(struct content *c, struct error *err)
{
	struct tensor *t = c->tensor;
	bool needed;
	int r = 0;

	if (!c->model->verify || base_decodes(c))
		return 0;
	pthread_mutex_lock(&c->model->contents);
	needed = !t->verified;
	pthread_mutex_unlock(&c->model->contents);
	content_lock(c);
	needed = needed && (!c->overlay || c->overlay->present);
	if (needed)
		r = verify_tensor(c->model, t, err);
	content_unlock(c);
	if (!needed || r < 0)
		return r;
	pthread_mutex_lock(&c->model->contents);
	t->verified = true;
	pthread_mutex_unlock(&c->model->contents);
	return 0;
}

/* What a draft lacks. */
int content_incomplete(const struct content *c, struct error *err)
{
	const struct tensor *t = c->tensor;
	cleanup_buf struct buf shape = {0};

	if (c->draft_size == c->draft->size)
		return error_set(err, -EINVAL, "all bytes were written, but nobody closed it");
	shape_print(&t->shape, &shape);
	return error_set(err, -EINVAL, "%llu bytes were written, but %s %.*s takes %llu%s%s",
			 (unsigned long long)c->draft_size, dtype_name(t->dtype).text, (int)shape.n,
			 shape.p, (unsigned long long)c->draft->size,
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
	edits_drop(c->model, steal_pointer(c->draft));
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

static void let_go(struct content *c)
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
	let_go(c);
	return size;
}

unsigned content_holds(struct model *m, const struct tensor *t)
{
	struct content *c = peek(m, t);
	unsigned found;

	if (!c)
		return 0;
	found = (c->overlay ? CONTENT_OVERLAY : 0) | (c->draft ? CONTENT_DRAFT : 0);
	let_go(c);
	return found;
}

struct region *content_overlay(struct model *m, const struct tensor *t)
{
	struct region *found;

	pthread_mutex_lock(&m->contents);
	found = t->content ? t->content->overlay : NULL;
	pthread_mutex_unlock(&m->contents);
	return found;
}

bool content_draft_in(struct model *m, const struct tensor *t, const struct data_file *d,
		      struct extent *ret)
{
	struct content *c = peek(m, t);
	bool found;

	if (!c)
		return false;
	found = c->draft && c->draft->data == d;
	if (found)
		*ret = (struct extent){.offset = c->draft->offset, .size = c->draft->size};
	let_go(c);
	return found;
}

bool content_edited(struct model *m, const struct tensor *t)
{
	struct content *c = peek(m, t);
	bool edited;

	if (!c)
		return false;
	edited = c->overlay != NULL;
	let_go(c);
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
	let_go(c);
	return edited;
}

bool content_give_up(struct model *m, struct tensor *t, struct error *err)
{
	struct content *c = content_find(m, t);
	bool had;

	if (!c)
		return false;
	content_lock_for_edit(c);
	had = c->draft != NULL;
	if (had) {
		content_incomplete(c, err);
		drop_draft(c);
	}
	let_go(c);
	return had;
}

bool content_revert(struct model *m, struct tensor *t)
{
	struct content *c = content_find(m, t);
	bool had;

	if (!c)
		return false;
	content_lock_for_edit(c);
	had = c->draft || c->overlay;
	c->lost |= c->draft && content_writers(c) > 0;
	c->draft = region_free(c->draft);
	c->overlay = region_free(c->overlay);
	c->draft_size = c->keep = 0;
	c->mtime = (struct timespec){0};
	let_go(c);
	return had;
}

/* ---- for commit and recovery ---- */

bool content_rebase(struct content *c)
{
	c->overlay = region_free(c->overlay);
	close_pointer(&c->base_fd);
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

void content_move_draft(struct model *m, struct tensor *t, bool possible)
{
	struct content *c = content_find(m, t);
	struct region *from, *to = NULL;

	if (!c)
		return;
	content_lock_for_edit(c);
	from = c->draft;
	if (from && possible && edits_new_region(m, t, true, &to, NULL) == 0 &&
	    copy_region(from, to) < 0)
		to = region_free(to);
	if (from) {
		c->draft = to;
		c->lost = !to;
	}
	if (!to)
		c->draft_size = c->keep = 0;
	content_unlock(c);
	region_free(from);
	content_put(c);
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
	edits_touch(m);
	return 0;
}
