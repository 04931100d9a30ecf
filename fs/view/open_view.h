/* A view of what the user named, whatever it is. */
#ifndef FS_VIEW_OPEN_VIEW_H
#define FS_VIEW_OPEN_VIEW_H

#include "fs/view/open_model.h"
#include "fs/view/view.h"

/*
 * Opens the model, or the folder of checkpoints, that argument names, and hangs it at the root of
 * the view, which is empty. What the user should know of it is logged. Errors of open_model() and
 * folder_open().
 */
int open_view(struct view *v, const char *argument, const struct open_options *options,
	      struct error *err);

#endif
