/*
 * What becomes of the work folder once edits are in the model, or were dropped. Nobody edits
 * meanwhile: the callers have closed the gate (fs/fuse/gate.h), or are alone.
 */
#ifndef CODEC_SAVE_SETTLE_H
#define CODEC_SAVE_SETTLE_H

#include "codec/model/object.h"

/* Removes the work folder if the ledger is empty (codec/work/ledger.h). */
void settle_tidy(struct model *m);
/*
 * The journal is gone (edits_remove()): the edits that it spoke of go, and the drafts that are
 * regions; contents show what is in the model. A draft in a file stays with who writes it. each()
 * is told of every object that is another one now.
 */
void settle_dropped(struct model *m, void (*each)(void *context, struct object o), void *context);
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
