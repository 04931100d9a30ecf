#include "codec/graph/object_graph.h"

#include "codec/container/pbwire.h"

/* Field numbers of TrackableObjectGraph (trackable_object_graph.proto). */
enum {
	GRAPH_NODES = 1,
	NODE_CHILDREN = 1,
	NODE_ATTRIBUTES = 2,
	NODE_SLOTS = 3,
	CHILD_NODE = 1,
	CHILD_NAME = 2,
	SLOT_ORIGINAL = 1,
	SLOT_NAME = 2,
	SLOT_NODE = 3,
	ATTRIBUTE_NAME = 1,
	ATTRIBUTE_FULL_NAME = 2,
	ATTRIBUTE_KEY = 3,
};

enum { READ_MAX = 64 << 20 };

static int take_attribute(struct span message, const struct graph_visitor *v, uint32_t node)
{
	struct graph_attribute a = {.node = node};
	struct pb_field f;
	int r;

	while ((r = pb_next(&message, &f)) > 0) {
		if (f.type != PB_BYTES)
			continue;
		if (f.number == ATTRIBUTE_NAME)
			a.name = f.bytes;
		else if (f.number == ATTRIBUTE_FULL_NAME)
			a.full_name = f.bytes;
		else if (f.number == ATTRIBUTE_KEY)
			a.key = f.bytes;
	}
	return r < 0 ? r : v->attribute(v->context, &a);
}

