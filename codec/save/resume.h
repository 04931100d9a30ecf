/*
 * A commit of this mount that stopped half way (commit.c): what could not be carried out or taken
 * back is tried again, in the way in which the next mount would do it.
 */
#ifndef CODEC_SAVE_RESUME_H
#define CODEC_SAVE_RESUME_H

#include "codec/save/recover.h"

/*
 * Runs recover_edits() or recover_discard() on the model as it lies on disk now, under the lock
 * that m has. m itself is not changed, but its work folder is not open any more. Errors of `run`.
 */
int resume(struct model *m,
	   int (*run)(struct model *fresh, struct recovery *ret, struct error *err),
	   struct recovery *ret, struct error *err);

#endif
