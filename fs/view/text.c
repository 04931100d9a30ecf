#include "fs/view/text.h"

#include <fcntl.h>

#include "codec/tensor/npy.h"
#include "fs/view/sizes.h"

static const uint64_t text_max = 1 << 30;

static struct showing showing_of(const struct text *t)
{
	return (struct showing){t->view, view_branch(t->view, &t->what), t->what.object};
}

static const struct kind *kind_of(const struct text *t)
{
	return kinds[t->what.kind];
}

/* ---- sharing ---- */

/* The view's lock is held. */
static struct text *find(struct view *v, node_id id)
{
	struct text *t = v->texts;

	while (t && t->node != id)
		t = t->next;
	return t;
}

static struct model *model_of(const struct text *t)
{
	return view_branch(t->view, &t->what)->model;
}

static void drop(struct text *t)
{
	if (t->draft)
		scratch_free(model_of(t), t->draft);
	t->draft = NULL;
}

static void text_free(struct text *t)
{
	if (t->tail)
		content_close(t->tail, false, NULL);
	drop(t);
	buf_release(&t->shown);
	pthread_rwlock_destroy(&t->lock);
	free(t);
}

static int open_tail(struct text *t, struct error *err)
{
	struct model *m = model_of(t);

	return content_open(m, model_tensor(m, t->what.object), false, &t->tail, err);
}

static struct text *text_new(struct view *v, node_id id, const struct node *n, bool anew,
			     struct error *err, int *ret_error)
{
	struct text *t = calloc(1, sizeof(*t));

	*ret_error = -ENOMEM;
	if (!t)
		return NULL;
	*t = (struct text){.view = v, .node = id, .what = *n};
	pthread_rwlock_init(&t->lock, NULL);
	*ret_error = view_render(v, n, &t->shown, err);
	if (*ret_error == -EIO && anew) {
		t->unreadable = *ret_error;
		*ret_error = 0;
		buf_reset(&t->shown);
	}
	if (*ret_error == 0 && kinds[n->kind]->tail)
		*ret_error = open_tail(t, err);
	if (*ret_error == 0)
		return t;
	text_free(t);
	return NULL;
}

/* Takes a reference to the text that others have open, if there is one. */
static struct text *join(struct view *v, node_id id, bool for_write)
{
	struct text *t;

	pthread_mutex_lock(&v->lock);
	t = find(v, id);
	if (t) {
		t->refs++;
		t->writers += for_write;
	}
	pthread_mutex_unlock(&v->lock);
	return t;
}

/*
 * Shows a new text to others; gives it up if somebody was faster. NULL: it may be old already, for
 * texts have changed since it was begun.
 */
static struct text *publish(struct view *v, struct text *t, bool for_write, size_t changes)
{
	struct text *shown;

	pthread_mutex_lock(&v->lock);
	shown = find(v, t->node);
	if (!shown && changes == v->changes) {
		t->next = v->texts;
		v->texts = shown = t;
	}
	if (shown) {
		shown->refs++;
		shown->writers += for_write;
	}
	pthread_mutex_unlock(&v->lock);
	if (shown != t)
		text_free(t);
	return shown;
}

static size_t changes_of(struct view *v)
{
	size_t changes;

	pthread_mutex_lock(&v->lock);
	changes = v->changes;
	pthread_mutex_unlock(&v->lock);
	return changes;
}

int text_open(struct view *v, node_id id, const struct node *n, bool for_write, bool anew,
	      struct text **ret, struct error *err)
{
	const struct kind *k = kinds[n->kind];
	struct showing s = {v, view_branch(v, n), n->object};
	struct text *t;
	int r = 0;

	if (for_write)
		r = k->editable ? k->editable(&s, err) : error_set(err, -EPERM, "cannot be edited");
	if (r < 0)
		return r;
	t = k->live ? NULL : join(v, id, for_write);
	while (!t) {
		size_t changes = changes_of(v);

		t = text_new(v, id, n, anew, err, &r);
		if (!t)
			return r;
		if (k->live)
			t->refs = 1;
		else
			t = publish(v, t, for_write, changes);
	}
	*ret = t;
	return 0;
}

static void unlink_from(struct view *v, struct text *t)
{
	struct text **at = &v->texts;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
}

static void put(struct text *t)
{
	struct view *v = t->view;
	bool last;

	pthread_mutex_lock(&v->lock);
	last = --t->refs == 0;
	if (last)
		unlink_from(v, t);
	pthread_mutex_unlock(&v->lock);
	if (last)
		text_free(t);
}

void text_hold(struct text *t)
{
	pthread_mutex_lock(&t->view->lock);
	t->refs++;
	pthread_mutex_unlock(&t->view->lock);
	pthread_rwlock_rdlock(&t->lock);
	if (t->tail)
		content_hold(t->tail);
}

