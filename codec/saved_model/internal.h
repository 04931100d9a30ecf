/* What the files of this wing say to each other. */
#ifndef CODEC_SAVED_MODEL_INTERNAL_H
#define CODEC_SAVED_MODEL_INTERNAL_H

#include "codec/model/model.h"

/* Names of files. */
#define GRAPH	    "saved_model.pb"
#define METADATA    "keras_metadata.pb"
#define FINGERPRINT "fingerprint.pb"
#define FOLDER	    "variables"
#define IN_FOLDER   "variables" /* the prefix there */
#define VARIABLES   FOLDER "/" IN_FOLDER

static const uint64_t metadata_max = 256 << 20; /* bytes of keras_metadata.pb */

/*
 * Names the variables of a loaded model that have no name in the checkpoint as saved_model.pb does.
 * Where that cannot be read it is remarked. -ENOMEM.
 */
int saved_model_name_variables(struct model *m);
/* struct layers_source's (codec/graph/layers.h). */
struct keras_node;
int saved_model_keras_nodes(struct model *m,
			    int (*each)(void *context, const struct keras_node *node),
			    void *context, struct error *err);

#endif
