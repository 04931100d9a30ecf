/* A model, opened as a program needs it. */
#ifndef FS_VIEW_OPEN_MODEL_H
#define FS_VIEW_OPEN_MODEL_H

#include "codec/save/recover.h"
#include "codec/work/edits.h"

struct open_options {
	const struct place *folder; /* the model is that of the name `argument` in it; or NULL */
	bool read_only, verify;
	const char *workdir; /* absolute; or NULL */
	const char *output;  /* absolute: where saves go; or NULL */
};

/*
 * Opens the model that argument names, for editing unless read_only, locks it, and takes up what
 * an earlier mount left behind. A model that cannot be written is opened with model->read_only
 * set. Errors of model_open(), edits_open() and recover_edits().
 *
 * One of many, in a folder, is locked by its first edit only, or if there is something to be taken
 * up; if that fails it is opened as it is on disk, with model->read_only set to the error.
 */
int open_model(const char *argument, const struct open_options *options, struct model **ret,
	       struct recovery *ret_found, struct error *err);
/*
 * Logs what the user should know of a model that was opened, behind its name in the folder (NULL:
 * it is the only one).
 */
void open_model_report(const struct model *m, const char *name, const struct recovery *found);

#endif
