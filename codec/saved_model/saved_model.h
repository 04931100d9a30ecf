/*
 * saved_model.pb, walked without a copy
 * (upstream: core/protobuf/{saved_model,meta_graph,saved_object_graph}.proto).
 *
 * A SavedModel holds MetaGraphDefs; most hold one. Its graph may take gigabytes and is stepped
 * over. All that these functions give out borrows from the file's bytes. Those called _next take
 * something off the front of a span: 1; 0 at the end; -EBADMSG, with the span at the bytes that
 * are no message.
 */
#ifndef CODEC_SAVED_MODEL_SAVED_MODEL_H
#define CODEC_SAVED_MODEL_SAVED_MODEL_H

#include "codec/container/pbwire.h"

/* Numbers of the fields that we look into, upstream. */
enum {
	SAVED_MODEL_META_GRAPHS = 2,
	META_GRAPH_INFO = 1,
	META_GRAPH_SAVER = 3,
	META_GRAPH_SIGNATURE = 5,
	META_GRAPH_ASSET = 6,
	META_GRAPH_OBJECT_GRAPH = 7,
};

struct metagraph {
	struct span body;	  /* all its fields, for the functions below */
	struct span info;	  /* MetaInfoDef */
	struct span object_graph; /* SavedObjectGraph; p is NULL in a TF1 model */
	/* TensorFlow restores it from variables/, and fails where that is missing. A graph of
	 * TensorFlow 1 that has no variables is not restored. */
	bool restored;
};

/* The next MetaGraphDef. file: at first, the whole of saved_model.pb. */
int saved_model_next(struct span *file, struct metagraph *ret);

/*
 * Which of the MetaGraphDefs a server takes, counted from 0, and how many there are: the only
 * one; else the one whose tags are exactly {"serve"}; else the first. -EBADMSG: no message (err
 * has the offset), or none is there.
 */
int saved_model_served(struct span file, size_t *ret_served, size_t *ret_n, struct error *err);

/* Finds the MetaGraphDef that saved_model_served() chooses. Fails as that does. */
int saved_model_open_served(struct span file, struct metagraph *ret, struct error *err);

/* Writes the sentence for what a _next function refused, and returns -EBADMSG. */
int saved_model_bad(struct span file, struct span at, struct error *err);

/* A tag. info: at first, metagraph.info. */
int metagraph_next_tag(struct span *info, struct span *ret);

/* The version of TensorFlow that wrote it: 1; 0 if it says none. */
int metagraph_tensorflow_version(const struct metagraph *g, struct span *ret);

struct metagraph_signature {
	struct span name, def; /* def: a SignatureDef */
};

/* An entry of signature_def, TensorFlow's own among them. body: at first, metagraph.body. */
int metagraph_next_signature(struct span *body, struct metagraph_signature *ret);

/* True for the signatures that TensorFlow keeps for its own use, and that nobody calls. */
bool metagraph_signature_is_internal(struct span name);

/* The name, relative to assets/, in an entry of asset_file_def. body: as above. */
int metagraph_next_asset(struct span *body, struct span *ret);

/*
 * The nodes of a SavedObjectGraph that its functions work with (what they were traced with as
 * inputs of their own: variables, tables): a bit each is set in ret, which is empty at first.
 * -EBADMSG: no message. -ENOMEM.
 */
int saved_model_used_nodes(struct span object_graph, struct buf *ret);

#endif
