/* Mount points, whose mounts may be dead. What is mounted there: fs/fuse/mountinfo.h. */
#ifndef FS_CMD_MOUNTS_H
#define FS_CMD_MOUNTS_H

#include "fs/fuse/mountinfo.h"

/*
 * The absolute path of a mount point, which may be dead. To be freed. NULL and err if there is
 * none.
 */
char *mountpoint_path(const char *mountpoint, struct error *err);
/* True if nobody answers for the mount at that path any more. */
bool mount_is_dead(const char *path);
/*
 * Makes way at a mount point: a dead mount of ours is detached, with a notice. -EBUSY: a live one.
 * -ENOTDIR: it is no folder.
 */
int mount_make_way(const char *path, struct error *err);

#endif
