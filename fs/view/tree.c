#include "fs/view/tree.h"

#include <pthread.h>

struct tree {
	pthread_mutex_t lock;
	struct node *nodes; /* index is the number; 0 is unused */
	size_t n, capacity;
	node_id *buckets;
	size_t n_buckets; /* a power of two */
	struct arena names;
	node_id last_listed;	/* where the last listing stopped, to find its place again */
	uint32_t last_position; /* that any node was given */
};

enum { FIRST_BUCKETS = 64 };

static uint64_t hash(node_id folder, struct span name)
{
	uint64_t h = 0xcbf29ce484222325ull ^ folder;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ name.p[i]) * 0x100000001b3ull;
	return h ^ h >> 29;
}

static node_id *bucket(struct tree *t, node_id folder, struct span name)
{
	return &t->buckets[hash(folder, name) & (t->n_buckets - 1)];
}

static void hash_insert(struct tree *t, node_id id)
{
	struct node *n = &t->nodes[id];
	node_id *b = bucket(t, n->parent, span_str(n->name));

	n->hash_next = *b;
	*b = id;
}

static void hash_remove(struct tree *t, node_id id)
{
	struct node *n = &t->nodes[id];
	node_id *b = bucket(t, n->parent, span_str(n->name));

	while (*b != id)
		b = &t->nodes[*b].hash_next;
	*b = n->hash_next;
}

/* Twice the buckets, once there are more nodes than buckets. */
static int hash_grow(struct tree *t)
{
	size_t wanted = t->n_buckets ? 2 * t->n_buckets : FIRST_BUCKETS;
	node_id *grown;

	if (t->n < t->n_buckets)
		return 0;
	grown = calloc(wanted, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	free(t->buckets);
	t->buckets = grown;
	t->n_buckets = wanted;
	for (node_id id = NODE_ROOT + 1; id < t->n; id++)
		if (t->nodes[id].position)
			hash_insert(t, id);
	return 0;
}

struct tree *tree_new(void)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	t->nodes = vector_grow(NULL, 0, &t->capacity, sizeof(*t->nodes));
	if (!t->nodes || hash_grow(t) < 0)
		return tree_free(t);
	t->nodes[NODE_ROOT] = (struct node){.name = "", .parent = NODE_ROOT, .type = NODE_FOLDER};
	t->n = NODE_ROOT + 1;
	return t;
}

struct tree *tree_free(struct tree *t)
{
	if (!t)
		return NULL;
	arena_release(&t->names);
	free(t->buckets);
	free(t->nodes);
	pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}

/* Appends a node to its folder's children. */
static void link_last(struct tree *t, node_id id)
{
	struct node *n = &t->nodes[id], *folder = &t->nodes[n->parent];

	n->prev = folder->last;
	n->next = NODE_NONE;
	n->position = ++t->last_position;
	if (folder->last)
		t->nodes[folder->last].next = id;
	else
		folder->first = id;
	folder->last = id;
}

static node_id add_locked(struct tree *t, node_id folder, struct span name, const struct node *like)
{
	struct node *nodes = vector_grow(t->nodes, t->n, &t->capacity, sizeof(*nodes));
	struct span copy;
	node_id id;

	if (!nodes)
		return NODE_NONE;
	t->nodes = nodes;
	copy = arena_copy(&t->names, name);
	if (!copy.p || t->n > UINT32_MAX - 1 || hash_grow(t) < 0)
		return NODE_NONE;
	id = (node_id)t->n++;
	nodes[id] = (struct node){
		.name = (const char *)copy.p,
		.parent = folder,
		.type = like->type,
		.kind = like->kind,
		.branch = like->branch,
		.object = like->object,
	};
	link_last(t, id);
	hash_insert(t, id);
	return id;
}

node_id tree_add(struct tree *t, node_id folder, struct span name, const struct node *like)
{
	node_id id;

	pthread_mutex_lock(&t->lock);
	id = add_locked(t, folder, name, like);
	pthread_mutex_unlock(&t->lock);
	return id;
}

static node_id find_locked(struct tree *t, node_id folder, struct span name)
{
	node_id id = *bucket(t, folder, name);

	while (id && (t->nodes[id].parent != folder || !span_is(name, t->nodes[id].name)))
		id = t->nodes[id].hash_next;
	return id;
}

node_id tree_find(struct tree *t, node_id folder, struct span name)
{
	node_id id;

	pthread_mutex_lock(&t->lock);
	id = find_locked(t, folder, name);
	pthread_mutex_unlock(&t->lock);
	return id;
}

bool tree_get(struct tree *t, node_id id, struct node *ret)
{
	bool there;

	pthread_mutex_lock(&t->lock);
	there = id >= NODE_ROOT && id < t->n;
	if (there)
		*ret = t->nodes[id];
	pthread_mutex_unlock(&t->lock);
	return there;
}

