#include "fs/view/branch.h"

#include "codec/open.h"

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
	assets_release(&b->assets);
	for (size_t i = 0; i < kind_count; i++) {
		free(b->shown->kind[i].nodes);
		free(b->shown->kind[i].sizes);
	}
	pthread_mutex_destroy(&b->shown->lock);
	free(b->shown);
	free(b);
}

struct branch *branch_new(void)
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

node_id branch_object_node(const struct branch *b, struct object o)
{
	return branch_main_node(b, o.type == OBJECT_DOCUMENT ? THING_DOCUMENT : THING_TENSOR, o.id);
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
