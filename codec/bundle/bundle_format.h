/*
 * What a format is made of whose models have a bundle (codec/model/format.h): a checkpoint that
 * stands by itself, or the variables of a SavedModel. Its model->own begins with a struct
 * bundle_own (codec/bundle/own.h).
 */
#ifndef CODEC_BUNDLE_BUNDLE_FORMAT_H
#define CODEC_BUNDLE_BUNDLE_FORMAT_H

#include "codec/model/format.h"
#include "codec/save/outbox.h"
#include "codec/save/stage.h"

/*
 * Loads the bundle with that prefix (relative to the root) into the model: tensors, shards, object
 * graph. *m->own is all zero. -ENOENT if it has no index.
 */
int bundle_load(struct model *m, const char *prefix, struct error *err);
/* How many variables have no name in the object graph. */
size_t bundle_count_nameless(const struct model *m);
/* Remarks that there are some, for who looks for them in names/. */
void bundle_remark_nameless(struct model *m);

/* True if a bundle of that prefix may have a file of that name; both are relative to its root. */
bool bundle_owns(const char *prefix, const char *name);
/*
 * Stages the bundle as edited, as one shard and its index, and puts them into the outbox: their
 * names there are that prefix and what is behind it. -EIO: a part of it is missing or damaged.
 */
int bundle_save_elsewhere(struct model *m, const char *prefix, struct stage *stage,
			  struct outbox *out, struct error *err);
/* Puts the bundle into the outbox as it is on disk. -ENOMEM. */
int bundle_keep(const struct model *m, struct outbox *out);

/* As struct format's, for a model that has a bundle. */
int bundle_allows(const struct model *m, const struct change *c, struct error *err);
int bundle_save(struct model *m, struct stage *stage, struct error *err);
/* As struct format's, for a model that has a bundle, or none. */
int bundle_graph(struct model *m, struct buf *stored, struct span *ret, struct error *err);
int bundle_print(struct model *m, const struct document *d, struct buf *out, struct error *err);
int bundle_layers(struct model *m, struct layers *ret, struct error *err);
void bundle_explain(const struct model *m, enum explained what, struct json_write *out);
void bundle_verify(struct model *m, void (*fault)(void *context, const char *sentence),
		   void *context);

#endif
