#include "codec/object_graph.h"

#include "codec/pbwire.h"

/* Field numbers of TrackableObjectGraph (trackable_object_graph.proto). */
enum {
	GRAPH_NODES = 1,
	NODE_CHILDREN = 1,
	NODE_ATTRIBUTES = 2,
	NODE_SLOTS = 3,
	CHILD_NODE = 1,
	SLOT_ORIGINAL = 1,
	SLOT_VARIABLE = 3,
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

static uint32_t count_nodes(struct span graph)
{
	struct span node;
	uint32_t n = 0;

	while (pb_next_bytes(&graph, GRAPH_NODES, &node) > 0)
		n++;
	return n;
}

/* An edge or a slot: the fields `first` and `second` of it are ids of nodes that there are. */
static int check_ids(struct span message, uint32_t first, uint32_t second, uint32_t nodes,
		     uint32_t id, struct error *err)
{
	struct pb_field f;
	int r;

	while ((r = pb_next(&message, &f)) > 0)
		if (f.type == PB_VARINT && (f.number == first || f.number == second) &&
		    f.value >= nodes)
			return error_set(err, -EBADMSG,
					 "the object graph leads from node %u to node %lld, and "
					 "there are %u",
					 id, (long long)f.value, nodes);
	return r < 0 ? error_set(err, r, "the object graph has a bad edge at node %u", id) : 0;
}

/* Each edge leads to a node that there is. Where the graph is cut, its reader says so. */
static int check_edges(struct span graph, struct error *err)
{
	struct span node;
	uint32_t nodes = count_nodes(graph);
	int r = 0;

	for (uint32_t id = 0; r == 0 && pb_next_bytes(&graph, GRAPH_NODES, &node) > 0; id++) {
		struct pb_field f;

		while (r == 0 && pb_next(&node, &f) > 0) {
			if (f.type == PB_BYTES && f.number == NODE_CHILDREN)
				r = check_ids(f.bytes, CHILD_NODE, 0, nodes, id, err);
			else if (f.type == PB_BYTES && f.number == NODE_SLOTS)
				r = check_ids(f.bytes, SLOT_ORIGINAL, SLOT_VARIABLE, nodes, id,
					      err);
		}
	}
	return r;
}

int object_graph_attributes(struct span graph,
			    int (*each)(void *context, const struct graph_attribute *attribute),
			    void *context, struct error *err)
{
	struct pb_field node, field;
	uint32_t id = 0;
	int r = check_edges(graph, err), inner = 0;

	if (r < 0)
		return r;
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
