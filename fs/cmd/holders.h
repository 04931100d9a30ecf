/* Who holds a mount: what /proc tells of other processes, as far as this one may look. */
#ifndef FS_CMD_HOLDERS_H
#define FS_CMD_HOLDERS_H

#include "fs/fuse/mountinfo.h"

/* Says which processes use what is mounted at that absolute path, and how; one line for each. */
void holders_name(const char *path);

/*
 * After an unmount: says where else the file system of this mount is still mounted, as in the mount
 * namespace of a container, naming one process for each such namespace. False: nowhere that may be
 * looked at. The edits of these processes, which the save for the unmount has put off, go on.
 */
bool holders_elsewhere(const struct mount *m);

#endif
