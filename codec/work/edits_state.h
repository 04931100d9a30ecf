/* What the edits of a model are made of, for edits.c, recover.c, commit.c and save_*.c. */
#ifndef CODEC_WORK_EDITS_STATE_H
#define CODEC_WORK_EDITS_STATE_H

#include "codec/work/data_file.h"
#include "codec/work/edits.h"
#include "codec/work/journal.h"

struct edits {
	struct model *model;
	pthread_mutex_t lock; /* all below */
	int workfd;	      /* the work folder; -1: there is none */
	int stagefd;	      /* where a commit stages (work_stage()); with it */
	bool placed;	      /* its own name is durable */
	struct journal journal;
	struct data_file *data; /* where new regions go */
	uint32_t next_region;
	_Atomic bool unsaved;	 /* something was edited since the last commit */
	_Atomic bool saving;	 /* a commit is under way */
	bool halfway;		 /* a commit stopped where it could not go on, nor back */
	bool overtaken;		 /* saved, and then changed by others: nothing is edited any more */
	struct scratch *scratch; /* the drafts of texts that there are */
	int lockfd;		 /* the model's lock (codec/work/lock.h); -1: not locked */
	bool late;		 /* it is locked by the first edit */
};

/* Makes the journal durable: its records, its name, and that of the work folder. */
int edits_place(struct edits *e, struct error *err);
/*
 * A commit is done with the old journal: nothing may be added to it. Where there are drafts, a new
 * journal begins for the model as it is now, with an empty data file of the next number: true.
 * Else, or where that fails, the work folder is removed.
 */
bool edits_renew(struct edits *e, bool drafts);
/* Closes the work folder, and leaves all in it as it is. */
void edits_let_go(struct edits *e);
/* Adds a record. The lock is held. */
int edits_append(struct edits *e, const Weightfs__Record *record, struct error *err);
/* What has that number in the journal is not used any more. Likewise. */
void edits_append_drop(struct edits *e, uint32_t id);

/*
 * Drafts of texts (scratch.c). scratch_append(): a new journal is told of those that there are; the
 * lock is held. scratch_forget(): there is no journal any more; likewise.
 */
bool scratch_any(struct edits *e);
int scratch_append(struct edits *e, struct error *err);
void scratch_forget(struct edits *e);

#endif