static uint32_t node_id_of(uint64_t value)
{
	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static int take_edge(struct span message, const struct graph_visitor *v, uint32_t node)
{
	struct graph_edge e = {.from = node};
	struct pb_field f;
	int r;

	while ((r = pb_next(&message, &f)) > 0) {
		if (f.number == CHILD_NODE && f.type == PB_VARINT)
			e.to = node_id_of(f.value);
		else if (f.number == CHILD_NAME && f.type == PB_BYTES)
			e.name = f.bytes;
	}
	return r < 0 ? r : v->edge(v->context, &e);
}

static int take_slot(struct span message, const struct graph_visitor *v, uint32_t node)
{
	struct graph_slot s = {.optimizer = node};
	struct pb_field f;
	int r;

	while ((r = pb_next(&message, &f)) > 0) {
		if (f.number == SLOT_ORIGINAL && f.type == PB_VARINT)
			s.original = node_id_of(f.value);
		else if (f.number == SLOT_NODE && f.type == PB_VARINT)
			s.node = node_id_of(f.value);
		else if (f.number == SLOT_NAME && f.type == PB_BYTES)
			s.name = f.bytes;
	}
	return r < 0 ? r : v->slot(v->context, &s);
}

int object_graph_walk_node(struct span message, uint32_t node, const struct graph_visitor *v)
{
	struct pb_field f;
	int r;

	while ((r = pb_next(&message, &f)) > 0) {
		if (f.type != PB_BYTES)
			continue;
		if (f.number == NODE_ATTRIBUTES && v->attribute)
			r = take_attribute(f.bytes, v, node);
		else if (f.number == NODE_CHILDREN && v->edge)
			r = take_edge(f.bytes, v, node);
		else if (f.number == NODE_SLOTS && v->slot)
			r = take_slot(f.bytes, v, node);
		if (r < 0)
			break;
	}
	return r;
}

int object_graph_walk(struct span graph, const struct graph_visitor *v, struct error *err)
{
	struct span message;
	uint32_t node = 0;
	int r;

	while ((r = pb_next_bytes(&graph, GRAPH_NODES, &message)) > 0) {
		r = object_graph_walk_node(message, node, v);
		if (r < 0)
			break;
		node++;
	}
	if (r == -EBADMSG)
		return error_set(err, r, "the object graph is no message: node %u", node);
	return r;
}

/* ---- checked, printed ---- */

/* The edge that leads farthest: whether it leads to a node is known at the end of the graph. */
struct edges {
	uint64_t farthest; /* of all targets; a negative one is beyond every other */
	uint32_t from;	   /* the first node with an edge to it */
};

static void note_edge(struct edges *e, uint32_t from, uint64_t target)
{
	if (target <= e->farthest)
		return;
	e->farthest = target;
	e->from = from;
}

/* A child or a slot of node `from`. */
static int note_edges(struct edges *e, uint32_t from, uint32_t kind, struct span message)
{
	struct pb_field f;
	int r;

	while ((r = pb_next(&message, &f)) > 0) {
		bool target = kind == NODE_CHILDREN
				      ? f.number == CHILD_NODE
				      : f.number == SLOT_ORIGINAL || f.number == SLOT_NODE;

		if (target && f.type == PB_VARINT)
			note_edge(e, from, f.value);
	}
	return r;
}

static int note_node(struct edges *e, uint32_t id, struct span node)
{
	struct pb_field f;
	int r;

	while ((r = pb_next(&node, &f)) > 0) {
		if (f.type != PB_BYTES || (f.number != NODE_CHILDREN && f.number != NODE_SLOTS))
			continue;
		r = note_edges(e, id, f.number, f.bytes);
		if (r < 0)
			return r;
	}
	return r;
}

int object_graph_check(struct span graph, size_t *ret_nodes, struct error *err)
{
	struct edges edges = {0};
	struct span node;
	uint32_t n = 0;
	int r;

	while ((r = pb_next_bytes(&graph, GRAPH_NODES, &node)) > 0) {
		r = note_node(&edges, n, node);
		if (r < 0)
			break;
		n++;
	}
	if (r < 0)
		return error_set(err, -EBADMSG, "the object graph is no message: node %u", n);
	if (edges.farthest && edges.farthest >= n)
		return error_set(err, -EBADMSG,
				 "node %u of the object graph has an edge to node %lld, but there "
				 "are %u nodes",
				 edges.from, (long long)edges.farthest, n);
	*ret_nodes = n;
	return 0;
}

/* ---- in memory ---- */

/* The node, made with all before it. NULL without memory. */
static struct graph_node *reach(struct object_graph *g, uint32_t node)
{
	while (g->n <= node) {
		struct graph_node *grown =
			vector_grow(g->nodes, g->n, &g->capacity, sizeof(*grown));

		if (!grown)
			return NULL;
		g->nodes = grown;
		grown[g->n++] = (struct graph_node){0};
	}
	return &g->nodes[node];
}

static int add_attribute(void *graph, const struct graph_attribute *a)
{
	struct graph_node *n;

	if (!span_is(a->name, "VARIABLE_VALUE"))
		return 0;
	n = reach(graph, a->node);
	if (!n)
		return -ENOMEM;
	n->key = a->key;
	return 0;
}

static int add_edge(void *graph, const struct graph_edge *e)
{
	struct object_graph *g = graph;
	struct graph_edge *grown =
		vector_grow(g->edges, g->n_edges, &g->edges_capacity, sizeof(*grown));
	struct graph_node *n = grown ? reach(g, e->from) : NULL;

	if (grown)
		g->edges = grown;
	if (!n)
		return -ENOMEM;
	if (!n->n)
		n->first = (uint32_t)g->n_edges;
	n->n++;
	g->edges[g->n_edges++] = *e;
	return 0;
}

int object_graph_read(struct span bytes, struct object_graph *ret, struct error *err)
{
	const struct graph_visitor v = {
		.attribute = add_attribute, .edge = add_edge, .context = ret};

	if (bytes.n > READ_MAX)
		return error_set(err, -EFBIG, "the object graph takes more than %d MiB",
				 READ_MAX >> 20);
	return object_graph_walk(bytes, &v, err);
}

void object_graph_release(struct object_graph *g)
{
	free(g->nodes);
	free(g->edges);
	*g = (struct object_graph){0};
}
