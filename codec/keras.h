/*
 * What Keras 2 wrote about the objects of a SavedModel: a node of metadata (JSON) for each, in
 * keras_metadata.pb or, before TensorFlow 2.5, in saved_model.pb itself
 * (upstream: keras/protobuf/saved_metadata.proto, keras/saving/legacy/saved_model/).
 *
 * The model as a whole is node 0, the root. Keras 3 writes nothing of the kind.
 */
#ifndef CODEC_KERAS_H
#define CODEC_KERAS_H

#include "codec/buf.h"
#include "codec/error.h"

/*
 * The metadata of the root in the bytes of keras_metadata.pb: 1, with a span of them; 0 if the
 * root has none; -EBADMSG if they are no message.
 */
int keras_root_metadata(struct span file, struct span *ret, struct error *err);
/* The same in a SavedObjectGraph of TensorFlow 2.0 to 2.4; 0 if the root is no Keras object. */
int keras_root_metadata_old(struct span object_graph, struct span *ret, struct error *err);

/*
 * Adds to config the architecture as model_from_json() takes it, and as model.to_json() printed
 * it up to Keras 2.12: {"class_name", "config", "keras_version", "backend"} on one line, its
 * numbers and strings spelled as in metadata, Keras's wrappers of tuples and shapes undone,
 * every "shared_object_id" left out. Adds to version that of Keras, where it is named.
 *
 * 1; 0 if the metadata has no architecture (a subclassed model may have none), with version set
 * all the same; -EBADMSG if it is no JSON; -ENOMEM.
 */
int keras_config(struct span metadata, struct buf *config, struct buf *version, struct error *err);

#endif
