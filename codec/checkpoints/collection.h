/*
 * A folder of checkpoints: what CheckpointManager, save_weights(), Saver and Estimator leave. Its
 * members are the V2 and V1 checkpoints that lie in it, each under its prefix; the file
 * `checkpoint` says which one is the latest. All else in it (graph.pbtxt, .meta, event files) is
 * no concern of ours.
 *
 * A collection is what was found at one look; a training run may change the folder at any time.
 */
#ifndef CODEC_CHECKPOINTS_COLLECTION_H
#define CODEC_CHECKPOINTS_COLLECTION_H

#include "codec/model/model.h"

struct member {
	const char *name; /* the prefix */
	bool v1;
	struct file_id id; /* of the index; of V1, of its only or first file */
};

/* A work folder, of a member or not. */
struct leftover {
	const char *name; /* the prefix */
	bool edits;	  /* there is a journal; or it is what a killed daemon did not remove */
};

struct collection {
	struct member *members; /* by name, numbers in it by value: ckpt-9, ckpt-10 */
	size_t n;
	/*
	 * The name of the member that tf.train.latest_checkpoint() means, or NULL: there is no file
	 * `checkpoint`, it makes no sense, or what it names is not there. A path that leads
	 * elsewhere, as those of a folder that was moved, stands for the member of that name here.
	 */
	const char *latest;
	struct file_id state;  /* of the file `checkpoint`; ino 0: there is none */
	struct leftover *work; /* in the order of the members */
	size_t n_work;
	/* What is wrong with the file `checkpoint`, and what is not shown: one line, or nothing. */
	struct buf notes;
	struct arena arena;
};

/*
 * True if the place is a folder of checkpoints: a directory that is no SavedModel and has a file
 * `checkpoint` or more than one *.index; or that file `checkpoint`.
 */
bool collection_probe(const struct place *place);
/* Looks into the folder. -ENOMEM; -errno, with a sentence, if it cannot be read. */
int collection_scan(const struct place *place, struct collection *ret, struct error *err);
void collection_release(struct collection *c);
#define cleanup_collection __attribute__((cleanup(collection_release)))

/* The member of that name, or NULL. */
const struct member *collection_find(const struct collection *c, const char *name);

/*
 * How many work folders hold edits; of `gone`: of those whose checkpoint is not there any more.
 * Adds their names (which may be NULL), of many the first ones and how many more there are.
 */
size_t collection_edited(const struct collection *c, bool gone, struct buf *names);

/* What the index of a V2 member is now. False: it is not there. */
bool collection_identify(const struct place *folder, const char *name, struct file_id *ret);
/* What the file `checkpoint` is now; ino 0: it is not there. */
struct file_id collection_state(const struct place *folder);
/*
 * Adds the argument that means a member, and a NUL: DIR/PREFIX, or the path of its index where a
 * folder is called that. -ENOMEM.
 */
int collection_argument(const struct place *folder, const char *name, struct buf *out);

#endif
