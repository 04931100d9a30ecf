/* What an entry of the tree is to the kernel. */
#ifndef FS_FUSE_ENTRY_H
#define FS_FUSE_ENTRY_H

#include "fs/fuse/session.h"

/* What is behind a kernel's long time: nothing changes but by our own doing. */
extern const double forever;

/* Fills in the node, its attributes, and how long they hold. False: there is no such node. */
bool entry_fill(struct view *v, node_id id, struct fuse_entry_param *ret);

#endif
