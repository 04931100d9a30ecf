/* What the edits of a model are made of, for the files of codec/work, and for codec/save. */
#ifndef CODEC_WORK_EDITS_STATE_H
#define CODEC_WORK_EDITS_STATE_H

#include "codec/work/data_file.h"
#include "codec/work/edits.h"
#include "codec/work/journal.h"
#include "codec/work/ledger.h"
#include "codec/work/scratch.h"

/* What is noted of an object. 0: nothing. */
struct ledger_slot {
	uint32_t number; /* by which the journal calls it */
	uint32_t change; /* 1 + index into the ledger's changes */
};

struct ledger {
	struct ledger_slot *slots[OBJECT_TYPES]; /* by the objects' ids */
	size_t n_slots[OBJECT_TYPES];
	struct change *changes; /* in no order */
	size_t n, capacity;
	uint32_t numbers; /* of objects, that the journal knows */
	struct object *lost;
	size_t n_lost, lost_capacity;
};

struct edits {
	struct model *model;
	pthread_mutex_t lock; /* all below */
	int workfd;	      /* the work folder; -1: there is none */
	int stagefd;	      /* where a commit stages (work_stage()); with it */
	bool placed;	      /* its own name is durable */
	bool lingers;	      /* what was it could not be removed: somebody has a file in it open */
	struct journal journal;
	struct data_file *data; /* where new regions go */
	uint32_t next_number;	/* of a region or a draft, in the journal */
	struct ledger ledger;
	LIST_HEAD(, scratch) scratches;
	_Atomic bool unsaved; /* something was edited since the last commit */
	_Atomic bool saving;  /* a commit is under way */
	bool halfway;	      /* a commit stopped where it could not go on, nor back */
	bool overtaken;	      /* saved, and then changed by others: nothing is edited any more */
	int lockfd;	      /* the model's lock (codec/work/lock.h); -1: not locked */
	bool late;	      /* it is locked by the first edit */
};

/* Makes the journal durable: its records, its name, and that of the work folder. */
int edits_sync_journal(struct edits *e, struct error *err);
/*
 * A commit is done with the old journal: nothing may be added to it. Where there are drafts, a new
 * journal begins for the model as it is now, with an empty data file of the next number: true.
 * Else, or where that fails, the work folder is removed. Scratch regions are in the old data file
 * still, and the new journal does not know of them.
 */
bool edits_renew(struct edits *e);
/* Closes the work folder, and leaves all in it as it is. */
void edits_let_go(struct edits *e);

/* ---- with the lock held ---- */

/* edits_begin() (codec/work/edits.h). */
int edits_begin_locked(struct edits *e, struct error *err);
/* Space in the data file, for a region of which no block is there. */
int edits_new_region(struct edits *e, uint64_t size, struct region **ret, struct error *err);
int edits_append(struct edits *e, const Weightfs__Record *record, struct error *err);
/* Says what a region is: a draft, or an edit of an object. It gets its number. */
int edits_append_region(struct edits *e, struct object o, struct region *region, bool draft,
			struct error *err);
/* What has that number in the journal is not used any more. */
void edits_append_drop(struct edits *e, uint32_t number);
/*
 * Frees a region, of which the journal is told that it is not used any more; not one that was begun
 * since. NULL is fine.
 */
void edits_drop_region(struct edits *e, struct region *region);

/* The number of an object in the journal, which is told of it once. */
int ledger_bind(struct edits *e, struct object o, uint32_t *ret, struct error *err);
/* The journal of an earlier mount calls it so. -ENOMEM. */
int ledger_adopt_number(struct edits *e, struct object o, uint32_t number);
/* Notes that a draft of it was lost. -ENOMEM. */
int ledger_add_lost(struct edits *e, struct object o);
/* There is no journal any more, or another one, which knows no object. */
void ledger_unbind(struct edits *e);
void ledger_release(struct ledger *l);

/* A new journal is told of the scratch files that there are. */
int scratch_append_files(struct edits *e, struct error *err);
/* There is no journal any more. */
void scratch_unbind(struct edits *e);
/* Frees all of them, whoever has them. */
void scratch_release(struct edits *e);

#endif
