/*
 * A kind: one way to show one sort of thing as a file. A new view is a new file kind_*.c and one
 * word in the list of kind.c.
 *
 * A kind says of each thing whether it shows it, where, and as what: the bytes of a tensor as
 * they lie, or text that is rendered when the file is opened.
 */
#ifndef FS_VIEW_KIND_H
#define FS_VIEW_KIND_H

#include "codec/model/model.h"
#include "fs/view/tree.h"

struct branch;
struct view;

/* What an object number counts. */
enum thing {
	THING_VIEW,	/* the mount: one object */
	THING_MODEL,	/* a model: one object */
	THING_TENSOR,	/* model_tensor(model, object) */
	THING_DOCUMENT, /* model->documents[object] */
	THING_FILE,	/* branch->files[object]: a file of the model's own, shown as it is */
};

/* One thing that is to be shown. */
struct showing {
	const struct view *view;
	const struct branch *branch; /* NULL for THING_VIEW */
	uint32_t object;
};

struct kind {
	enum thing of;
	/* The path of a kind that shows exactly one thing, relative to the branch. Or: */
	const char *fixed;
	/*
	 * Adds the path where the thing is shown: 1. 0: this kind does not show it.
	 * -ENAMETOOLONG and the like: it would, but cannot.
	 */
	int (*path)(const struct showing *s, struct buf *out);
	/* Renders the text. NULL: the bytes of the tensor, or of the file, as they are. */
	int (*render)(const struct showing *s, struct buf *out, struct error *err);
	/* 0 if the text can be edited now, or why not. NULL: never. */
	int (*editable)(const struct showing *s, struct error *err);
	/* Makes a text that somebody wrote the edit of the thing. -EINVAL: it is not acceptable. */
	int (*accept)(const struct showing *s, struct span text, struct error *err);
	bool live; /* the text changes by itself: it is never cached */
	/* The bytes of the tensor follow the text, which is their header and cannot change. */
	bool tail;
	/* The same as accept(), for a text with a tail: of size bytes, in a file. */
	int (*accept_file)(const struct showing *s, int fd, uint64_t size, struct error *err);
	/* The folder in which the kind shows all of its things: it is made when somebody looks. */
	const char *lazy;
};

/*
 * Adds the path of the folder of a MetaGraphDef's signatures: "signatures", or one below
 * metagraphs/ if the model has several. -ENAMETOOLONG: it cannot be shown.
 */
int metagraph_signatures(const struct model *m, uint32_t metagraph, struct buf *out);

/* The list; a node's kind is an index into it. kind_count of them. */
extern const struct kind *const kinds[];
extern const size_t kind_count;

extern const struct kind kind_raw, kind_strings; /* kind_tensor.c */
extern const struct kind kind_npy;		 /* kind_npy.c */
extern const struct kind kind_signature, kind_config, kind_training,
	kind_object_graph;						    /* kind_document.c */
extern const struct kind kind_model_json, kind_tensors_tsv;		    /* kind_model.c */
extern const struct kind kind_asset;					    /* kind_asset.c */
extern const struct kind kind_status, kind_log, kind_version, kind_control; /* kind_mount.c */

#endif
