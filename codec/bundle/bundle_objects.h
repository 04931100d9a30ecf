/*
 * What a bundle holds beside the values of variables: the object graph, and in it the variables'
 * own names; the architecture of a Keras model, where an old TensorFlow stored it.
 */
#ifndef CODEC_BUNDLE_BUNDLE_OBJECTS_H
#define CODEC_BUNDLE_BUNDLE_OBJECTS_H

#include "codec/model/model.h"

/*
 * Fills in what the object graph says, for a model whose tensors and shards are loaded. A graph
 * that cannot be read, or makes no sense, is noted and costs what it would have said. -ENOMEM.
 */
int bundle_load_objects(struct model *m);

#endif
