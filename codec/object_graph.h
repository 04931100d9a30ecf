/*
 * The trackable object graph of a TF2 checkpoint: what the key _CHECKPOINTABLE_OBJECT_GRAPH holds
 * (upstream: core/protobuf/trackable_object_graph.proto, python/checkpoint/).
 */
#ifndef CODEC_OBJECT_GRAPH_H
#define CODEC_OBJECT_GRAPH_H

#include "codec/buf.h"
#include "codec/error.h"

/* One attribute of a node: a value that a bundle key holds. Everything borrows from the graph. */
struct graph_attribute {
	uint32_t node;
	struct span name;      /* VARIABLE_VALUE for variables */
	struct span full_name; /* the variable's own name; may be empty */
	struct span key;       /* checkpoint key */
};

/*
 * Calls each() for every attribute of every node, until it returns a value below 0, which is
 * then returned. -EBADMSG: not a graph, or an edge of it leads to a node that it does not have.
 */
int object_graph_attributes(struct span graph,
			    int (*each)(void *context, const struct graph_attribute *attribute),
			    void *context, struct error *err);

/*
 * How many nodes it has, and whether all edges lead to one of them. -EBADMSG: not a graph, or an
 * edge (of a child or a slot) leads nowhere, which TensorFlow cannot restore; err names the node.
 */
int object_graph_check(struct span graph, size_t *ret_nodes, struct error *err);

/*
 * Adds the graph to out as JSON: what json_format.MessageToJson prints, but with a node on each
 * line: that of node N is line N + 2. A node at a time is in memory besides. -EBADMSG, -ENOMEM.
 */
int object_graph_print(struct span graph, struct buf *out, struct error *err);

#endif
