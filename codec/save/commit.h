/*
 * Writing a model's edits back.
 *
 *	stage	what is new is made in the work folder, synced and checked
 *	names	files that nothing mentions yet go to their places beside the model
 *	intent	a record says what will happen: from here the edit is decided
 *	steps	renames, each durable before the next
 *	end	old files go, the journal goes last
 *
 * Killed at any instant before the intent, the model is as it was and the edits are in the work
 * folder; behind it, the next mount carries the rest out (recover_edits()).
 */
#ifndef CODEC_SAVE_COMMIT_H
#define CODEC_SAVE_COMMIT_H

#include "codec/model/model.h"

struct commit_options {
	bool compact; /* rewrite all data files, if anything is written at all */
	bool always;  /* write even if nothing was edited */
	bool backup;  /* keep the model as it was (codec/save/backup.h) */
	/* Told of bytes that were written of those that will be; or NULL. */
	void (*progress)(void *context, uint64_t done, uint64_t all);
	void *context;
};

struct commit_report {
	unsigned tensors; /* that had edits */
	bool rewritten;	  /* something was written */
	uint64_t copied;  /* bytes that were copied because a file could not be linked */
	/* Data files that tensors need are missing: how many, and the first. They go by other names
	 * since (model->shards). */
	uint32_t missing, first_missing;
	struct error unread; /* text: why the model could not be read again since it was saved */
};

/*
 * Commits all accepted edits; drafts stay drafts. The caller sees to it that nobody edits
 * meanwhile (fs/fuse/gate.h); reading goes on. With nothing to write it changes nothing, and
 * ret->rewritten is false.
 *
 * -ESTALE: the model changed underneath. Anything else below 0: it did not work (no space, a
 * damaged tensor ...). Either way the model is whole and the edits are kept. If what was begun
 * could not be taken back the model turns read-only, and the next commit goes on with it, or the
 * next mount.
 *
 * Somebody else may change or remove what was saved before it is read again: then ret->unread says
 * so, the model turns read-only, and nothing is pending any more.
 */
int commit_model(struct model *m, const struct commit_options *options, struct commit_report *ret,
		 struct error *err);
/*
 * Drops all edits, as edits_remove() does; what contents still show is theirs to forget. A commit
 * that stopped half way is carried through first, if that is possible: then nothing was dropped,
 * and the result is 1.
 */
int commit_discard(struct model *m, struct error *err);

#endif
