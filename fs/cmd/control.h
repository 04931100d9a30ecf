/* The other end of .weightfs/control (fs/fuse/committer.h): -u and weightctl talk to a daemon. */
#ifndef FS_CMD_CONTROL_H
#define FS_CMD_CONTROL_H

/* Sends a command to the mount at that path. A descriptor to listen on, or -1 and errno. */
int control_send(const char *mountpoint, const char *command);
/* Shows what the daemon says on stderr, until its verdict: an exit code. */
int control_listen(int fd);

#endif
