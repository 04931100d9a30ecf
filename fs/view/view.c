#include "fs/view/view.h"

#include <time.h>

#include "codec/work/ledger.h"
#include "fs/view/log.h"
#include "fs/view/pieces.h"
#include "fs/view/root.h"

static bool can_be_edited(const struct view *v)
{
	struct branch *b;

	for (size_t i = 0; (b = view_next_branch(v, &i));)
		if (b->model->edits && !b->model->read_only)
			return true;
	return false;
}

const struct root_ops root_of_model = {
	.things = "tensors and documents",
	.can_be_edited = can_be_edited,
};

struct view *view_new(void)
{
	struct view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->growing, NULL);
	v->root = &root_of_model;
	v->uid = geteuid();
	v->gid = getegid();
	v->umask = umask(0);
	umask(v->umask);
	clock_gettime(CLOCK_REALTIME, &v->mounted);
	v->tree = tree_new();
	v->branches = calloc(BRANCHES_MAX, sizeof(*v->branches));
	return v->tree && v->branches ? v : view_free(v);
}

struct view *view_free(struct view *v)
{
	if (!v)
		return NULL;
	for (size_t i = 0; i < v->n_branches; i++)
		branch_free(v->branches[i]);
	free(v->branches);
	if (v->root->release)
		v->root->release(v);
	tree_free(v->tree);
	buf_release(&v->dropped);
	buf_release(&v->last_commit);
	pthread_mutex_destroy(&v->lock);
	pthread_mutex_destroy(&v->growing);
	free(v);
	return NULL;
}

struct branch *view_next_branch(const struct view *v, size_t *i)
{
	while (*i < v->n_branches) {
		struct branch *b = v->branches[(*i)++];

		if (b->complete)
			return b;
	}
	return NULL;
}

struct branch *view_branch(const struct view *v, const struct node *n)
{
	return n->branch < v->n_branches ? v->branches[n->branch] : NULL;
}

void view_forget_size(struct view *v, node_id id)
{
	struct node n;

	if (!tree_get(v->tree, id, &n))
		return;
	pthread_mutex_lock(&v->lock);
	if (kinds[n.kind]->of != THING_VIEW)
		branch_forget_size(view_branch(v, &n), n.kind, n.object);
	v->changes++;
	pthread_mutex_unlock(&v->lock);
}

struct tensor *view_tensor(const struct view *v, const struct node *n)
{
	if (n->type != NODE_FILE || kinds[n->kind]->of != THING_TENSOR)
		return NULL;
	return model_tensor(view_branch(v, n)->model, n->object);
}

void view_path(const struct view *v, node_id id, struct buf *out)
{
	tree_path(v->tree, NODE_ROOT, id, out);
	buf_add_u8(out, 0);
	if (!out->failed)
		out->n--;
}

int view_compose(struct view *v, const struct node *n, struct pieces *out, struct error *err)
{
	struct showing s = {v, view_branch(v, n), n->object};
	const struct kind *k = kinds[n->kind];
	struct model *m = k->of == THING_VIEW ? NULL : s.branch->model;
	int r;

	if (!k->compose)
		return error_set(err, -EPERM, "no file, but a conversation");
	if (m)
		pthread_rwlock_rdlock(&m->layout);
	r = k->compose(&s, out, err);
	if (m)
		pthread_rwlock_unlock(&m->layout);
	return r < 0 ? r : pieces_end(out);
}

bool view_next_twin(struct view *v, const struct node *n, uint8_t *kind, struct twin *ret)
{
	struct showing s = {v, view_branch(v, n), n->object};
	const struct kind *from = kinds[n->kind];

	if (n->type != NODE_FILE || from->of != THING_TENSOR)
		return false;
	for (; *kind < kind_count; ++*kind) {
		const struct kind *to = kinds[*kind];

		ret->node = *kind == n->kind || to->of != from->of
				    ? NODE_NONE
				    : branch_node(s.branch, *kind, n->object);
		if (!ret->node)
			continue;
		ret->shifted = from->shift && to->shift;
		ret->shift = ret->shifted ? (int64_t)(to->shift(&s) - from->shift(&s)) : 0;
		++*kind;
		return true;
	}
	return false;
}

void view_note_dropped(struct view *v, node_id id, const char *why)
{
	cleanup_buf struct buf path = {0};

	view_path(v, id, &path);
	if (path.failed)
		return;
	log_line("%s: not accepted, the old content is back: %s", quote(buf_span(&path)), why);
	pthread_mutex_lock(&v->lock);
	buf_add(&v->dropped, buf_span(&path));
	buf_printf(&v->dropped, "%c%s%c", 0, why, 0);
	pthread_mutex_unlock(&v->lock);
}

void view_note_lost_drafts(struct view *v, const struct branch *b)
{
	struct object o;

	for (size_t i = 0; ledger_next_lost(b->model, &i, &o);) {
		view_note_dropped(v, branch_object_node(b, o),
				  "the daemon died before it was complete");
		v->lost_drafts = true;
	}
}
