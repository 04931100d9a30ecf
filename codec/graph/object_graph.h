/*
 * The trackable object graph of a TF2 checkpoint: what the key _CHECKPOINTABLE_OBJECT_GRAPH holds
 * (upstream: core/protobuf/trackable_object_graph.proto, python/checkpoint/).
 *
 * Nodes are known by their numbers; the root is 0. Everything borrows from the graph's bytes.
 */
#ifndef CODEC_GRAPH_OBJECT_GRAPH_H
#define CODEC_GRAPH_OBJECT_GRAPH_H

#include "codec/base/buf.h"
#include "codec/base/error.h"

/* One attribute of a node: a value that a bundle key holds. */
struct graph_attribute {
	uint32_t node;
	struct span name;      /* VARIABLE_VALUE for variables */
	struct span full_name; /* the variable's own name; may be empty */
	struct span key;       /* checkpoint key */
};

/* A child of a node, under the name that its parent has for it. */
struct graph_edge {
	uint32_t from, to; /* `to` need not be there */
	struct span name;
};

/* What an optimizer keeps for a variable. */
struct graph_slot {
	uint32_t optimizer, original, node; /* the latter two need not be there */
	struct span name;
};

/* Is told what there is, node by node; NULL: of nothing. What it returns below 0 ends the walk. */
struct graph_visitor {
	int (*attribute)(void *context, const struct graph_attribute *attribute);
	int (*edge)(void *context, const struct graph_edge *edge);
	int (*slot)(void *context, const struct graph_slot *slot);
	void *context;
};

/* 0, what the visitor returned, or -EBADMSG: not a graph. */
int object_graph_walk(struct span graph, const struct graph_visitor *v, struct error *err);
/* Walks one node, number `node`, whose bytes message holds. 0, what the visitor returned, or
 * -EBADMSG. */
int object_graph_walk_node(struct span message, uint32_t node, const struct graph_visitor *v);

/* A node of a graph that object_graph_read() has put into memory. */
struct graph_node {
	uint32_t first, n; /* its edges */
	struct span key;   /* of its VARIABLE_VALUE: a variable; p is NULL for other nodes */
};

struct object_graph {
	struct graph_node *nodes;
	struct graph_edge *edges; /* in their order; those of a node stand together */
	size_t n, n_edges;	  /* nodes at the end that have nothing are left out */
	size_t capacity, edges_capacity;
};

/* Reads a graph of at most 64 MiB. -EFBIG, -EBADMSG, -ENOMEM. Released in any case. */
int object_graph_read(struct span bytes, struct object_graph *ret, struct error *err);
void object_graph_release(struct object_graph *g);
#define cleanup_graph __attribute__((cleanup(object_graph_release)))

/*
 * How many nodes it has, and whether all edges lead to one of them. -EBADMSG: not a graph, or an
 * edge (of a child or a slot) leads nowhere, which TensorFlow cannot restore; err names the node.
 */
int object_graph_check(struct span graph, size_t *ret_nodes, struct error *err);

/*
 * Adds the graph to out as JSON: what json_format.MessageToJson prints, but with a node on each
 * line: that of node N is line N + 2. -EBADMSG, -ENOMEM.
 */
int object_graph_print(struct span graph, struct buf *out, struct error *err);

#endif
