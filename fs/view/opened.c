#include "fs/view/opened.h"

#include "codec/content/content.h"
#include "codec/model/object.h"
#include "fs/view/draft.h"
#include "fs/view/pieces.h"

static const uint64_t text_max = 1 << 30;

struct opened {
	LIST_ENTRY(opened) in_view;
	struct view *view;
	node_id node;
	struct node what; /* a copy of the node */
	unsigned refs;	  /* under the view's lock */
	pthread_rwlock_t lock;
	unsigned writers;
	struct pieces pieces;	 /* what was accepted last */
	struct content *content; /* opened for writing, where it is all that there is; or NULL */
	int unreadable;		 /* below 0: there are no pieces until a draft is accepted */
	struct draft_file draft;
};

static struct showing showing_of(const struct opened *o)
{
	return (struct showing){o->view, view_branch(o->view, &o->what), o->what.object};
}

static const struct kind *kind_of(const struct opened *o)
{
	return kinds[o->what.kind];
}

static struct model *model_of(const struct opened *o)
{
	return view_branch(o->view, &o->what)->model;
}

/* What is edited when the file is. */
static struct object object_of(const struct opened *o)
{
	bool document = kind_of(o)->of == THING_DOCUMENT;

	return (struct object){document ? OBJECT_DOCUMENT : OBJECT_TENSOR, o->what.object};
}

int opened_editable(const struct view *v, const struct node *n, struct error *err)
{
	const struct tensor *t = view_tensor(v, n);
	const struct model *m;

	if (!kinds[n->kind]->accept)
		return error_set(err, -EPERM, "cannot be edited");
	m = view_branch(v, n)->model;
	return t ? content_editable(m, t, err) : model_check_editable(m, err);
}

/* ---- sharing ---- */

static struct opened_list *list_of(struct view *v, node_id id)
{
	return &v->opened[id % ARRAY_SIZE(v->opened)];
}

/* The one that others have open, or NULL. The view's lock is held. */
static struct opened *find(struct view *v, node_id id)
{
	struct opened *o;

	LIST_FOREACH(o, list_of(v, id), in_view)
		if (o->node == id)
			return o;
	return NULL;
}

static void opened_free(struct opened *o)
{
	if (o->draft.scratch)
		draft_drop(&o->draft, model_of(o));
	pieces_release(&o->pieces);
	pthread_rwlock_destroy(&o->lock);
	free(o);
}

/* What cannot be made may be written anew; not what cannot be found. */
static int compose(struct opened *o, bool anew, struct error *err)
{
	int r = view_compose(o->view, &o->what, &o->pieces, err);

	if (r != -EIO || !anew || o->pieces.lacks)
		return r;
	pieces_release(&o->pieces);
	o->unreadable = r;
	return 0;
}

static struct opened *opened_new(struct view *v, node_id id, const struct node *n, bool anew,
				 int *ret_error, struct error *err)
{
	struct opened *o = calloc(1, sizeof(*o));

	*ret_error = -ENOMEM;
	if (!o)
		return NULL;
	*o = (struct opened){.view = v, .node = id, .what = *n, .refs = 1};
	pthread_rwlock_init(&o->lock, NULL);
	*ret_error = compose(o, anew, err);
	if (*ret_error == 0)
		return o;
	opened_free(o);
	return NULL;
}

/* Takes a reference to the one that others have open, if there is one. */
static struct opened *join(struct view *v, node_id id, size_t *ret_changes)
{
	struct opened *o;

	pthread_mutex_lock(&v->lock);
	o = find(v, id);
	if (o)
		o->refs++;
	*ret_changes = v->changes;
	pthread_mutex_unlock(&v->lock);
	return o;
}

/*
 * Shows a new one to others; gives it up if somebody was faster. NULL: it may be old already, for
 * texts have changed since it was begun.
 */
static struct opened *publish(struct view *v, struct opened *o, size_t changes)
{
	struct opened *shown;

	pthread_mutex_lock(&v->lock);
	shown = find(v, o->node);
	if (shown)
		shown->refs++;
	if (!shown && changes == v->changes) {
		LIST_INSERT_HEAD(list_of(v, o->node), o, in_view);
		shown = o;
	}
	pthread_mutex_unlock(&v->lock);
	if (shown != o)
		opened_free(o);
	return shown;
}

static void put(struct opened *o)
{
	struct view *v = o->view;
	bool last;

	pthread_mutex_lock(&v->lock);
	last = --o->refs == 0;
	if (last && !kind_of(o)->live)
		LIST_REMOVE(o, in_view);
	pthread_mutex_unlock(&v->lock);
	if (last)
		opened_free(o);
}

static struct opened *get(struct view *v, node_id id, const struct node *n, bool anew,
			  int *ret_error, struct error *err)
{
	bool live = kinds[n->kind]->live;
	struct opened *o;
	size_t changes = 0;

	for (;;) {
		o = live ? NULL : join(v, id, &changes);
		if (o)
			return o;
		o = opened_new(v, id, n, anew, ret_error, err);
		if (o && !live)
			o = publish(v, o, changes);
		if (o || *ret_error < 0)
			return o;
	}
}

