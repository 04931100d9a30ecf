/* model.json: what there is to say of a model as a whole. */
#ifndef CODEC_GRAPH_MODEL_JSON_H
#define CODEC_GRAPH_MODEL_JSON_H

#include "codec/model/model.h"

/*
 * Adds to out one JSON object, indented, with a newline at the end. Its members, in this order;
 * those marked ? are left out where they are not known or do not apply, and those marked * come
 * from the format (explain() in codec/model/format.h):
 *
 *	format			"saved_model", "checkpoint" ...: the name of the format
 *	kind ?			what saved it, in words: "Keras 2 SavedModel" ...
 *	tensorflow_version ?	of the TensorFlow that saved it
 *	keras_version ?		of the Keras that saved it
 *	metagraphs * ?		a SavedModel: how many MetaGraphDefs it has
 *	metagraph_names * ?	where it has several: what they are called below metagraphs/
 *	tags * ?			a SavedModel: those of the MetaGraphDef that is shown
 *	signatures * ?		a SavedModel: the names of its signatures
 *	tensors			how many variables there are
 *	bytes			of all of them together, as they are shown in variables/
 *	damaged ?		how many of them cannot be read (in tensors, not in bytes)
 *	objects * ?		how many nodes the object graph has
 *	shards *			how many data files the index counts
 *	bundle_producer * ?	the version of the checkpoint's format
 *	byte_order *		"little" or "big": of the data files; the view is always
 *				little-endian
 *	object_based *		true: TF2's keys, with an object graph; false: TF1's names
 *	read_only ?		why nothing can be edited
 *	absent ?		{"signatures": WHY, "config.json": WHY ...}: what one might look for
 *				in vain
 *	notes ?			[sentence ...]: what the user should know besides
 *
 * It says what the model is on disk; edits that are pending are not in it. In a name, bytes that
 * are no UTF-8 become U+FFFD. -ENOMEM.
 */
int model_json(const struct model *m, struct buf *out);

#endif
