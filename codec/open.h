/*
 * Which format a model is of, and the life of a model: it is opened, with all that its format loads
 * of it, and closed, with the contents and edits that came since.
 */
#ifndef CODEC_OPEN_H
#define CODEC_OPEN_H

#include "codec/model/model.h"

/*
 * Loads the model that argument names: a SavedModel directory or a file in it, a checkpoint by
 * its prefix or by one of its files. The checksum of its index is verified, those of the tensors
 * are not.
 *
 * -ENOENT: nothing there is a model; the sentence says what was tried and what was found.
 * -EBADMSG: a model, but damaged. -ENOTSUP: a model that we do not handle, or a folder of several
 * (codec/checkpoints/collection.h). On failure *ret is untouched.
 */
int model_open(const char *argument, struct model **ret, struct error *err);
/* The same for the checkpoint with the prefix `name` in a folder that is open. */
int model_open_within(const struct place *folder, const char *name, struct model **ret,
		      struct error *err);
/* Closes it, with its contents and edits (codec/work/edits.h). NULL for NULL; returns NULL. */
struct model *model_close(struct model *m);
static inline void model_close_pointer(struct model **m)
{
	model_close(*m);
}
#define cleanup_open_model __attribute__((cleanup(model_close_pointer)))

#endif
