/*
 * A kind: one way to show one sort of thing as a file.
 *
 * A new view is a new file fs/kinds/kind_NAME.c that ends in a struct kind, and one word in the
 * list of fs/kinds/kind.c. Nothing else knows its name: the tree asks path() where each thing is to
 * be seen; whoever opens the file gets what compose() puts together; what is written to it goes to
 * accept(); and when a tensor changes, every other file that shows it is found by its number.
 *
 *	pictures/X.png	of = THING_TENSOR, folder = "pictures"; compose() adds the bytes of the
 *			header and generates the rest; no accept(): it is read-only
 *	model.h5	of = THING_MODEL; compose() adds the bytes of the HDF5 structure and, behind
 *			them, one content after the other, which are never copied
 *	text/X.txt	of = THING_TENSOR, folder = "text", link = ".txt"; compose() generates;
 *			size() is arithmetic; accept() parses what was written
 *
 * tests/fs/test_new_kinds.c has three such, in a list of its own.
 *
 * Every function may be called by several threads at once. `out` is added to, and not to be used
 * after a failure. err gets a sentence, which need not name the file.
 */
#ifndef FS_VIEW_KIND_H
#define FS_VIEW_KIND_H

#include "codec/model/model.h"
#include "fs/view/tree.h"

struct branch;
struct content;
struct pieces;
struct view;

/* What an object number counts. */
enum thing {
	THING_VIEW,	/* the mount: one object */
	THING_MODEL,	/* a model: one object */
	THING_TENSOR,	/* model_tensor(model, object) */
	THING_DOCUMENT, /* model->documents[object] */
	THING_FILE,	/* branch->assets.file[object]: a file of the model's own, shown as it is */
};

/* One thing that is to be shown. */
struct showing {
	const struct view *view;
	const struct branch *branch; /* NULL for THING_VIEW */
	uint32_t object;
};

/* What somebody has written. */
struct draft {
	int fd; /* a file with all of it; -1: it lies in the content */
	uint64_t size;
	struct content *content; /* that is all the file shows; or NULL */
};

struct kind {
	enum thing of;
	/*
	 * The folder, in the root of a model, in which all files of this kind stand: it is filled
	 * when somebody looks, and costs nothing before. NULL: the files are there from the start.
	 */
	const char *folder;
	/*
	 * What the links in names/ and layers/ that lead to this file have behind the name: "" or
	 * ".npy". NULL: none leads there. For THING_TENSOR.
	 */
	const char *link;
	/*
	 * Adds the path where the thing is shown, relative to the root of its model (of the mount
	 * for THING_VIEW): 1. 0: this kind does not show it. -ENAMETOOLONG and the like: it would,
	 * but cannot, which is logged.
	 */
	int (*path)(const struct showing *s, struct buf *out);
	/*
	 * Puts the file together out of pieces (pieces.h), when it is opened: once for all who have
	 * it open, and again when a draft was accepted. The model's layout is locked for reading.
	 * -EIO: damaged; where it is but bytes that cannot be made, who truncates the file may
	 * write it anew. -ESTALE, -ENOTSUP, -ENOMEM. NULL: no file but a conversation
	 * (.weightfs/control).
	 */
	int (*compose)(const struct showing *s, struct pieces *out, struct error *err);
	/*
	 * The size of what compose() would put together, without doing it: for stat(2), which is
	 * asked of every file of a folder. NULL: composing is the way to know; it is then kept
	 * until the file has another text.
	 */
	uint64_t (*size)(const struct showing *s);
	/*
	 * Where in the file the bytes of the tensor begin, which lie in it one behind the other.
	 * NULL: they do not; if one of them changes all of the file may be another one.
	 */
	uint64_t (*shift)(const struct showing *s);
	/* How many bytes somebody may write, at most. NULL: 1 GiB. */
	uint64_t (*room)(const struct showing *s);
	/*
	 * Turns what was written into changes of the thing, all or none. Called at a close(2) and
	 * an fsync(2) of somebody who has the file open for writing. CONTENT_ACCEPTED;
	 * CONTENT_SAME: it changes nothing. -EINVAL: it is not acceptable. NULL: the file is
	 * read-only.
	 *
	 * A file with a content in it is written in place, and has a draft only when it was
	 * truncated; of any other the first write begins a draft, with all that was there before.
	 */
	int (*accept)(const struct showing *s, const struct draft *d, struct error *err);
	bool live; /* it changes by itself: neither the kernel nor we keep anything of it */
};

/* Reads all of it, for an accept() that takes it as a whole. -ENOMEM, -EIO. */
int draft_read(const struct draft *d, struct buf *out, struct error *err);

/*
 * Adds the path of the folder of a MetaGraphDef's signatures: "signatures", or one below
 * metagraphs/ if the model has several. -ENAMETOOLONG: it cannot be shown.
 */
int metagraph_signatures(const struct model *m, uint32_t group, struct buf *out);

/* The list; a node's kind is an index into it. kind_count of them. */
extern const struct kind *const kinds[];
extern const size_t kind_count;

#endif
