/* weightfs -u: writes back, unmounts, and says how it went. */
#ifndef FS_UNMOUNT_H
#define FS_UNMOUNT_H

/* The exit code, after all was said on stderr. */
int unmount(const char *mountpoint);

#endif
