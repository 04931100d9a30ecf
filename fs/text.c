#include "fs/text.h"

#include <fcntl.h>

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

static void text_free(struct text *t)
{
	close_pointer(&t->draft);
	buf_release(&t->shown);
	pthread_rwlock_destroy(&t->lock);
	free(t);
}

static struct text *text_new(struct view *v, node_id id, const struct node *n, struct error *err,
			     int *ret_error)
{
	struct text *t = calloc(1, sizeof(*t));

	*ret_error = -ENOMEM;
	if (!t)
		return NULL;
	*t = (struct text){.view = v, .node = id, .what = *n, .draft = -1};
	pthread_rwlock_init(&t->lock, NULL);
	*ret_error = view_render(v, n, &t->shown, err);
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

/* Shows a new text to others; gives it up if somebody was faster. */
static struct text *publish(struct view *v, struct text *t, bool for_write)
{
	struct text *other;

	pthread_mutex_lock(&v->lock);
	other = find(v, t->node);
	if (!other) {
		t->next = v->texts;
		v->texts = t;
	}
	(other ? other : t)->refs++;
	(other ? other : t)->writers += for_write;
	pthread_mutex_unlock(&v->lock);
	if (other)
		text_free(t);
	return other ? other : t;
}

int text_open(struct view *v, node_id id, const struct node *n, bool for_write, struct text **ret,
	      struct error *err)
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
	if (!t) {
		t = text_new(v, id, n, err, &r);
		if (!t)
			return r;
		if (k->live)
			t->refs = 1;
		else
			t = publish(v, t, for_write);
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
}

void text_let_go(struct text *t)
{
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
	has = t->draft >= 0;
	if (has)
		*ret = t->size;
	text_let_go(t);
	return has;
}

/* ---- reading ---- */

ssize_t text_read(struct text *t, uint64_t offset, size_t size, uint8_t *buffer,
		  const uint8_t **ret)
{
	uint64_t end = t->draft >= 0 ? t->size : t->shown.n;
	int r = 0;

	if (offset >= end)
		return 0;
	if (size > end - offset)
		size = (size_t)(end - offset);
	if (t->draft >= 0) {
		r = read_at(t->draft, buffer, size, offset);
		*ret = buffer;
	} else {
		*ret = t->shown.p + offset;
	}
	return r < 0 ? r : (ssize_t)size;
}

/* ---- editing ---- */

/* Begins a draft, with the first `keep` bytes of what is shown. The lock is held for writing. */
static int begin(struct text *t, uint64_t keep, struct error *err)
{
	int fd, r;

	if (t->draft >= 0)
		return 0;
	fd = edits_scratch(view_branch(t->view, &t->what)->model, err);
	if (fd < 0)
		return fd;
	keep = keep < t->shown.n ? keep : t->shown.n;
	r = write_at(fd, t->shown.p, (size_t)keep, 0);
	if (r < 0) {
		close(fd);
		return error_set(err, r, "work folder: %s", strerror(-r));
	}
	t->draft = fd;
	t->size = keep;
	t->written = false;
	return 0;
}

ssize_t text_write(struct text *t, const void *bytes, size_t n, uint64_t offset, struct error *err)
{
	int r;

	if (offset >= text_max || n > text_max - offset)
		return error_set(err, -EFBIG, "a text of over 1 GiB");
	pthread_rwlock_wrlock(&t->lock);
	r = begin(t, UINT64_MAX, err);
	if (r == 0) {
		r = write_at(t->draft, bytes, n, offset);
		if (r < 0)
			error_set(err, r, "work folder: %s", strerror(-r));
	}
	if (r == 0) {
		t->written = true;
		if (t->size < offset + n)
			t->size = offset + n;
	}
	pthread_rwlock_unlock(&t->lock);
	return r < 0 ? r : (ssize_t)n;
}

int text_truncate(struct text *t, uint64_t size, struct error *err)
{
	int r;

	if (size > text_max)
		return error_set(err, -EFBIG, "a text of over 1 GiB");
	pthread_rwlock_wrlock(&t->lock);
	r = begin(t, size, err);
	if (r == 0 && ftruncate(t->draft, (off_t)size) < 0)
		r = error_errno(err, "work folder");
	if (r == 0) {
		t->size = size;
		t->written |= size > 0;
	}
	pthread_rwlock_unlock(&t->lock);
	return r;
}

static void drop(struct text *t)
{
	close_pointer(&t->draft);
	t->draft = -1;
}

/* The draft becomes the text, as its kind renders it. The lock is held for writing. */
static int accept_draft(struct text *t, struct error *err)
{
	struct showing s = showing_of(t);
	cleanup_buf struct buf text = {0}, fresh = {0};
	uint8_t *p = buf_extend(&text, (size_t)t->size);
	int r = p ? read_at(t->draft, p, text.n, 0) : -ENOMEM;

	if (r == 0)
		r = kind_of(t)->accept(&s, buf_span(&text), err);
	if (r == 0)
		r = view_render(t->view, &t->what, &fresh, err);
	if (r < 0)
		return r;
	buf_release(&t->shown);
	t->shown = fresh;
	fresh = (struct buf){0};
	drop(t);
	view_forget_size(t->view, t->node);
	return CONTENT_ACCEPTED;
}

int text_flush(struct text *t, struct error *err)
{
	int r = CONTENT_SAME;

	pthread_rwlock_wrlock(&t->lock);
	if (t->draft >= 0 && t->written)
		r = accept_draft(t, err);
	pthread_rwlock_unlock(&t->lock);
	return r;
}

static enum content_outcome after_last_writer(struct text *t, struct error *err)
{
	enum content_outcome outcome = CONTENT_SAME;

	pthread_rwlock_wrlock(&t->lock);
	if (t->draft >= 0)
		outcome = accept_draft(t, err) == CONTENT_ACCEPTED ? CONTENT_ACCEPTED
								   : CONTENT_DROPPED;
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
