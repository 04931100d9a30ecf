/* What stat(2) says of a node. */
#ifndef FS_VIEW_STAT_H
#define FS_VIEW_STAT_H

#include <sys/stat.h>

#include "fs/view/view.h"

/* What stat(2) says of a node. False: there is none. */
bool view_stat(struct view *v, node_id id, struct stat *ret);

#endif
