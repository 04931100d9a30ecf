/* Paths below a folder, and whether links lead out of it. */
#ifndef CODEC_BASE_BENEATH_H
#define CODEC_BASE_BENEATH_H

/* openat2 below the folder, past no link that leaves it. A descriptor, or -1 and errno. */
int open_beneath(int rootfd, const char *path, int flags);

#endif
