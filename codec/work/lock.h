/*
 * One writer a model: an advisory lock on the file that names its content, the index (or
 * saved_model.pb where there is none). It goes with its holder, however that ends.
 */
#ifndef CODEC_WORK_LOCK_H
#define CODEC_WORK_LOCK_H

#include "codec/model/model.h"

/*
 * Locks the model for writing until the descriptor that is returned is closed. -EBUSY: somebody
 * else has it, and err says who. -ESTALE: the model was replaced since it was loaded.
 */
int lock_model(struct model *m, struct error *err);
/* Locks an open file that is about to take the place of the locked one. -EBUSY. */
int lock_file(int fd);

#endif
