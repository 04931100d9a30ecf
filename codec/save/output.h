/*
 * The model as edited, written to another place (-o output). The original is only read.
 *
 * The edits stay where they are: they are edits of the original, and belong to it until the mount
 * ends. What lies at the other place is whole at every instant, or not there.
 */
#ifndef CODEC_SAVE_OUTPUT_H
#define CODEC_SAVE_OUTPUT_H

#include "codec/model/model.h"

/*
 * Chooses the place: the prefix of a checkpoint, or the folder of a SavedModel. Before there are
 * edits; they are kept in PATH.weightfs. path is absolute. -EEXIST: something is there, and it is
 * not what an earlier mount wrote whose edits are still there.
 */
int output_choose(struct model *m, const char *path, struct error *err);
/* Writes it. -ESTALE: the original changed. -ENOSPC and the like: nothing is lost. */
int output_write(struct model *m, struct error *err);

#endif