static int add_writer(struct opened *o, struct error *err)
{
	struct content *whole;
	int r = 0;

	pthread_rwlock_wrlock(&o->lock);
	whole = pieces_whole_content(&o->pieces);
	if (whole && !o->writers)
		r = content_open(whole->model, whole->tensor, true, &o->content, err);
	o->writers += r == 0;
	pthread_rwlock_unlock(&o->lock);
	return r;
}

int opened_open(struct view *v, node_id id, const struct node *n, bool for_write, bool anew,
		struct opened **ret, struct error *err)
{
	int r = for_write ? opened_editable(v, n, err) : 0;
	struct opened *o;

	if (r < 0)
		return r;
	o = get(v, id, n, anew, &r, err);
	if (!o)
		return r;
	r = for_write ? add_writer(o, err) : 0;
	if (r < 0)
		put(o);
	else
		*ret = o;
	return r;
}

int opened_verify(struct opened *o, struct error *err)
{
	int r;

	pthread_rwlock_rdlock(&o->lock);
	r = pieces_verify(&o->pieces, err);
	pthread_rwlock_unlock(&o->lock);
	return r;
}

/* ---- reading ---- */

void opened_hold(struct opened *o, uint64_t offset, size_t n)
{
	pthread_mutex_lock(&o->view->lock);
	o->refs++;
	pthread_mutex_unlock(&o->view->lock);
	pthread_rwlock_rdlock(&o->lock);
	pieces_hold(&o->pieces, offset, n);
}

void opened_unhold(struct opened *o, uint64_t offset, size_t n)
{
	pieces_unhold(&o->pieces, offset, n);
	pthread_rwlock_unlock(&o->lock);
	put(o);
}

static uint64_t seen(const struct opened *o)
{
	return o->draft.scratch ? o->draft.size : pieces_seen(&o->pieces);
}

/* Of n bytes at offset, how many there are. */
static int count_seen(const struct opened *o, uint64_t offset, size_t *n, struct error *err)
{
	uint64_t end = seen(o);

	if (!o->draft.scratch && o->unreadable)
		return error_set(err, o->unreadable, "damaged, and not overwritten yet");
	if (offset >= end)
		*n = 0;
	else if (*n > end - offset)
		*n = (size_t)(end - offset);
	return 0;
}

int opened_read(struct opened *o, uint64_t offset, size_t n, uint8_t *buffer, struct iovec *iov,
		int max, struct error *err)
{
	int r = count_seen(o, offset, &n, err);

	if (r < 0 || !n)
		return r;
	if (!o->draft.scratch)
		return pieces_read(&o->pieces, offset, n, buffer, iov, max, err);
	r = draft_copy(&o->draft, offset, n, buffer, err);
	*iov = (struct iovec){buffer, n};
	return r < 0 ? r : 1;
}

ssize_t opened_copy(struct opened *o, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	size_t held = n;
	int r;

	opened_hold(o, offset, held);
	r = count_seen(o, offset, &n, err);
	if (r == 0)
		r = o->draft.scratch ? draft_copy(&o->draft, offset, n, to, err)
				     : pieces_copy(&o->pieces, offset, n, to, err);
	opened_unhold(o, offset, held);
	return r < 0 ? r : (ssize_t)n;
}

bool opened_draft_size(struct view *v, node_id id, uint64_t *ret)
{
	size_t changes;
	struct opened *o = join(v, id, &changes);
	bool has;

	if (!o)
		return false;
	pthread_rwlock_rdlock(&o->lock);
	has = o->draft.scratch;
	if (has)
		*ret = o->draft.size;
	pthread_rwlock_unlock(&o->lock);
	put(o);
	return has;
}

/* ---- editing ---- */

int opened_reserve(const struct opened *o, uint64_t size, struct error *err)
{
	struct showing s = showing_of(o);
	uint64_t room = kind_of(o)->room ? kind_of(o)->room(&s) : text_max;

	if (size <= room)
		return 0;
	return error_set(err, -EFBIG, "%llu bytes are all that there is room for",
			 (unsigned long long)room);
}

/* Begins one, if there is none, with the first `keep` bytes of what is shown. */
static int opened_begin_draft(struct opened *o, uint64_t keep, struct error *err)
{
	return o->draft.scratch
		       ? 0
		       : draft_begin(&o->draft, model_of(o), object_of(o), &o->pieces, keep, err);
}

/* The lock is held for writing. */
static ssize_t write_draft(struct opened *o, const void *bytes, size_t n, uint64_t offset,
			   struct error *err)
{
	uint64_t end;
	int r = add_overflows(offset, n, &end) ? -EFBIG : opened_reserve(o, end, err);

	if (r == 0)
		r = opened_begin_draft(o, UINT64_MAX, err);
	if (r == 0)
		r = draft_write(&o->draft, bytes, n, offset, err);
	return r < 0 ? r : (ssize_t)n;
}

ssize_t opened_write(struct opened *o, const void *bytes, size_t n, uint64_t offset,
		     struct error *err)
{
	bool in_place;
	ssize_t r = 0;