void tree_set_object(struct tree *t, node_id id, uint32_t object)
{
	pthread_mutex_lock(&t->lock);
	t->nodes[id].object = object;
	pthread_mutex_unlock(&t->lock);
}

/* Takes a node off its folder's children. */
static void unlink_child(struct tree *t, node_id id)
{
	struct node *n = &t->nodes[id], *folder = &t->nodes[n->parent];

	if (n->prev)
		t->nodes[n->prev].next = n->next;
	else
		folder->first = n->next;
	if (n->next)
		t->nodes[n->next].prev = n->prev;
	else
		folder->last = n->prev;
	n->prev = n->next = NODE_NONE;
	n->position = 0;
	if (t->last_listed == id)
		t->last_listed = NODE_NONE;
}

int tree_move(struct tree *t, node_id id, node_id folder, struct span name)
{
	struct span copy;

	pthread_mutex_lock(&t->lock);
	copy = arena_copy(&t->names, name);
	if (copy.p) {
		bool moves = t->nodes[id].parent != folder;

		hash_remove(t, id);
		if (moves)
			unlink_child(t, id);
		t->nodes[id].name = (const char *)copy.p;
		t->nodes[id].parent = folder;
		if (moves)
			link_last(t, id);
		hash_insert(t, id);
	}
	pthread_mutex_unlock(&t->lock);
	return copy.p ? 0 : -ENOMEM;
}

void tree_remove(struct tree *t, node_id id)
{
	pthread_mutex_lock(&t->lock);
	hash_remove(t, id);
	unlink_child(t, id);
	pthread_mutex_unlock(&t->lock);
}

/* The child behind a position. Usually the listing goes on where it stopped. */
static node_id next_locked(struct tree *t, node_id folder, uint32_t position)
{
	const struct node *last = &t->nodes[t->last_listed];
	node_id id = t->nodes[folder].first;

	if (t->last_listed && last->parent == folder && last->position == position)
		return last->next;
	while (id && t->nodes[id].position <= position)
		id = t->nodes[id].next;
	return id;
}

node_id tree_next(struct tree *t, node_id folder, uint32_t position, struct node *ret)
{
	node_id id;

	pthread_mutex_lock(&t->lock);
	id = next_locked(t, folder, position);
	if (id)
		*ret = t->nodes[id];
	t->last_listed = id;
	pthread_mutex_unlock(&t->lock);
	return id;
}

void tree_path(struct tree *t, node_id from, node_id id, struct buf *out)
{
	const char *names[512];
	size_t n = 0;

	pthread_mutex_lock(&t->lock);
	for (; id != from && id != NODE_ROOT && n < ARRAY_SIZE(names); id = t->nodes[id].parent)
		names[n++] = t->nodes[id].name;
	pthread_mutex_unlock(&t->lock);
	while (n) {
		buf_add_str(out, names[--n]);
		if (n)
			buf_add_u8(out, '/');
	}
}

static unsigned depth_of(const struct tree *t, node_id id)
{
	unsigned depth = 0;

	for (; id != NODE_ROOT; id = t->nodes[id].parent)
		depth++;
	return depth;
}

/* The innermost folder that holds both (or is one of them), and how far above a it is. */
static node_id common_folder(const struct tree *t, node_id a, node_id b, unsigned *ret_up)
{
	unsigned depth_a = depth_of(t, a), depth_b = depth_of(t, b), start = depth_a;

	while (a != b) {
		unsigned deeper = depth_a > depth_b ? depth_a : depth_b;

		if (depth_b == deeper) {
			b = t->nodes[b].parent;
			depth_b--;
		}
		if (depth_a == deeper) {
			a = t->nodes[a].parent;
			depth_a--;
		}
	}
	*ret_up = start - depth_a;
	return a;
}

void tree_link_path(struct tree *t, node_id link, struct buf *out)
{
	node_id to, common;
	unsigned up;

	pthread_mutex_lock(&t->lock);
	to = t->nodes[link].object;
	common = common_folder(t, t->nodes[link].parent, to, &up);
	pthread_mutex_unlock(&t->lock);
	for (unsigned i = 0; i < up; i++)
		buf_add_str(out, i + 1 < up || to != common ? "../" : "..");
	if (to == common && !up)
		buf_add_u8(out, '.');
	tree_path(t, common, to, out);
}

void tree_remember(struct tree *t, node_id id, uint32_t n)
{
	pthread_mutex_lock(&t->lock);
	t->nodes[id].known += n;
	pthread_mutex_unlock(&t->lock);
}

void tree_forget(struct tree *t, node_id id, uint64_t n)
{
	pthread_mutex_lock(&t->lock);
	if (id < t->n)
		t->nodes[id].known -= n < t->nodes[id].known ? (uint32_t)n : t->nodes[id].known;
	pthread_mutex_unlock(&t->lock);
}
