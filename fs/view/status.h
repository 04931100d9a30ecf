/*
 * .weightfs/status: the state of the mount as JSON.
 *
 *	state		clean, edited, or failed (a commit did not go through; the edits are there)
 *	pid		of the daemon
 *	model		absolute path of the model, or of the folder of checkpoints
 *	pending		what is not in the model yet: [{"path": ..., "change": "edited"}]
 *	unplaced	files that are no part of a model: []
 *	dropped		drafts that were not accepted: [{"path": ..., "why": ...}]
 *	last_commit	when and how the last one went, or null
 */
#ifndef FS_VIEW_STATUS_H
#define FS_VIEW_STATUS_H

#include "fs/view/view.h"

int status_json(const struct view *v, struct buf *out);

#endif
