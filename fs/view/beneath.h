/* Paths that a model names itself, and that must not lead out of it. */
#ifndef FS_VIEW_BENEATH_H
#define FS_VIEW_BENEATH_H

/* openat2 below the folder, past no link that leaves it. A descriptor, or -1 and errno. */
int open_beneath(int rootfd, const char *path, int flags);

#endif
