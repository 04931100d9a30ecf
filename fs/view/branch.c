#include "codec/open.h"
#include "fs/view/branch.h"

#include "fs/view/grow.h"
#include "fs/view/view.h"

/* Of one kind, by object. An array is as long as the largest object needs that it knows. */
struct shown_kind {
	node_id *nodes;
	uint64_t *sizes; /* of what must be composed to know it, and 1; 0: not known yet */
	size_t n_nodes, n_sizes;
};

struct shown {
	pthread_mutex_t lock;
	struct shown_kind kind[]; /* kind_count of them */
};

void branch_free(struct branch *b)
{
	model_close(b->model);
	for (size_t i = 0; i < b->n_files; i++)
		free(b->files[i]);
	free(b->files);
	for (size_t i = 0; i < kind_count; i++) {
		free(b->shown->kind[i].nodes);
		free(b->shown->kind[i].sizes);
	}
	pthread_mutex_destroy(&b->shown->lock);
	free(b->shown);
	free(b);
}

static struct branch *branch_new(void)
{
	struct branch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->shown = calloc(1, sizeof(*b->shown) + kind_count * sizeof(b->shown->kind[0]));
	if (!b->shown) {
		free(b);
		return NULL;
	}
	pthread_mutex_init(&b->shown->lock, NULL);
	return b;
}

int view_add_branch(struct view *v, struct model *model, node_id root, struct branch **ret)
{
	size_t n = v->n_branches;
	struct branch *b = n < BRANCHES_MAX ? branch_new() : NULL;
	int r;

	if (!b) {
		model_close(model);
		return n < BRANCHES_MAX ? -ENOMEM : -EMFILE;
	}
	b->model = model;
	b->number = (uint16_t)n;
	b->root = root;
	v->branches[n] = b;
	v->n_branches = n + 1;
	r = grow_branch(v, b);
	if (r < 0)
		return r;
	b->complete = true;
	*ret = b;
	return 0;
}

int view_add_model(struct view *v, struct model *model)
{
	struct branch *b;

	v->place = &model->place;
	return view_add_branch(v, model, NODE_ROOT, &b);
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

/* ---- what shows what ---- */

node_id branch_node(const struct branch *b, uint8_t kind, uint32_t object)
{
	const struct shown_kind *s = &b->shown->kind[kind];
	node_id node;

	pthread_mutex_lock(&b->shown->lock);
	node = object < s->n_nodes ? s->nodes[object] : NODE_NONE;
	pthread_mutex_unlock(&b->shown->lock);
	return node;
}

node_id branch_main_node(const struct branch *b, enum thing of, uint32_t object)
{
	node_id node = NODE_NONE;

	for (uint8_t kind = 0; kind < kind_count && !node; kind++)
		if (kinds[kind]->of == of && !kinds[kind]->folder)
			node = branch_node(b, kind, object);
	return node;
}

/* The array, with room for the object; NULL without memory, and it stays as it was. */
static void *extend(const struct branch *b, void *array, size_t *n, uint32_t object, size_t size)
{
	size_t length = 2 * *n > object ? 2 * *n : object + 1;
	char *grown;

	if (object < *n)
		return array;
	if (!*n && length < b->model->n_ids)
		length = b->model->n_ids; /* of most kinds there is one for each */
	grown = realloc(array, length * size);
	if (!grown)
		return NULL;
	memset(grown + *n * size, 0, (length - *n) * size);
	*n = length;
	return grown;
}

int branch_set_node(const struct branch *b, uint8_t kind, uint32_t object, node_id node)
{
	struct shown_kind *s = &b->shown->kind[kind];
	node_id *nodes;

	pthread_mutex_lock(&b->shown->lock);
	nodes = extend(b, s->nodes, &s->n_nodes, object, sizeof(*nodes));
	if (nodes) {
		s->nodes = nodes;
		nodes[object] = node;
	}
	pthread_mutex_unlock(&b->shown->lock);
	return nodes ? 0 : -ENOMEM;
}

bool branch_kept_size(const struct branch *b, uint8_t kind, uint32_t object, uint64_t *ret)
{
	const struct shown_kind *s = &b->shown->kind[kind];
	uint64_t kept;

	pthread_mutex_lock(&b->shown->lock);
	kept = object < s->n_sizes ? s->sizes[object] : 0;
	pthread_mutex_unlock(&b->shown->lock);
	if (kept)
		*ret = kept - 1;
	return kept;
}

static void set_size(const struct branch *b, uint8_t kind, uint32_t object, uint64_t size)
{
	struct shown_kind *s = &b->shown->kind[kind];
	uint64_t *sizes;

	pthread_mutex_lock(&b->shown->lock);
	sizes = extend(b, s->sizes, &s->n_sizes, object, sizeof(*sizes));
	if (sizes) {
		s->sizes = sizes;
		sizes[object] = size;
	}
	pthread_mutex_unlock(&b->shown->lock);
}

void branch_keep_size(const struct branch *b, uint8_t kind, uint32_t object, uint64_t size)
{
	set_size(b, kind, object, size + 1);
}

void branch_forget_size(const struct branch *b, uint8_t kind, uint32_t object)
{
	set_size(b, kind, object, 0);
}
