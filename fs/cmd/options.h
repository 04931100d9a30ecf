/* What the command line of weightfs says. */
#ifndef FS_CMD_OPTIONS_H
#define FS_CMD_OPTIONS_H

#include "fs/fuse/mount.h"

struct options {
	const char *model, *mountpoint;
	bool unmount;	 /* -u: mountpoint is to be unmounted */
	bool lazy;	 /* --lazy: with -u, detach at once */
	bool foreground; /* -f */
	bool read_only;
	bool verify;	     /* a tensor's checksum, when it is opened */
	const char *workdir; /* where edits are kept; NULL: beside the model */
	const char *output;  /* where saves go; NULL: into the model */
	const char *logfile; /* NULL: syslog */
	uid_t uid;	     /* (uid_t)-1: of the process */
	gid_t gid;
	int umask; /* -1: of the process */
	struct mount_options mount;
};

/*
 * Parses the arguments. Returns -1 to go on, or the exit code: after -h and -V 0, after a mistake,
 * which it explains, EXIT_USAGE.
 */
int options_parse(int argc, char **argv, struct options *ret);

#endif
