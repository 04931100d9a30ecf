#include "fs/view/member.h"

#include "codec/checkpoints/collection.h"
#include "codec/work/edits.h"
#include "fs/view/grow.h"
#include "fs/view/log.h"

struct model *member_model(const struct siblings *all, const struct slot *s)
{
	struct branch *b;

	pthread_mutex_lock(&all->view->lock);
	b = s->branch;
	pthread_mutex_unlock(&all->view->lock);
	return b ? b->model : NULL;
}

static void set_id(const struct siblings *all, struct slot *s, const struct file_id *id)
{
	pthread_mutex_lock(&all->view->lock);
	s->id = *id;
	pthread_mutex_unlock(&all->view->lock);
}

static bool is_base(struct model *model, const struct file_id *id)
{
	bool found = false;

	pthread_rwlock_rdlock(&model->layout);
	for (size_t i = 0; i < model->n_base; i++)
		found |= file_id_equal(&model->base[i].id, id);
	pthread_rwlock_unlock(&model->layout);
	return found;
}

/*
 * True if what was found is what was loaded. Our own save replaces files, too: while it goes on
 * nothing can be said, and what was found may be older than its end.
 */
static bool is_loaded(const struct siblings *all, const struct slot *s, struct model *model,
		      struct file_id *id)
{
	if (edits_saving(model) || is_base(model, id))
		return true;
	return !s->v1 && collection_identify(&all->place, s->name, id) &&
	       (is_base(model, id) || edits_saving(model));
}

bool member_is_same(const struct siblings *all, struct slot *s, const struct member *found)
{
	struct model *model = member_model(all, s);
	struct file_id id = found->id;

	if (model && !is_loaded(all, s, model, &id)) {
		if (!edits_unsaved(model))
			return false;
		if (!s->stale)
			log_line("%s: replaced on disk, while there are edits of what it was",
				 quote(span_str(s->name)));
		s->stale = true;
		return true;
	}
	set_id(all, s, &id);
	s->stale = false;
	return true;
}

static int show_branch(const struct siblings *all, struct slot *s, struct model *model,
		       struct error *err)
{
	struct branch *b;
	int r = view_add_branch(all->view, model, s->node, &b);

	if (r == -EMFILE)
		error_set(err, r, "%d checkpoints were looked at, as many as one mount can show",
			  BRANCHES_MAX);
	if (r < 0)
		return r;
	view_note_lost_drafts(all->view, b);
	pthread_mutex_lock(&all->view->lock);
	s->branch = b;
	pthread_mutex_unlock(&all->view->lock);
	return 0;
}

/* True if the checkpoint may be loaded another time, though its files stay as they are. */
static bool may_pass(int r)
{
	return r == -EACCES || r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

static int load(const struct siblings *all, struct slot *s)
{
	struct file_id now = {0};
	struct recovery found;
	struct error err = {""};
	struct model *model;
	int r;

	/* A V1 checkpoint may be many files: it is not tried again. */
	if (!s->v1)
		collection_identify(&all->place, s->name, &now);
	if (s->failed && file_id_equal(&now, &s->failed_id))
		return s->failed;
	r = open_model(s->name, &all->options, &model, &found, &err);
	if (r == 0) {
		open_model_report(model, s->name, &found);
		r = show_branch(all, s, model, &err);
	}
	if (r == 0 || r == -ENOENT)
		return r;
	log_line("%s: %s", quote(span_str(s->name)), err.text[0] ? err.text : strerror(-r));
	if (may_pass(r))
		return r;
	s->failed = -EIO;
	s->failed_id = now;
	return s->failed;
}

/* True if it is loaded. */
static bool look_up(const struct siblings *all, const struct slot *s, bool *ret_gone)
{
	bool loaded;

	pthread_mutex_lock(&all->view->lock);
	loaded = s->branch != NULL;
	*ret_gone = s->gone;
	pthread_mutex_unlock(&all->view->lock);
	return loaded;
}

/* What is loaded already needs not wait for what is being loaded. */
int member_load(struct siblings *all, struct slot *s)
{
	bool gone;
	int r = 0;

	if (look_up(all, s, &gone))
		return 0;
	pthread_mutex_lock(&all->loading);
	if (!look_up(all, s, &gone))
		r = gone ? -ENOENT : load(all, s);
	pthread_mutex_unlock(&all->loading);
	return r;
}

struct slot *member_new(const struct member *found)
{
	struct slot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct slot){
		.name = strdup(found->name), .v1 = found->v1, .id = found->id, .seen = true};
	return s->name ? s : member_free(s);
}

struct slot *member_free(struct slot *s)
{
	if (s)
		free(s->name);
	free(s);
	return NULL;
}