	pthread_rwlock_rdlock(&o->lock);
	in_place = !o->draft.scratch && pieces_in_place(&o->pieces);
	if (in_place)
		r = pieces_write(&o->pieces, bytes, n, offset, err);
	pthread_rwlock_unlock(&o->lock);
	if (in_place)
		return r;
	pthread_rwlock_wrlock(&o->lock);
	r = write_draft(o, bytes, n, offset, err);
	pthread_rwlock_unlock(&o->lock);
	return r;
}

/* The lock is held for writing. */
static int truncate_draft(struct opened *o, uint64_t size, struct error *err)
{
	int r = opened_reserve(o, size, err);

	if (r < 0 || (!o->draft.scratch && !o->unreadable && size == o->pieces.size))
		return r;
	r = opened_begin_draft(o, size, err);
	return r < 0 ? r : draft_truncate(&o->draft, size, err);
}

static int truncate_locked(struct opened *o, uint64_t size, struct error *err)
{
	return o->content ? content_truncate(o->content, size, err) : truncate_draft(o, size, err);
}

int opened_truncate(struct opened *o, uint64_t size, struct error *err)
{
	int r;

	pthread_rwlock_wrlock(&o->lock);
	r = truncate_locked(o, size, err);
	pthread_rwlock_unlock(&o->lock);
	return r;
}

int opened_truncate_alone(struct opened *o, uint64_t size, struct error *err)
{
	int r;

	pthread_rwlock_wrlock(&o->lock);
	r = opened_reserve(o, size, err);
	if (r == 0 && o->writers > 1)
		r = truncate_locked(o, size, err);
	else if (r == 0 && size != o->pieces.size)
		r = error_set(err, -EINVAL,
			      "the file has %llu bytes, and cannot be cut or extended without "
			      "being opened",
			      (unsigned long long)o->pieces.size);
	pthread_rwlock_unlock(&o->lock);
	return r;
}

/* Composes it anew. The lock is held for writing. */
static int compose_again(struct opened *o, struct error *err)
{
	cleanup_pieces struct pieces before = {0};
	struct pieces fresh = {0};
	int r = view_compose(o->view, &o->what, &fresh, err);

	if (r < 0) {
		pieces_release(&fresh);
		return r;
	}
	before = o->pieces;
	o->pieces = fresh;
	o->unreadable = 0;
	return 0;
}

void opened_reshow(struct view *v, node_id id)
{
	size_t changes;
	struct opened *o = join(v, id, &changes);
	int r;

	if (!o)
		return;
	pthread_rwlock_wrlock(&o->lock);
	r = pieces_whole_content(&o->pieces) ? 0 : compose_again(o, NULL);
	if (r < 0) {
		pieces_release(&o->pieces);
		o->unreadable = r;
	}
	pthread_rwlock_unlock(&o->lock);
	put(o);
}

/* The draft becomes what is shown, as its kind composes it. The lock is held for writing. */
static int accept_draft(struct opened *o, struct error *err)
{
	const struct draft d = {.fd = o->draft.scratch->fd, .size = o->draft.size};
	struct showing s = showing_of(o);
	int r = kind_of(o)->accept(&s, &d, err);

	if (r >= 0)
		r = compose_again(o, err);
	if (r < 0)
		return r;
	draft_drop(&o->draft, model_of(o));
	view_forget_size(o->view, o->node);
	return EDIT_RESHOWN;
}

static int accept_content(struct opened *o, struct error *err)
{
	const struct draft d = {.fd = -1, .content = o->content};
	struct showing s = showing_of(o);
	int r = kind_of(o)->accept(&s, &d, err);

	return r == CONTENT_ACCEPTED ? EDIT_TAKEN : r < 0 ? r : EDIT_NONE;
}

int opened_flush(struct opened *o, struct error *err)
{
	int r = EDIT_NONE;

	pthread_rwlock_wrlock(&o->lock);
	if (o->content)
		r = accept_content(o, err);
	else if (o->draft.scratch && o->draft.written)
		r = accept_draft(o, err);
	pthread_rwlock_unlock(&o->lock);
	return r;
}

/* The lock is held for writing. */
static enum edit_outcome after_last_writer(struct opened *o, struct error *err)
{
	if (o->content)
		return content_close(steal_pointer(o->content), true, err) == CONTENT_DROPPED
			       ? EDIT_DROPPED
			       : EDIT_NONE;
	if (!o->draft.scratch)
		return EDIT_NONE;
	if (accept_draft(o, err) >= 0)
		return EDIT_RESHOWN;
	if (o->draft.failed)
		error_set(err, o->draft.failed, "a write failed: %s", strerror(-o->draft.failed));
	draft_drop(&o->draft, model_of(o));
	return EDIT_DROPPED;
}

enum edit_outcome opened_close(struct opened *o, bool for_write, struct error *err)
{
	enum edit_outcome outcome = EDIT_NONE;

	if (for_write) {
		pthread_rwlock_wrlock(&o->lock);
		if (--o->writers == 0)
			outcome = after_last_writer(o, err);
		pthread_rwlock_unlock(&o->lock);
	}
	put(o);
	return outcome;
}
