/*
 * The layers of a Keras model in the order of model.layers, and the weights of each in the order
 * of its get_weights().
 *
 * What there is to go by, the first that is there (facts: measured with TensorFlow):
 *
 *	root.keras_api.layers	a list of the layers; Keras 2, in a SavedModel
 *	root.layer-<i>		the same, numbered: functional and sequential models
 *	root.variables		a list of all weights; Keras 3's export(), which has no layers:
 *				their own names tell which belong together
 *	root			its children: a subclassed model, by save_weights()
 *	root.X.layer-<i>	a Checkpoint(X=model)
 *
 * The weights of a layer are those of its list `variables`, in a SavedModel, or those that hang
 * below it in the object graph.
 *
 * A layer is called as Keras's metadata say. A checkpoint of weights has none: then by the prefix
 * that its weights' own names share; where they share none by its name in the graph (layer-3), and
 * a layer without weights is left out.
 */
#ifndef CODEC_GRAPH_LAYERS_H
#define CODEC_GRAPH_LAYERS_H

#include "codec/model/model.h"

struct layer {
	struct span name; /* no two are the same */
	size_t first, n;  /* its weights */
};

struct layer_weight {
	tensor_id tensor;
	struct span name; /* what is left of its own name, dots for slashes; unique in its layer */
};

struct layers {
	struct layer *layers;
	size_t n;
	struct layer_weight *weights;
	size_t n_weights;
	struct arena arena; /* all of them, and the names */
};

struct keras_node;

/* What a format has besides the object graph. */
struct layers_source {
	bool lists; /* Keras's own lists of layers and weights are in the graph: a SavedModel's */
	/*
	 * Calls each() for what Keras 2 wrote about nodes of the graph, as it is on disk now.
	 * Nothing is no error. What each() returns below 0 ends it. NULL: it wrote nothing.
	 */
	int (*keras_nodes)(struct model *m,
			   int (*each)(void *context, const struct keras_node *node), void *context,
			   struct error *err);
};

/*
 * Finds the layers in the object graph that the model's format gives. None is no error. -EBADMSG,
 * -EFBIG, -EIO, -ESTALE: the graph or the metadata cannot be read. Released in any case.
 */
int layers_read(struct model *m, const struct layers_source *source, struct layers *ret,
		struct error *err);
void layers_release(struct layers *l);
#define cleanup_layers __attribute__((cleanup(layers_release)))

#endif
