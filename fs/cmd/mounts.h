/* Mounts of ours, as the kernel lists them: /proc/self/mountinfo is the authority. */
#ifndef FS_CMD_MOUNTS_H
#define FS_CMD_MOUNTS_H

#include <stdbool.h>

#include "codec/base/error.h"

struct mount {
	bool found; /* something of ours is mounted there, on top */
	unsigned major, minor;
	unsigned owner;	   /* the user who mounted it */
	char source[4096]; /* the model, as the mount names it */
};

/*
 * The absolute path of a mount point, which may be dead. To be freed. NULL and err if there is
 * none.
 */
char *mountpoint_path(const char *mountpoint, struct error *err);
/* What is mounted at that absolute path. */
struct mount mount_find(const char *path);
/* True if nobody answers for the mount at that path any more. */
bool mount_is_dead(const char *path);
/* Unmounts, as root or by fusermount3; lazily: detaches. 0, -EBUSY, or another -errno. */
int mount_undo(const char *path, bool lazily, struct error *err);
/*
 * Makes way at a mount point: a dead mount of ours is detached, with a notice. -EBUSY: a live one.
 * -ENOTDIR: it is no folder.
 */
int mount_make_way(const char *path, struct error *err);

#endif
