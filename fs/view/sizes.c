#include "fs/view/sizes.h"

/* Where the size of a node's text is kept; NULL: nowhere. The lock is held. */
static uint64_t *size_slot(struct view *v, node_id id, const struct node *n)
{
	struct branch *b = view_branch(v, n);

	if (!b || kinds[n->kind]->live || id < b->first)
		return NULL;
	if (!b->sizes) {
		b->n_sizes = tree_count(v->tree) + 1 - b->first;
		b->sizes = calloc(b->n_sizes, sizeof(*b->sizes));
	}
	return b->sizes && id - b->first < b->n_sizes ? &b->sizes[id - b->first] : NULL;
}

/* Rendering a text to learn its size is done once. What cannot be rendered has none. */
uint64_t view_text_size(struct view *v, node_id id, const struct node *n)
{
	cleanup_buf struct buf text = {0};
	uint64_t *slot, kept = 0;
	size_t changes;

	pthread_mutex_lock(&v->lock);
	slot = size_slot(v, id, n);
	if (slot)
		kept = *slot;
	changes = v->changes;
	pthread_mutex_unlock(&v->lock);
	if (kept)
		return kept - 1;
	if (view_render(v, n, &text, NULL) < 0)
		text.n = 0;
	pthread_mutex_lock(&v->lock);
	if (slot && changes == v->changes) /* or it may be that of an older text */
		*slot = text.n + 1;
	pthread_mutex_unlock(&v->lock);
	return text.n;
}

bool view_stat_is_quick(struct view *v, node_id id)
{
	uint64_t *slot;
	struct node n;
	bool quick;

	if (!tree_get(v->tree, id, &n) || n.type != NODE_FILE || !kinds[n.kind]->render ||
	    (kinds[n.kind]->of != THING_MODEL && kinds[n.kind]->of != THING_DOCUMENT))
		return true;
	pthread_mutex_lock(&v->lock);
	slot = size_slot(v, id, &n);
	quick = slot && *slot;
	pthread_mutex_unlock(&v->lock);
	return quick;
}

void view_forget_size(struct view *v, node_id id)
{
	struct node n;
	uint64_t *slot;

	if (!tree_get(v->tree, id, &n))
		return;
	pthread_mutex_lock(&v->lock);
	slot = size_slot(v, id, &n);
	if (slot)
		*slot = 0;
	v->changes++;
	pthread_mutex_unlock(&v->lock);
}
