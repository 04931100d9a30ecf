/*
 * The edits of a model that are not in it yet: its work folder with the journal and the data
 * files (architecture.md, "Edits are a journal").
 *
 * The work folder is made by the first edit and goes with the commit. What it holds plus the
 * model on disk is the state; after a kill the next mount finds it by edits_recover().
 *
 * Everything here may be called by several threads.
 */
#ifndef CODEC_WORK_EDITS_H
#define CODEC_WORK_EDITS_H

#include "codec/model/model.h"
#include "codec/work/region.h"

/*
 * Locks the model for editing; nothing is made on disk. Waits a second or so for who has it. Errors
 * of lock_model().
 */
int edits_init(struct model *m, struct error *err);
/*
 * The same, but the lock comes with the first edit: for a model of which there may be many. Only
 * where there is no work folder: nothing was left behind.
 */
int edits_init_late(struct model *m);
/*
 * Who is about to edit sees to it that the model is locked. -EBUSY: somebody else has it. -ESTALE:
 * it was replaced, or edited by somebody else, since it was loaded.
 */
int edits_claim(struct model *m, struct error *err);
struct edits *edits_free(struct edits *e);

/* What edits_recover() found. */
struct recovery {
	unsigned tensors; /* with edits, after the recovery */
	unsigned dropped; /* drafts that no program was left to complete */
	bool lost;	  /* edits that were not on stable storage in a power cut */
	bool finished;	  /* a commit that was decided was carried through: the model on
			   * disk is another one, and is to be loaded again */
};

/*
 * Takes up what an earlier mount left in the work folder, if anything: carries a decided commit
 * through, or makes the edits pending again.
 *
 * -ESTALE: edits for another state of the model. -ENOTSUP: written by another version.
 * -EACCES: the folder is another user's. -EBADMSG: damaged. err tells what to do.
 */
int edits_recover(struct model *m, struct recovery *ret, struct error *err);
/*
 * Drops the edits that an earlier mount left behind; a commit that was decided is carried through
 * first, if that is possible. -ENOTSUP: written by another version.
 */
int edits_discard(struct model *m, struct recovery *ret, struct error *err);

/* What the work folder holds. */
struct summary {
	bool decided; /* a commit: the next mount carries it through */
	bool foreign; /* edits for another state of the model */
	unsigned drafts;
};

/*
 * Looks at what an earlier mount left behind and changes nothing on disk; the edits are in the
 * model's contents then (content_edited()). For a model of edits_init_unlocked().
 */
int edits_inspect(struct model *m, struct summary *ret, struct error *err);
int edits_init_unlocked(struct model *m);

/* True if the model has a work folder with a journal, whatever is in it. Changes nothing. */
bool edits_exist(const struct model *m);

/* Makes the work folder, where there is none yet. -ENOSPC and the like. */
int edits_begin(struct model *m, struct error *err);

/*
 * Space for the edited bytes of a tensor; journalled. Makes the work folder where there is none.
 * -ENOSPC and the like.
 */
int edits_new_region(struct model *m, const struct tensor *t, bool draft, struct region **ret,
		     struct error *err);
/*
 * Space for all stored bytes of a tensor, `size` of them, that will take the place of what it has;
 * not before edits_accept().
 */
int edits_new_replacement(struct model *m, const struct tensor *t, uint64_t size,
			  struct region **ret, struct error *err);
/* Blocks of it are there now: journalled, and marked. */
int edits_add_blocks(struct model *m, struct region *region, uint64_t first, uint64_t count,
		     struct error *err);
/* A draft is the content now: journalled, and marked as complete. */
int edits_accept(struct model *m, struct region *draft, struct error *err);
/* A region is not used any more; releases it. */
void edits_drop(struct model *m, struct region *region);

/*
 * An unlinked file in the work folder, for a draft of a tensor that is edited as a text: it goes
 * with us. The journal knows of it, so that the next mount says that it was lost.
 */
struct scratch {
	int fd;
	/* private: */
	struct scratch *next;
	const struct tensor *tensor;
	uint32_t id; /* in the journal; 0: it does not know of it */
};
/* -ENOSPC and the like. */
int scratch_new(struct model *m, const struct tensor *t, struct scratch **ret, struct error *err);
/* It was accepted, or given up; closes it. NULL is fine. */
void scratch_free(struct model *m, struct scratch *s);

/* Something was edited just now. */
void edits_touch(struct model *m);
/* True if something was edited since the last commit. */
bool edits_unsaved(const struct model *m);
/* True while a commit is under way: the files on disk may be newer than what the model says. */
bool edits_saving(const struct model *m);
/* The mount ends: edits that were saved elsewhere (codec/save/output.h) are not needed any more. */
void edits_finish(struct model *m);

/* Makes the edits so far durable (data, then a record, then the journal). */
int edits_sync(struct model *m, struct error *err);
/*
 * Drops all edits, durably: the journal goes, then the rest of the work folder. What contents still
 * show is theirs to forget. Below 0: the journal is there still, and nothing has changed.
 */
int edits_remove(struct model *m, struct error *err);
/* Does so if no content has a region: what was edited was dropped. Nobody edits meanwhile. */
void edits_tidy(struct model *m);
/*
 * After a commit: removes the work folder; or, where drafts are open,
 * begins a new journal for the model as it is now, with the drafts in a new data file. Drafts for
 * which there is no room are given up. Nobody edits meanwhile.
 */
void edits_restart(struct model *m);

#endif
