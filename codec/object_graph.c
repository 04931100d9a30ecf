#include "codec/object_graph.h"

#include "codec/pbwire.h"

/* Field numbers of TrackableObjectGraph (trackable_object_graph.proto). */
enum {
	GRAPH_NODES = 1,
	NODE_ATTRIBUTES = 2,
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
