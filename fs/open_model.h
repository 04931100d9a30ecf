/* A model, opened as a program needs it. */
#ifndef FS_OPEN_MODEL_H
#define FS_OPEN_MODEL_H

#include "codec/edits.h"

struct open_options {
	bool read_only, verify;
	const char *workdir; /* absolute; or NULL */
	const char *output;  /* absolute: where saves go; or NULL */
};

/*
 * Opens the model that argument names, for editing unless read_only, locks it, and takes up what
 * an earlier mount left behind. A model that cannot be written is opened with model->read_only
 * set. Errors of model_open(), edits_init() and edits_recover().
 */
int open_model(const char *argument, const struct open_options *options, struct model **ret,
	       struct recovery *ret_found, struct error *err);

#endif
