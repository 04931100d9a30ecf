/* Pages that programs have written to in their maps, and that the kernel has not sent us yet. */
#ifndef FS_FUSE_COLLECT_H
#define FS_FUSE_COLLECT_H

#include "fs/fuse/session.h"

/*
 * Has the kernel write them out: they come as WRITEs, which the workers answer, so it must be none
 * of them that calls this, and edits must pass.
 */
void collect_pages(struct session *s);

#endif
