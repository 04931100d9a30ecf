/* The model as it is on disk after a commit, taken up by the one in memory. */
#ifndef CODEC_REBASE_H
#define CODEC_REBASE_H

#include "codec/model.h"

/* Loads the same place again. Errors as model_open(). */
int model_reload(const struct model *m, struct model **ret, struct error *err);
/*
 * Takes the new places of all tensors over, and drops the overlays that are in the model now.
 * Whoever reads goes on reading the same bytes. On failure nothing has changed.
 */
int model_rebase(struct model *m, struct error *err);

#endif
