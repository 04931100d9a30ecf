/* Mounts of ours, as the kernel lists them: /proc/self/mountinfo is the authority. */
#ifndef FS_FUSE_MOUNTINFO_H
#define FS_FUSE_MOUNTINFO_H

#include <stdbool.h>

#include "codec/base/error.h"

struct mount {
	bool found; /* something of ours is mounted there, on top */
	unsigned major, minor;
	unsigned owner;	   /* the user who mounted it */
	char source[4096]; /* the model, as the mount names it */
};

/* What is mounted at that absolute path. */
struct mount mount_find(const char *path);
/*
 * Where a process (its number, as text) sees the file system of this mount, by its own root: one
 * path, to be freed. NULL: nowhere, or one may not look.
 */
char *mount_seen_by(const struct mount *m, const char *pid);
/* Unmounts, as root or by fusermount3; lazily: detaches. 0, -EBUSY, or another -errno. */
int mount_undo(const char *path, bool lazily, struct error *err);

#endif
