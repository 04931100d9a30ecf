/*
 * Reading a journal: what it says is put together in memory, and nothing is changed. What follows
 * from it is recover.c's business.
 */
#ifndef CODEC_SAVE_REPLAY_H
#define CODEC_SAVE_REPLAY_H

#include "codec/work/edits_state.h"

/* A region of the journal; or a draft that lies in none. */
struct slot {
	bool there; /* false: dropped, or never there */
	struct object object;
	struct region *region; /* NULL: it is cut off, or a draft that lies in none */
	bool draft;
	bool cut_off; /* behind the end of its file: a commit that failed knew it as dropped */
};

struct replay {
	struct edits *edits;
	struct object *objects; /* by their number in the journal, minus 1 */
	size_t n_objects, objects_capacity;
	struct slot *slots; /* by number of the region or draft */
	size_t n_slots, capacity;
	struct timespec mtime; /* of the journal */
	size_t edited;	       /* bytes of its frames up to the last one of an edit, */
	size_t believed;       /* and up to the last one that counts */
	/* Of the last commit that was begun: */
	struct buf stage, intent; /* the packed records; empty: none, or taken back */
	bool staged;		  /* some commit was begun, whatever became of it */
	bool decided;		  /* it was: edits are in what it has staged, and not looked at */
	bool foreign;		  /* the edits were made for another state of the model */
	bool this_boot;		  /* the last records were written since the machine started */
	struct error *err;
};

/*
 * Opens the journal of e->workfd and reads it. 0; -ENOENT if there is none, or nothing in it.
 * -ENOTSUP: of another version. -EBADMSG: damaged. The caller releases p in any case.
 */
int replay_read(struct replay *p, struct edits *e, struct error *err);
void replay_release(struct replay *p);

#endif
