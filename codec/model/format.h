/*
 * A format: how the files of one kind of model are found, read and written. A new one is a new
 * folder of codec/, with a file that ends in a struct format, and one word in the list of
 * codec/open.c.
 */
#ifndef CODEC_MODEL_FORMAT_H
#define CODEC_MODEL_FORMAT_H

#include "codec/model/model.h"

struct change;
struct json_write;
struct layers;
struct outbox;
struct stage;

enum explained {
	EXPLAIN_WHOLE,	 /* what it is, and what it is for: before its tensors are counted */
	EXPLAIN_STORAGE, /* how they are stored */
};

/*
 * What decode_all() tells of a run of values (a tensor, or a slice of one): its bytes, or r and why
 * it has none. t is NULL where a file has a fault that belongs to no tensor.
 */
typedef void decoded_visitor(void *context, const struct tensor *t, struct span bytes, int r,
			     const struct error *why);

struct format {
	const char *name; /* as model.json says it */
	/*
	 * Of a model that is several files, whose names begin alike: what is behind that in the
	 * name of the file that says what the others are. It is written last, and goes first.
	 */
	const char *ending;
	/* What must be in a folder that is to be taken for such a model, in words; or NULL. */
	const char *wants;
	/*
	 * How sure it is, 0 (not mine) to 100, that the place holds a model of this format. Looks
	 * at names and, at most, at the first bytes.
	 */
	int (*probe)(const struct place *place);
	/* Fills the model, whose place is set. Errors as model_open(). */
	int (*load)(struct model *m, struct error *err);
	/*
	 * Puts into the stage what a commit of the model's edits writes (codec/save/stage.h). NULL:
	 * the format is read-only.
	 */
	int (*save)(struct model *m, struct stage *stage, struct error *err);
	/*
	 * 0 if the change (codec/work/ledger.h) may be made of the model. -EPERM: this format
	 * cannot hold it. -EIO: of what is damaged. NULL: with save().
	 */
	int (*allows)(const struct model *m, const struct change *c, struct error *err);
	/*
	 * Puts the model as edited into the outbox (codec/save/outbox.h), for another place; what
	 * is new in it is staged. -EIO: a part of it is missing or damaged. With save.
	 */
	int (*save_elsewhere)(struct model *m, struct stage *stage, struct outbox *out,
			      struct error *err);
	/* Puts the model as it is on disk into the outbox, for a backup. -ENOMEM. With save. */
	int (*keep)(const struct model *m, struct outbox *out);
	/*
	 * True if a model whose files begin with that stem (NULL: it is a folder) may have a file
	 * of that name, which a commit makes or removes; both are relative to its root. With save.
	 */
	bool (*owns)(const char *stem, const char *name);
	/*
	 * Adds the content of a tensor, whose values are no range of bytes in a shard:
	 * tensor_size() bytes; of strings the stored form (codec/tensor/stored.h). -EIO: damaged,
	 * and out is to be dropped. -ESTALE. NULL: the tensors are ranges of bytes.
	 */
	int (*decode)(struct model *m, const struct tensor *t, struct buf *out, struct error *err);
	/* With decode: all runs of values of sound tensors; each file is read once. -ENOMEM. */
	int (*decode_all)(struct model *m, decoded_visitor *visit, void *context);
	/*
	 * Verifies what is stored beside the tensors, as an object graph is: says a sentence for
	 * each fault. NULL: there is nothing.
	 */
	void (*verify)(struct model *m, void (*fault)(void *context, const char *sentence),
		       void *context);
	/*
	 * The object graph as it lies on disk now, a serialized TrackableObjectGraph: *ret is a
	 * part of stored. The model's layout is locked. -ENOENT: there is none. -EIO: damaged.
	 * -ESTALE, -EFBIG, -ENOMEM. NULL: the format has none.
	 */
	int (*graph)(struct model *m, struct buf *stored, struct span *ret, struct error *err);
	/*
	 * What a document shows. The model's layout is locked. -EIO: what it is made from is
	 * damaged. -ESTALE, -EFBIG, -ENOMEM. NULL: its text, always.
	 */
	int (*print)(struct model *m, const struct document *d, struct buf *out, struct error *err);
	/*
	 * The layers (codec/graph/layers.h), from the model's files. None is no error. -EBADMSG,
	 * -EFBIG, -EIO, -ESTALE: what tells of them cannot be read. Where model->has_layers is set.
	 * *ret is to be released in any case. NULL: there are none.
	 */
	int (*layers)(struct model *m, struct layers *ret, struct error *err);
	/* Adds members of model.json (codec/graph/model_json.h): the format's own, in two places.
	 */
	void (*explain)(const struct model *m, enum explained what, struct json_write *out);
	/* Frees m->own, where that is not NULL. */
	void (*release)(void *own);
};

extern const struct format format_bundle, format_saved_model, format_v1, format_variables;

/* The two questions to a format that the views ask: print(), and layers(). */
int model_print(struct model *m, const struct document *d, struct buf *out, struct error *err);
int model_layers(struct model *m, struct layers *ret, struct error *err);

/* Notes a file whose content the edits are based on. -ENOMEM. */
int model_add_base(struct model *m, const char *name, const struct file *file);
int model_add_base_as(struct model *m, const char *name, const struct file_id *id, uint32_t crc);

#endif
