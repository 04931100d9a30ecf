/* The model as it is on disk after a commit, taken up by the one in memory. */
#ifndef CODEC_SAVE_REBASE_H
#define CODEC_SAVE_REBASE_H

#include "codec/save/stage.h"

/*
 * Loads the same place again, takes the new places of all tensors over, and drops the overlays that
 * are in the model now. Whoever reads goes on reading the same bytes. Errors as model_open();
 * -ESTALE: what is there is not what the stage has put there (NULL: whatever it was), but somebody
 * else's. On failure nothing has changed.
 */
int model_rebase(struct model *m, const struct stage *stage, struct error *err);

/* Loads the same place again, as another model. Errors as model_open(). */
int model_reload(const struct model *m, struct model **ret, struct error *err);

#endif