void text_let_go(struct text *t)
{
	if (t->tail)
		content_let_go(t->tail);
	pthread_rwlock_unlock(&t->lock);
	put(t);
}

bool text_draft_size(struct view *v, node_id id, uint64_t *ret)
{
	struct text *t = join(v, id, false);
	bool has;

	if (!t)
		return false;
	pthread_rwlock_rdlock(&t->lock);
	has = t->draft;
	if (has)
		*ret = t->size;
	pthread_rwlock_unlock(&t->lock);
	put(t);
	return has;
}

/* ---- reading ---- */

/* The bytes of the whole, without a draft. */
static uint64_t whole_size(const struct text *t)
{
	return t->shown.n + (t->tail ? tensor_size(t->tail->tensor) : 0);
}

/* Bytes of the tail as they are accepted, whatever draft there is in the other view. */
static int read_tail(struct text *t, uint64_t offset, size_t size, uint8_t *buffer,
		     struct iovec *pieces, int max, struct error *err)
{
	int r = content_read(t->tail, offset, size, pieces, max);

	if (r != -E2BIG)
		return r;
	pieces[0] = (struct iovec){buffer, size};
	r = content_copy_locked(t->tail, offset, size, buffer, err);
	return r < 0 ? r : 1;
}

static int read_shown(struct text *t, uint64_t offset, size_t size, uint8_t *buffer,
		      struct iovec *pieces, int max, struct error *err)
{
	size_t head = offset < t->shown.n ? t->shown.n - (size_t)offset : 0;
	int n = 0, r;

	head = head < size ? head : size;
	if (head)
		pieces[n++] = (struct iovec){t->shown.p + offset, head};
	if (size == head)
		return n;
	r = read_tail(t, offset + head - t->shown.n, size - head, buffer, pieces + n, max - n, err);
	return r < 0 ? r : n + r;
}

int text_read(struct text *t, uint64_t offset, size_t size, uint8_t *buffer, struct iovec *pieces,
	      int max, struct error *err)
{
	uint64_t end = t->draft ? t->size : whole_size(t);
	int r;

	if (!t->draft && t->unreadable)
		return error_set(err, t->unreadable, "damaged, and not overwritten yet");
	if (offset >= end)
		return 0;
	if (size > end - offset)
		size = (size_t)(end - offset);
	if (!t->draft)
		return read_shown(t, offset, size, buffer, pieces, max, err);
	r = read_at(t->draft->fd, buffer, size, offset);
	pieces[0] = (struct iovec){buffer, size};
	return r < 0 ? r : 1;
}

/* ---- editing ---- */

/* Copies the first `keep` bytes of the tail behind the header. */
static int copy_tail(struct text *t, int fd, uint64_t keep, struct error *err)
{
	enum { PART = 1 << 20 };
	cleanup_free uint8_t *part = malloc(PART);
	int r = part ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < keep && r == 0;) {
		size_t n = keep - at < PART ? (size_t)(keep - at) : PART;

		r = content_copy(t->tail, at, n, part, err);
		if (r < 0)
			break;
		r = write_at(fd, part, n, t->shown.n + at);
		if (r < 0)
			error_set(err, r, "work folder: %s", strerror(-r));
		at += n;
	}
	return r;
}

/* Begins a draft, with the first `keep` bytes of what is shown. The lock is held for writing. */
static int begin(struct text *t, uint64_t keep, struct error *err)
{
	struct model *m = model_of(t);
	uint64_t head, whole = whole_size(t);
	struct scratch *draft;
	int r;

	if (t->draft)
		return 0;
	r = scratch_new(m, model_tensor(m, t->what.object), &draft, err);
	if (r < 0)
		return r;
	keep = keep < whole ? keep : whole;
	head = keep < t->shown.n ? keep : t->shown.n;
	r = write_at(draft->fd, t->shown.p, (size_t)head, 0);
	if (r < 0)
		error_set(err, r, "work folder: %s", strerror(-r));
	else if (keep > head)
		r = copy_tail(t, draft->fd, keep - head, err);
	if (r < 0) {
		scratch_free(m, draft);
		return r;
	}
	t->draft = draft;
	t->size = keep;
	t->written = false;
	t->failed = 0;
	return 0;
}

static uint64_t size_max(const struct text *t)
{
	/* A file that somebody else made may have a longer header. */
	return t->tail ? tensor_size(t->tail->tensor) + NPY_HEADER_MAX : text_max;
}

static int write_draft(struct text *t, const void *bytes, size_t n, uint64_t offset,
		       struct error *err)
{
	int r;

