/*
 * The model as it was before a commit, kept for whoever wants it back (-o backup): PREFIX.bak.* of
 * a checkpoint, DIR.bak/ of a SavedModel. Each is a model of its own that TensorFlow loads; data
 * files are linked, what TensorFlow rewrites in place is copied. The one before is replaced.
 */
#ifndef CODEC_SAVE_BACKUP_H
#define CODEC_SAVE_BACKUP_H

#include "codec/model/model.h"

/* -ENOSPC and the like; the model is not touched. */
int backup_model(struct model *m, struct error *err);

#endif
