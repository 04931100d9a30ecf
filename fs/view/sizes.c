#include "fs/view/sizes.h"

#include "fs/view/opened.h"
#include "fs/view/pieces.h"

static bool can_be_kept(const struct node *n)
{
	return kinds[n->kind]->of != THING_VIEW && !kinds[n->kind]->live;
}

/* What cannot be composed has none. */
static uint64_t composed_size(struct view *v, const struct node *n)
{
	cleanup_pieces struct pieces pieces = {0};

	return view_compose(v, n, &pieces, NULL) < 0 ? 0 : pieces.size;
}

/* Composing a file to learn its size is done once. */
static uint64_t kept_size(struct view *v, const struct node *n)
{
	struct branch *b = view_branch(v, n);
	uint64_t size;
	size_t changes;

	pthread_mutex_lock(&v->lock);
	changes = v->changes;
	pthread_mutex_unlock(&v->lock);
	if (branch_kept_size(b, n->kind, n->object, &size))
		return size;
	size = composed_size(v, n);
	pthread_mutex_lock(&v->lock);
	if (changes == v->changes) /* or it may be that of an older text */
		branch_keep_size(b, n->kind, n->object, size);
	pthread_mutex_unlock(&v->lock);
	return size;
}

uint64_t view_size(struct view *v, node_id id, const struct node *n)
{
	struct showing s = {v, view_branch(v, n), n->object};
	const struct kind *k = kinds[n->kind];
	uint64_t size;

	if (!k->compose)
		return 0;
	if (k->accept && opened_draft_size(v, id, &size))
		return size;
	if (k->size)
		return k->size(&s);
	return can_be_kept(n) ? kept_size(v, n) : composed_size(v, n);
}

bool view_stat_is_quick(struct view *v, node_id id)
{
	const struct kind *k;
	struct node n;
	uint64_t size;

	if (!tree_get(v->tree, id, &n) || n.type != NODE_FILE)
		return true;
	k = kinds[n.kind];
	return k->size || (k->of != THING_MODEL && k->of != THING_DOCUMENT) ||
	       branch_kept_size(view_branch(v, &n), n.kind, n.object, &size);
}
