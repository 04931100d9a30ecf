/*
 * What a bundle holds beside the values of variables: the object graph, and in it the variables'
 * own names; the architecture of a Keras model, where an old TensorFlow stored it.
 */
#ifndef CODEC_BUNDLE_BUNDLE_OBJECTS_H
#define CODEC_BUNDLE_BUNDLE_OBJECTS_H

#include "codec/model/format.h"

/*
 * Fills in what the object graph says, for a model whose tensors and shards are loaded. A graph
 * that cannot be read, or makes no sense, is noted and costs what it would have said. -ENOMEM.
 */
int bundle_load_objects(struct model *m);
/* Variables for which the object graph has no name. */
size_t bundle_count_nameless(const struct model *m);
/* Remarks that there are some, for who looks for them in names/. */
void bundle_remark_nameless(struct model *m);
/*
 * struct format's graph(), print(), layers(), explain() and verify() (codec/model/format.h), for a
 * model that has a bundle, or none.
 */
int bundle_graph(struct model *m, struct buf *stored, struct span *ret, struct error *err);
int bundle_print(struct model *m, const struct document *d, struct buf *out, struct error *err);
int bundle_layers(struct model *m, struct layers *ret, struct error *err);
void bundle_explain(const struct model *m, enum explained what, struct json_write *out);
void bundle_verify(struct model *m, void (*fault)(void *context, const char *sentence),
		   void *context);

#endif
