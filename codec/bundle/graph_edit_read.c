#include "codec/bundle/graph_edit_state.h"
#include "codec/container/pbwire.h"
#include "codec/graph/object_graph.h"

enum { READ_MAX = 64 << 20 };

/* ---- edges by node and name ---- */

static size_t slot_of(const struct graph_editor *g, uint32_t from, struct span name)
{
	uint64_t hash = 0xcbf29ce484222325 ^ from;

	hash *= 0x100000001b3;
	for (size_t i = 0; i < name.n; i++)
		hash = (hash ^ name.p[i]) * 0x100000001b3;
	return (size_t)(hash ^ hash >> 32) & (g->table_size - 1);
}

static void put(struct graph_editor *g, uint32_t edge)
{
	const struct edit_edge *e = &g->edges[edge];
	size_t i = slot_of(g, e->from, e->name);

	while (g->table[i])
		i = (i + 1) & (g->table_size - 1);
	g->table[i] = edge + 1;
	g->table_used++;
}

/* A table that is full to the half is made anew, without the edges that are gone. */
static int note(struct graph_editor *g, uint32_t edge)
{
	uint32_t *old = g->table;

	if (2 * (g->table_used + 1) <= g->table_size) {
		put(g, edge);
		return 0;
	}
	g->table_size = g->table_size ? 2 * g->table_size : 1024;
	g->table = calloc(g->table_size, sizeof(*g->table));
	free(old);
	g->table_used = 0;
	if (!g->table) {
		g->table_size = 0;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < g->n_edges; i++)
		if (g->edges[i].fate != GONE)
			put(g, i);
	return 0;
}

struct edit_edge *editor_find(const struct graph_editor *g, uint32_t from, struct span name)
{
	if (!g->table_size)
		return NULL;
	for (size_t i = slot_of(g, from, name); g->table[i]; i = (i + 1) & (g->table_size - 1)) {
		struct edit_edge *e = &g->edges[g->table[i] - 1];

		if (e->from == from && e->fate != GONE && span_equal(e->name, name))
			return e;
	}
	return NULL;
}

int editor_rename_edge(struct graph_editor *g, struct edit_edge *e, struct span name)
{
	e->name = name;
	if (e->fate != ADDED)
		e->fate = CHANGED;
	g->nodes[e->from].touched = true;
	return note(g, (uint32_t)(e - g->edges));
}

void editor_drop_edge(struct graph_editor *g, struct edit_edge *e)
{
	e->fate = GONE;
	g->nodes[e->from].touched = true;
}

/* ---- growing ---- */

#define APPEND(g, what, element)                                                           \
	({                                                                                 \
		void *grown = vector_grow((g)->what, (g)->n_##what, &(g)->what##_capacity, \
					  sizeof(*(g)->what));                             \
		if (grown) {                                                               \
			(g)->what = grown;                                                 \
			(g)->what[(g)->n_##what++] = (element);                            \
		}                                                                          \
		grown ? 0 : -ENOMEM;                                                       \
	})

int editor_add_node(struct graph_editor *g, struct span bytes, uint32_t *ret)
{
	struct edit_node n = {.bytes = bytes};

	n.edges.first = (uint32_t)g->n_edges;
	n.attributes.first = (uint32_t)g->n_attributes;
	n.slots.first = (uint32_t)g->n_slots;
	*ret = (uint32_t)g->n_nodes;
	return APPEND(g, nodes, n);
}

int editor_add_edge(struct graph_editor *g, const struct edit_edge *e)
{
	int r = APPEND(g, edges, *e);

	return r < 0 ? r : note(g, (uint32_t)(g->n_edges - 1));
}

int editor_add_attribute(struct graph_editor *g, const struct edit_attribute *a)
{
	return APPEND(g, attributes, *a);
}

int editor_add_slot(struct graph_editor *g, const struct edit_slot *s)
{
	return APPEND(g, slots, *s);
}

/* ---- reading ---- */

static int take_edge(void *editor, const struct graph_edge *e)
{
	struct graph_editor *g = editor;

	g->nodes[e->from].edges.n++;
	return editor_add_edge(g,
			       &(struct edit_edge){.from = e->from, .to = e->to, .name = e->name});
}

static int take_attribute(void *editor, const struct graph_attribute *a)
{
	struct graph_editor *g = editor;

	g->nodes[a->node].attributes.n++;
	return editor_add_attribute(g, &(struct edit_attribute){
					       .node = a->node,
					       .name = a->name,
					       .full_name = a->full_name,
					       .key = a->key,
				       });
}

static int take_slot(void *editor, const struct graph_slot *s)
{
	struct graph_editor *g = editor;

	g->nodes[s->optimizer].slots.n++;
	return editor_add_slot(g, &(struct edit_slot){
					  .from = s->optimizer,
					  .original = s->original,
					  .variable = s->node,
					  .name = s->name,
				  });
}

/* All edges must lead to a node: what follows them need not ask. */
static int check_targets(struct graph_editor *g)
{
	for (size_t i = 0; i < g->n_edges; i++)
		if (g->edges[i].to >= g->n_nodes)
			return error_set(g->err, -EBADMSG,
					 "node %u of the object graph has an edge to node %d, but "
					 "there are %zu nodes",
					 g->edges[i].from, (int)g->edges[i].to, g->n_nodes);
	for (size_t i = 0; i < g->n_slots; i++)
		if (g->slots[i].original >= g->n_nodes || g->slots[i].variable >= g->n_nodes)
			return error_set(g->err, -EBADMSG,
					 "a slot of node %u of the object graph leads to a node "
					 "that is not there: there are %zu nodes",
					 g->slots[i].from, g->n_nodes);
	return 0;
}

int editor_read(struct graph_editor *g, struct span graph)
{
	const struct graph_visitor v = {take_attribute, take_edge, take_slot, g};
	struct span message;
	uint32_t node = 0;
	int r;

	if (graph.n > READ_MAX)
		return error_set(g->err, -EFBIG, "the object graph takes more than %d MiB",
				 READ_MAX >> 20);
	while ((r = pb_next_bytes(&graph, GRAPH_NODES, &message)) > 0) {
		r = editor_add_node(g, message, &node);
		if (r == 0)
			r = object_graph_walk_node(message, node, &v);
		if (r < 0)
			break;
	}
	if (r == -EBADMSG)
		return error_set(g->err, r, "the object graph is no message: node %zu",
				 g->n_nodes ? g->n_nodes - 1 : 0);
	return r < 0 ? r : check_targets(g);
}

void editor_release(struct graph_editor *g)
{
	free(g->nodes);
	free(g->edges);
	free(g->attributes);
	free(g->slots);
	free(g->table);
	arena_release(&g->arena);
}
