/*
 * Where the edits of a model are kept until they are in it: its work folder, with the journal and
 * the data files. What they are the ledger knows (codec/work/ledger.h).
 *
 * The first edit makes the work folder, and the commit removes it. What it holds plus the model
 * on disk is the state; after a kill the next mount takes it up (codec/save/recover.h).
 *
 * Everything here may be called by several threads.
 */
#ifndef CODEC_WORK_EDITS_H
#define CODEC_WORK_EDITS_H

#include "codec/model/model.h"
#include "codec/work/region.h"

/* When edits_open() locks the model: one process a model may write. */
enum edits_mode {
	EDITS_LOCK, /* now; it waits a second or so for who has the lock */
	/*
	 * With the first edit, for a model of which there may be many. Only where there is no work
	 * folder: an earlier mount has left nothing behind.
	 */
	EDITS_LOCK_LATER,
	EDITS_LOOK, /* never: for recover_inspect() (codec/save/recover.h) and resume.c */
};

/*
 * The model can be edited from now on; nothing is made on disk. Errors of lock_model()
 * (codec/work/lock.h). m->edits goes with the model, whatever is returned.
 */
int edits_open(struct model *m, enum edits_mode mode, struct error *err);
/*
 * Who is about to edit sees to it that the model is locked. -EBUSY: somebody else has it. -ESTALE:
 * it was replaced, or edited by somebody else, since it was loaded.
 */
int edits_lock(struct model *m, struct error *err);
struct edits *edits_free(struct edits *e);

/* True if the model has a work folder with a journal, whatever is in it. Changes nothing. */
bool edits_exist(const struct model *m);

/* Makes the work folder, where there is none yet. -ENOSPC and the like. */
int edits_begin(struct model *m, struct error *err);

/* Blocks of a region are there now: journalled, and marked. */
int edits_add_blocks(struct model *m, struct region *region, uint64_t first, uint64_t count,
		     struct error *err);
/* Something was edited just now. */
void edits_touch(struct model *m);
/* True if something was edited since the last commit. */
bool edits_unsaved(const struct model *m);
/* True while a commit is under way: the files on disk may be newer than what the model says. */
bool edits_saving(const struct model *m);

/* Makes the edits so far durable (data, then a record, then the journal). */
int edits_sync(struct model *m, struct error *err);
/*
 * Drops all edits, durably: the journal goes, then the rest of the work folder. What contents still
 * show is theirs to forget. Below 0: the journal is there still, and nothing has changed.
 */
int edits_remove(struct model *m, struct error *err);

#endif
