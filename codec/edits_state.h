/* What the edits of a model are made of, for edits.c, recover.c, commit.c and save_*.c. */
#ifndef CODEC_EDITS_STATE_H
#define CODEC_EDITS_STATE_H

#include "codec/data_file.h"
#include "codec/edits.h"
#include "codec/journal.h"

struct edits {
	struct model *model;
	pthread_mutex_t lock; /* all below */
	int workfd;	      /* the work folder; -1: there is none */
	int stagefd;	      /* where a commit stages (work_stage()); with it */
	bool placed;	      /* its own name is durable */
	struct journal journal;
	struct data_file *data; /* where new regions go */
	uint32_t next_region;
	_Atomic bool unsaved; /* something was edited since the last commit */
	_Atomic bool saving;  /* a commit is under way */
	bool unsettled;	      /* saved, but the model was not read again since */
	int lockfd;	      /* the model's lock (codec/lock.h); -1: not locked */
	bool late;	      /* it is locked by the first edit */
};

/* Makes the journal durable: its records, its name, and that of the work folder. */
int edits_place(struct edits *e, struct error *err);

#endif
