/* weightfs -u: writes back, unmounts, and says how it went. */
#ifndef FS_CMD_UNMOUNT_H
#define FS_CMD_UNMOUNT_H

#include <stdbool.h>

/* The exit code, after all was said on stderr. lazily: detaches at once. */
int unmount(const char *mountpoint, bool lazily);

#endif