	if (offset >= size_max(t) || n > size_max(t) - offset)
		return error_set(err, -EFBIG, "%llu bytes are all that there is room for",
				 (unsigned long long)size_max(t));
	r = begin(t, UINT64_MAX, err);
	if (r < 0)
		return r;
	r = write_at(t->draft->fd, bytes, n, offset);
	if (r < 0)
		t->failed = r;
	if (r < 0)
		return error_set(err, r, "work folder: %s", strerror(-r));
	t->written = true;
	if (t->size < offset + n)
		t->size = offset + n;
	return 0;
}

/* In place: what is header must stay as it is, the rest goes to the tensor. */
static ssize_t write_tail(struct text *t, const uint8_t *bytes, size_t n, uint64_t offset,
			  struct error *err)
{
	size_t head = offset < t->shown.n ? t->shown.n - (size_t)offset : 0;
	ssize_t put = 0;

	head = head < n ? head : n;
	if (head && memcmp(t->shown.p + offset, bytes, head) != 0)
		return error_set(err, -EINVAL,
				 "the header of an .npy cannot be changed in place; write the file "
				 "anew");
	if (n > head)
		put = content_write(t->tail, bytes + head, n - head, offset + head - t->shown.n,
				    err);
	return put < 0 ? put : (ssize_t)head + put;
}

ssize_t text_write(struct text *t, const void *bytes, size_t n, uint64_t offset, struct error *err)
{
	ssize_t r;

	pthread_rwlock_wrlock(&t->lock);
	if (t->tail && !t->draft) {
		r = write_tail(t, bytes, n, offset, err);
	} else {
		r = write_draft(t, bytes, n, offset, err);
		if (r == 0)
			r = (ssize_t)n;
	}
	pthread_rwlock_unlock(&t->lock);
	return r;
}

static int truncate_locked(struct text *t, uint64_t size, struct error *err)
{
	int r;

	if (size > size_max(t))
		return error_set(err, -EFBIG, "%llu bytes are all that there is room for",
				 (unsigned long long)size_max(t));
	if (!t->draft && !t->unreadable && size == whole_size(t))
		return 0;
	r = begin(t, size, err);
	if (r < 0)
		return r;
	if (ftruncate(t->draft->fd, (off_t)size) < 0)
		return error_errno(err, "work folder");
	t->size = size;
	t->written |= size > 0;
	t->failed = 0;
	return 0;
}

int text_truncate(struct text *t, uint64_t size, struct error *err)
{
	int r;

	pthread_rwlock_wrlock(&t->lock);
	r = truncate_locked(t, size, err);
	pthread_rwlock_unlock(&t->lock);
	return r;
}

static int accept_text(struct text *t, const struct showing *s, struct error *err)
{
	cleanup_buf struct buf text = {0};
	uint8_t *p = buf_extend(&text, (size_t)t->size);
	int r = p ? read_at(t->draft->fd, p, text.n, 0) : -ENOMEM;

	return r < 0 ? r : kind_of(t)->accept(s, buf_span(&text), err);
}

/* The draft becomes the text, as its kind renders it. The lock is held for writing. */
static int accept_draft(struct text *t, struct error *err)
{
	struct showing s = showing_of(t);
	cleanup_buf struct buf fresh = {0};
	int r = t->tail ? kind_of(t)->accept_file(&s, t->draft->fd, t->size, err)
			: accept_text(t, &s, err);

	if (r == 0)
		r = view_render(t->view, &t->what, &fresh, err);
	if (r < 0)
		return r;
	buf_release(&t->shown);
	t->shown = fresh;
	fresh = (struct buf){0};
	t->unreadable = 0;
	drop(t);
	view_forget_size(t->view, t->node);
	return CONTENT_ACCEPTED;
}

int text_flush(struct text *t, struct error *err)
{
	int r = CONTENT_SAME;

	pthread_rwlock_wrlock(&t->lock);
	if (t->draft && t->written)
		r = accept_draft(t, err);
	pthread_rwlock_unlock(&t->lock);
	return r;
}

static enum content_outcome after_last_writer(struct text *t, struct error *err)
{
	enum content_outcome outcome = CONTENT_SAME;

	pthread_rwlock_wrlock(&t->lock);
	if (t->draft)
		outcome = accept_draft(t, err) == CONTENT_ACCEPTED ? CONTENT_ACCEPTED
								   : CONTENT_DROPPED;
	if (outcome == CONTENT_DROPPED && t->failed)
		error_add(err, t->failed, ": a write failed: %s", strerror(-t->failed));
	if (outcome == CONTENT_DROPPED)
		drop(t);
	pthread_rwlock_unlock(&t->lock);
	return outcome;
}

enum content_outcome text_close(struct text *t, bool for_write, struct error *err)
{
	enum content_outcome outcome = CONTENT_SAME;
	bool last = false;

	if (for_write) {
		pthread_mutex_lock(&t->view->lock);
		last = --t->writers == 0;
		pthread_mutex_unlock(&t->view->lock);
	}
	if (last)
		outcome = after_last_writer(t, err);
	put(t);
	return outcome;
}
