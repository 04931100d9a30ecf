#include "codec/object_graph.h"

#include "codec/pbjson.h"
#include "trackable_object_graph.pb-c.h"

/* Field numbers of TrackableObjectGraph (trackable_object_graph.proto). */
enum {
	GRAPH_NODES = 1,
	NODE_CHILDREN = 1,
	NODE_ATTRIBUTES = 2,
	NODE_SLOTS = 3,
	CHILD_NODE = 1,
	SLOT_ORIGINAL = 1,
	SLOT_NODE = 3,
	ATTRIBUTE_NAME = 1,
	ATTRIBUTE_FULL_NAME = 2,
	ATTRIBUTE_KEY = 3,
};

static int take_attribute(struct span message, struct graph_attribute *ret)
{
	struct pb_field f;
	int r;

	while ((r = pb_next(&message, &f)) > 0) {
		if (f.number == ATTRIBUTE_NAME)
			ret->name = f.bytes;
		else if (f.number == ATTRIBUTE_FULL_NAME)
			ret->full_name = f.bytes;
		else if (f.number == ATTRIBUTE_KEY)
			ret->key = f.bytes;
	}
	return r;
}

int object_graph_attributes(struct span graph,
			    int (*each)(void *context, const struct graph_attribute *attribute),
			    void *context, struct error *err)
{
	struct pb_field node, field;
	uint32_t id = 0;
	int r, inner = 0;

	while ((r = pb_next(&graph, &node)) > 0) {
		if (node.number != GRAPH_NODES || node.type != PB_BYTES)
			continue;
		while ((inner = pb_next(&node.bytes, &field)) > 0) {
			struct graph_attribute a = {.node = id};

			if (field.number != NODE_ATTRIBUTES || field.type != PB_BYTES)
				continue;
			inner = take_attribute(field.bytes, &a);
			if (inner < 0)
				break;
			inner = each(context, &a);
			if (inner < 0)
				return inner;
		}
		if (inner < 0)
			break;
		id++;
	}
	if (r < 0 || inner < 0)
		return error_set(err, -EBADMSG, "the object graph is no message: node %u", id);
	return 0;
}

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

int object_graph_print(struct span graph, struct buf *out, struct error *err)
{
	static const char *const bytes_fields[] = {NULL};
	const char *separator = "\n";
	struct span node;
	int r;

	buf_add_str(out, "{\"nodes\": [");
	while ((r = pb_next_bytes(&graph, GRAPH_NODES, &node)) > 0) {
		cleanup_arena struct arena arena = {0};
		const ProtobufCMessage *message =
			pb_unpack(&tensorflow__trackable_object_graph__trackable_object__descriptor,
				  node, &arena, err);

		if (!message)
			return -EBADMSG;
		buf_add_str(out, separator);
		pbjson_print_line(message, bytes_fields, out);
		separator = ",\n";
	}
	if (r < 0)
		return error_set(err, r, "the object graph is no message");
	buf_add_str(out, "\n]}\n");
	return buf_error(out);
}
