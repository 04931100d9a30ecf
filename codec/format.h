/*
 * A format: how the files of one kind of model are found, read and written. A new one is a new
 * file that ends in a struct format, and one word in the list of model.c.
 */
#ifndef CODEC_FORMAT_H
#define CODEC_FORMAT_H

#include "codec/model.h"

struct stage;
struct staged;

struct format {
	const char *name; /* as model.json says it */
	/*
	 * How sure it is, 0 (not mine) to 100, that the place holds a model of this format. Looks
	 * at names and, at most, at the first bytes.
	 */
	int (*probe)(const struct place *place);
	/* Fills the model, whose place is set. Errors as model_open(). */
	int (*load)(struct model *m, struct error *err);
	/*
	 * Puts into the stage what a commit of the model's edits writes (codec/stage.h). NULL: the
	 * format is read-only.
	 */
	int (*save)(struct model *m, struct stage *stage, struct error *err);
};

extern const struct format format_bundle, format_saved_model;

/*
 * Loads the bundle with that prefix (relative to the root) into the model: tensors, shards,
 * object graph. -ENOENT if it has no index.
 */
int bundle_load(struct model *m, const char *prefix, struct error *err);
/* Adds what a commit of the model's edited tensors writes. */
int bundle_save(struct model *m, struct stage *stage, struct error *err);
/* Stages all of it, as edited, as one shard and its index, for another place. */
int bundle_write_fresh(struct model *m, struct stage *stage, struct staged *ret_shard,
		       struct staged *ret_index, struct error *err);
/* Notes a file whose content the edits are based on. -ENOMEM. */
int model_add_base(struct model *m, const char *name, const struct file *file);
/* Adds a document; its strings must live in the model's arena. -ENOMEM. */
int model_add_document(struct model *m, enum document_type type, struct span name,
		       struct span text);

#endif
