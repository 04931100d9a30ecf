/*
 * What becomes of the work folder once edits are in the model, or were dropped. Nobody edits
 * meanwhile: the callers have closed the gate (fs/fuse/gate.h), or are alone.
 */
#ifndef CODEC_SAVE_SETTLE_H
#define CODEC_SAVE_SETTLE_H

#include "codec/model/model.h"

/* Removes the work folder if nothing is edited and no draft is open. */
void settle_tidy(struct model *m);
/*
 * After a commit: removes the work folder; or, where drafts are open, begins a new journal for the
 * model as it is now, with the drafts in a new data file. Drafts for which there is no room are
 * given up.
 */
void settle_after_commit(struct model *m);
/*
 * The mount ends: edits that were saved elsewhere (codec/save/output.h) are not needed any more.
 */
void settle_at_end(struct model *m);

#endif
