/*
 * What renaming, removing and creating tensors means in the object graph of a checkpoint: bytes in,
 * changes of keys in, bytes out (what TensorFlow does with the result was measured; upstream:
 * core/protobuf/trackable_object_graph.proto, python/checkpoint/restore.py).
 *
 * A restore follows edges from the root to a node and then reads the key that the node's attribute
 * names. So one change of a key touches several places:
 *
 *	rename	the attribute's checkpoint_key; the edge at the parent of the path that the key
 *		spells (other edges into the node stay); where a whole subtree is renamed, the one
 *		edge at its top. Missing parents are made. The variable's own name (full_name)
 *		follows where its last part was the old one.
 *	remove	the attribute; a node that leads to no attribute any more goes: every edge into it,
 *		and the slots of optimizers that speak of it. Numbers of nodes never change: what
 *		goes stays as an empty node.
 *	create	a node, its attribute, and an edge at the parent; of a slot (the key has
 *		/.OPTIMIZER_SLOT/ in it) an entry in the optimizer's list of slots instead
 *
 * An optimizer of TensorFlow 2.11 or later keeps its variables in lists (`_variables`,
 * `_momentums` ...), whose edges are positions: a list that lost an element is closed up.
 *
 * No save calls it yet: what is edited today are values.
 *
 * All changes count as made at once, so a swap of two names needs no third. Bytes of nodes that no
 * change touches stay as they are.
 */
#ifndef CODEC_BUNDLE_GRAPH_EDIT_H
#define CODEC_BUNDLE_GRAPH_EDIT_H

#include "codec/base/buf.h"
#include "codec/base/error.h"

/* One tensor of the bundle has another checkpoint key. */
struct key_change {
	struct span from; /* p NULL: it is new */
	struct span to;	  /* p NULL: it was removed */
};

struct graph_edit_report {
	unsigned closed;   /* lists of optimizers that were closed up */
	unsigned unplaced; /* new keys for which the graph has no place: TensorFlow ignores them */
};

/*
 * Adds to out the graph as it is after the changes, of which no two have one `from` or one `to`.
 * -EFBIG: the graph takes more than 64 MiB. -EBADMSG: it is no graph, or has an edge to a node that
 * it has not; err says where. -ENOMEM.
 */
int graph_edit(struct span graph, const struct key_change *changes, size_t n, struct buf *out,
	       struct graph_edit_report *ret, struct error *err);

#endif
