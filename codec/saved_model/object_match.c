/*
 * From the roots on, which are partners, the children of two partners that have the same name are
 * partners. A node has one at most, so each edge is looked at once, whatever the graphs say.
 */
#include "codec/saved_model/object_match.h"

#include "codec/container/pbwire.h"
#include "codec/graph/object_graph.h"

/* Field numbers of SavedObjectGraph, upstream. */
enum { GRAPH_NODES = 1, OBJECT_VARIABLE = 7, VARIABLE_NAME = 6 };

struct slots {
	struct graph_slot *slot;
	size_t n, capacity;
};

struct side {
	struct object_graph graph;
	struct slots slots;
	size_t n; /* nodes */
};

struct matcher {
	struct side checkpoint, saved;
	struct object_match *match;
	uint32_t *queue; /* of the checkpoint's nodes that have a partner */
	size_t queued;
};

/* ---- the two graphs ---- */

static int add_slot(void *context, const struct graph_slot *s)
{
	struct slots *all = context;
	struct graph_slot *grown = vector_grow(all->slot, all->n, &all->capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	all->slot = grown;
	grown[all->n++] = *s;
	return 0;
}

static int read_side(struct side *s, struct span bytes, struct error *err)
{
	const struct graph_visitor slots = {.slot = add_slot, .context = &s->slots};
	struct span node;
	int r = object_graph_read(bytes, &s->graph, err);

	if (r == 0)
		r = object_graph_walk(bytes, &slots, err);
	while (r == 0 && pb_next_bytes(&bytes, GRAPH_NODES, &node) > 0)
		s->n++;
	return r;
}

static void release_side(struct side *s)
{
	object_graph_release(&s->graph);
	free(s->slots.slot);
}

/* The edges of a node. */
static struct graph_edge *edges_of(const struct side *s, uint32_t node, size_t *ret_n)
{
	const struct object_graph *g = &s->graph;

	*ret_n = node < g->n ? g->nodes[node].n : 0;
	return *ret_n ? &g->edges[g->nodes[node].first] : NULL;
}

/* ---- partners ---- */

static void pair(struct matcher *m, uint32_t checkpoint, uint32_t saved)
{
	struct object_match *match = m->match;

	if (checkpoint >= match->n_checkpoint || saved >= match->n_saved ||
	    match->saved_of[checkpoint] != OBJECT_NOBODY ||
	    match->checkpoint_of[saved] != OBJECT_NOBODY)
		return;
	match->saved_of[checkpoint] = saved;
	match->checkpoint_of[saved] = checkpoint;
	m->queue[m->queued++] = checkpoint;
}

static int compare_edges(const void *a, const void *b)
{
	return span_compare(((const struct graph_edge *)a)->name,
			    ((const struct graph_edge *)b)->name);
}

static void sort_edges(struct side *s)
{
	for (uint32_t i = 0; i < s->graph.n; i++) {
		size_t n;
		struct graph_edge *edges = edges_of(s, i, &n);

		if (n)
			qsort(edges, n, sizeof(*edges), compare_edges);
	}
}

static void pair_children(struct matcher *m, uint32_t node)
{
	size_t n, n_saved;
	const struct graph_edge *edges = edges_of(&m->checkpoint, node, &n);
	const struct graph_edge *saved = edges_of(&m->saved, m->match->saved_of[node], &n_saved);

	for (size_t i = 0; i < n && n_saved; i++) {
		const struct graph_edge *e =
			bsearch(&edges[i], saved, n_saved, sizeof(*saved), compare_edges);

		if (e)
			pair(m, edges[i].to, e->to);
	}
}

static int compare_slots(const void *a, const void *b)
{
	const struct graph_slot *x = a, *y = b;

	if (x->optimizer != y->optimizer)
		return x->optimizer < y->optimizer ? -1 : 1;
	if (x->original != y->original)
		return x->original < y->original ? -1 : 1;
	return span_compare(x->name, y->name);
}

static uint32_t saved_of(const struct matcher *m, uint32_t node)
{
	return node < m->match->n_checkpoint ? m->match->saved_of[node] : OBJECT_NOBODY;
}

/* No edge leads to a slot. */
static void pair_slots(struct matcher *m)
{
	const struct slots *slots = &m->checkpoint.slots, *saved = &m->saved.slots;

	if (saved->n)
		qsort(saved->slot, saved->n, sizeof(*saved->slot), compare_slots);
	for (size_t i = 0; i < slots->n && saved->n; i++) {
		struct graph_slot wanted = slots->slot[i];
		const struct graph_slot *s;

		wanted.optimizer = saved_of(m, wanted.optimizer);
		wanted.original = saved_of(m, wanted.original);
		s = bsearch(&wanted, saved->slot, saved->n, sizeof(*s), compare_slots);
		if (s)
			pair(m, wanted.node, s->node);
	}
}

static uint32_t *nobodies(size_t n)
{
	uint32_t *all = malloc((n + 1) * sizeof(*all));

	for (size_t i = 0; all && i < n; i++)
		all[i] = OBJECT_NOBODY;
	return all;
}

static int find_partners(struct matcher *m)
{
	struct object_match *match = m->match;

	match->n_checkpoint = m->checkpoint.n;
	match->n_saved = m->saved.n;
	match->saved_of = nobodies(match->n_checkpoint);
	match->checkpoint_of = nobodies(match->n_saved);
	m->queue = nobodies(match->n_checkpoint);
	if (!match->saved_of || !match->checkpoint_of || !m->queue)
		return -ENOMEM;
	sort_edges(&m->saved);
	pair(m, 0, 0);
	for (size_t i = 0; i < m->queued; i++)
		pair_children(m, m->queue[i]);
	pair_slots(m);
	return 0;
}

int object_match(struct span checkpoint, struct span saved, struct object_match *ret,
		 struct error *err)
{
	struct matcher m = {.match = ret};
	int r = read_side(&m.checkpoint, checkpoint, err);

	if (r == 0)
		r = read_side(&m.saved, saved, err);
	if (r == 0)
		r = find_partners(&m);
	release_side(&m.checkpoint);
	release_side(&m.saved);
	free(m.queue);
	return r;
}

void object_match_release(struct object_match *m)
{
	free(m->saved_of);
	free(m->checkpoint_of);
	*m = (struct object_match){0};
}

/* ---- names ---- */

int object_names(struct span saved, struct span *ret, size_t n, struct error *err)
{
	struct span object, variable;
	int r = 1;

	for (size_t i = 0; i < n && r > 0; i++) {
		ret[i] = (struct span){0};
		r = pb_next_bytes(&saved, GRAPH_NODES, &object);
		if (r > 0 && pb_find(object, OBJECT_VARIABLE, &variable) > 0 &&
		    pb_find(variable, VARIABLE_NAME, &ret[i]) < 0)
			r = -EBADMSG;
	}
	return r < 0 ? error_set(err, r, "a variable of saved_model.pb is no message") : 0;
}
