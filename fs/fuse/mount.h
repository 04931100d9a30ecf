/*
 * A mount that is served: it begins and ends here. No FUSE in this header.
 *
 * These threads stand between the kernel and the view:
 *
 *	two workers	answer requests (ops_*.c); never wait for each other or for the kernel
 *	the notifier	tells the kernel what changed behind its back, and answers FLUSH and FSYNC
 *			behind that (notify.h)
 *	the committer	writes edits back while the mount is up (committer.h)
 *	the signaller	waits for TERM, INT, HUP, and unmounts (mount.c)
 */
#ifndef FS_FUSE_MOUNT_H
#define FS_FUSE_MOUNT_H

#include "fs/view/view.h"

/* What the user asked of the mount, but for what concerns the view. */
struct mount_options {
	bool debug;	      /* what FUSE says */
	bool single;	      /* one worker */
	bool allow_other;     /* users */
	bool compact, backup; /* what a save does (codec/save/commit.h) */
	long readahead;	      /* KiB; 0: ours; -1: as the kernel has it */
};

/*
 * Mounts the view at an absolute path, serves until the unmount, and writes back what is left.
 * ready() is called once, when the mount is up. The result is an exit code (fs/view/exit.h).
 */
int mount_serve(struct view *v, const char *mountpoint, const struct mount_options *options,
		void (*ready)(void));

#endif
