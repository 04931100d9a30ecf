/* What the files of this wing say to each other. */
#ifndef CODEC_SAVED_MODEL_INTERNAL_H
#define CODEC_SAVED_MODEL_INTERNAL_H

#include "codec/base/buf.h"
#include "codec/bundle/own.h"
#include "codec/graph/layers.h"
#include "codec/model/format.h"

/* Names of files. */
#define GRAPH	    "saved_model.pb"
#define GRAPH_TEXT  "saved_model.pbtxt"
#define METADATA    "keras_metadata.pb"
#define FINGERPRINT "fingerprint.pb"
#define FOLDER	    "variables"
#define IN_FOLDER   "variables" /* the prefix there */
#define VARIABLES   FOLDER "/" IN_FOLDER

static const uint64_t metadata_max = 256 << 20; /* bytes of keras_metadata.pb */

/* What the model has as m->own. */
struct saved_model_own {
	struct bundle_own bundle; /* its arena has the tags, too */
	struct span *tags;	  /* of the MetaGraphDef that is shown, in the order of the file */
	size_t n_tags;
};

/* True if a function works with that node of the graph in saved_model.pb: it has a bit each. */
static inline bool uses_node(struct span used, uint32_t node)
{
	return node / 8 < used.n && used.p[node / 8] >> node % 8 & 1;
}

/* What the graph says of the variables, as far as it is read. */
struct graph_says {
	bool restored;	 /* TensorFlow wants some */
	struct buf used; /* bits of the nodes that functions work with (uses_node()) */
};

/*
 * Loads what saved_model.pb and Keras's metadata say: documents, groups, versions, tags. What makes
 * no sense is noted, and costs the documents. -EBADMSG, -ESTALE and the like: it cannot be told
 * what the model is.
 */
int saved_model_load_documents(struct model *m, struct graph_says *ret, struct error *err);
/*
 * Names the variables of a loaded model that have no name in the checkpoint as saved_model.pb does.
 * Where that cannot be read it is remarked. -ENOMEM.
 */
int saved_model_name_variables(struct model *m, struct span used);
/* struct layers_source's (codec/graph/layers.h). */
int saved_model_keras_nodes(struct model *m,
			    int (*each)(void *context, const struct keras_node *node),
			    void *context, struct error *err);

#endif
