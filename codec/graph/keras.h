/*
 * What Keras 2 wrote about the objects of a SavedModel: a node of metadata (JSON) for each, in
 * keras_metadata.pb or, before TensorFlow 2.5, in saved_model.pb itself
 * (upstream: keras/protobuf/saved_metadata.proto, keras/saving/legacy/saved_model/).
 *
 * The model as a whole is node 0, the root. Keras 3 writes nothing of the kind.
 */
#ifndef CODEC_GRAPH_KERAS_H
#define CODEC_GRAPH_KERAS_H

#include "codec/base/buf.h"
#include "codec/base/error.h"

/* An object, by its number in the object graph. */
struct keras_node {
	uint64_t id;
	struct span metadata; /* empty: it is no object of Keras */
};

/*
 * Takes the next node off the front of the bytes of keras_metadata.pb, or of a SavedObjectGraph of
 * TensorFlow 2.0 to 2.4, where ret->id counts on from KERAS_BEFORE_FIRST: 1; 0 at the end;
 * -EBADMSG.
 */
int keras_next_node(struct span *file, struct keras_node *ret);
int keras_next_node_old(struct span *object_graph, struct keras_node *ret);
#define KERAS_BEFORE_FIRST UINT64_MAX

/* Adds the name of a layer: 1; 0 if its metadata says none; -ENOMEM. */
int keras_name(struct span metadata, struct buf *out);

/*
 * The metadata of the root in the bytes of keras_metadata.pb: 1, with a span of them; 0 if the
 * root has none; -EBADMSG if they are no message.
 */
int keras_root_metadata(struct span file, struct span *ret, struct error *err);
/*
 * The metadata of the root in a SavedObjectGraph of TensorFlow 2.0 to 2.4: 1, with a span of them;
 * 0 if the root is no Keras object; -EBADMSG if the bytes are no message.
 */
int keras_root_metadata_old(struct span object_graph, struct span *ret, struct error *err);

/* What the metadata of the root says; what it does not say is empty. A zeroed one is empty. */
struct keras_texts {
	/*
	 * The architecture as model_from_json() takes it, and as model.to_json() printed it up to
	 * Keras 2.12: {"class_name", "config", "keras_version", "backend"} on one line, its
	 * numbers and strings spelled as in metadata, Keras's wrappers of tuples and shapes
	 * undone, every "shared_object_id" left out. A subclassed model may have none.
	 */
	struct buf config;
	/* What model.compile() was given: "training_config" as it stands there. */
	struct buf training;
	struct buf version; /* of Keras */
};

/* -EBADMSG if it is no JSON; -ENOMEM. */
int keras_read(struct span metadata, struct keras_texts *ret, struct error *err);
void keras_release(struct keras_texts *texts);
#define cleanup_keras __attribute__((cleanup(keras_release)))

/*
 * Adds an architecture, {"class_name", "config"}, made of what Keras put into a checkpoint for each
 * layer and model (the attribute OBJECT_CONFIG_JSON, up to TensorFlow 2.0 or so): 1; 0 if the
 * object is no model with layers; -EBADMSG if it is no JSON; -ENOMEM.
 */
int keras_object_config(struct span json, struct buf *out, struct error *err);

#endif
