/* Files of a model's own, which are shown as they are. */
#ifndef FS_VIEW_ASSETS_H
#define FS_VIEW_ASSETS_H

#include "fs/view/branch.h"

/*
 * Notes in branch->files what lies in a folder of the model and below it, by name. What cannot be
 * looked at is logged. -ENOMEM.
 */
int assets_list(struct branch *b, const char *folder);

#endif
