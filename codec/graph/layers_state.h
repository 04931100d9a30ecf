/* What the parts of layers.h share: the layers while they are found and named. */
#ifndef CODEC_GRAPH_LAYERS_STATE_H
#define CODEC_GRAPH_LAYERS_STATE_H

#include "codec/graph/layers.h"
#include "codec/graph/object_graph.h"

struct found_layer {
	uint32_t node;	  /* of the object graph */
	struct span edge; /* its name there */
	struct span name; /* as Keras says; p is NULL where nothing does */
	size_t first, n;  /* its weights */
};

struct found_weight {
	tensor_id tensor;
	uint32_t depth;	  /* objects between its layer and itself */
	struct span edge; /* its name in the graph */
};

struct finder {
	struct model *m;
	const struct layers_source *source;
	struct object_graph graph;
	bool subclassed; /* the layers are plain children of the root */
	struct found_layer *layers;
	size_t n, capacity;
	struct found_weight *weights;
	size_t n_weights, weights_capacity;
	uint32_t *seen; /* by node: which walk, counted from 1, came by there last */
	uint32_t walks;
	uint32_t nested;   /* objects and lists that a walk is in */
	size_t steps_left; /* edges that may still be looked at */
	bool tangled;	   /* that was not enough */
	struct error *err;
};

/*
 * The weights that were found are those of Keras 3's export(), all in one list: makes layers by
 * their own names. -ENOMEM.
 */
int layers_group(struct finder *f);
/* Makes the names, and what layers_read() gives out. -ENOMEM, or what reading metadata says. */
int layers_name(struct finder *f, struct layers *ret);

#endif
