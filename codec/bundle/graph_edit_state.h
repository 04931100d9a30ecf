/* The object graph in memory while it is edited, for graph_edit*.c. */
#ifndef CODEC_BUNDLE_GRAPH_EDIT_STATE_H
#define CODEC_BUNDLE_GRAPH_EDIT_STATE_H

#include "codec/bundle/graph_edit.h"

/* Field numbers of TrackableObjectGraph (trackable_object_graph.proto). */
enum {
	GRAPH_NODES = 1,
	NODE_CHILDREN = 1,
	NODE_ATTRIBUTES = 2,
	NODE_SLOTS = 3,
	NODE_HAS_VALUES = 5,
	CHILD_NODE = 1,
	CHILD_NAME = 2,
	ATTRIBUTE_NAME = 1,
	ATTRIBUTE_FULL_NAME = 2,
	ATTRIBUTE_KEY = 3,
	SLOT_ORIGINAL = 1,
	SLOT_NAME = 2,
	SLOT_NODE = 3,
};

enum { NO_NODE = UINT32_MAX };

/* What became of an edge, an attribute or a slot since the graph was read. */
enum fate { KEPT, CHANGED, ADDED, GONE };

struct edit_edge {
	uint32_t from, to;
	struct span name; /* unescaped */
	enum fate fate;
};

struct edit_attribute {
	uint32_t node;
	struct span name, full_name, key;
	enum fate fate;
};

/* A slot variable of an optimizer, which the node `from` is. */
struct edit_slot {
	uint32_t from, original, variable;
	struct span name;
	enum fate fate;
};

/* Which of an array belong to a node: those that were read stand together, in their order. */
struct edit_range {
	uint32_t first, n;
};

struct edit_node {
	struct span bytes; /* as it was read; p NULL: it was made */
	struct edit_range edges, attributes, slots;
	bool touched; /* its bytes are to be written anew */
	bool cleared; /* nothing of it is left */
};

struct graph_editor {
	struct edit_node *nodes;
	struct edit_edge *edges;
	struct edit_attribute *attributes;
	struct edit_slot *slots;
	size_t n_nodes, n_edges, n_attributes, n_slots;
	size_t nodes_capacity, edges_capacity, attributes_capacity, slots_capacity;
	uint32_t *table; /* edges by node and name: 1 + index, 0 is free; a power of two */
	size_t table_size, table_used;
	struct arena arena;
	struct graph_edit_report report;
	struct error *err;
};

/* ---- graph_edit_read.c ---- */

/* Reads a graph into an editor that is all zero but for err. Errors of graph_edit(). */
int editor_read(struct graph_editor *g, struct span graph);
void editor_release(struct graph_editor *g);
/* Adds one at the end, and what finds it. -ENOMEM. */
int editor_add_node(struct graph_editor *g, struct span bytes, uint32_t *ret);
int editor_add_edge(struct graph_editor *g, const struct edit_edge *e);
int editor_add_attribute(struct graph_editor *g, const struct edit_attribute *a);
int editor_add_slot(struct graph_editor *g, const struct edit_slot *s);
/* The edge of that name that leaves the node, or NULL. */
struct edit_edge *editor_find(const struct graph_editor *g, uint32_t from, struct span name);
/* Gives an edge another name. -ENOMEM. */
int editor_rename_edge(struct graph_editor *g, struct edit_edge *e, struct span name);
void editor_drop_edge(struct graph_editor *g, struct edit_edge *e);

/* ---- graph_edit_move.c ---- */

/* An object that keeps its attribute and whose path may be another one now. */
struct edit_leaf {
	struct span from, to; /* paths: keys without their tail; to.p NULL: removed */
};

/* Leads the edges where the paths say. Sorts the leaves. -ENOMEM. */
int editor_move(struct graph_editor *g, struct edit_leaf *leaves, size_t n);
/* The node at a path as it is now, or NO_NODE; made, if it is to be, with what leads there. */
int editor_walk(struct graph_editor *g, struct span path, bool make, uint32_t *ret);

/* ---- graph_edit_prune.c ---- */

/* Clears the nodes that led to an attribute and lead to none now, and closes lists. -ENOMEM. */
int editor_prune(struct graph_editor *g);

/* ---- graph_edit_write.c ---- */

/* Adds the graph as it is now; graph is what was read. */
int editor_write(struct graph_editor *g, struct span graph, struct buf *out);

#endif
