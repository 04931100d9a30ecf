/*
 * Git LFS keeps large files out of a repository. Who clones it without `git lfs` finds a pointer in
 * place of each: a text of three lines, with the checksum and the size of the file that is meant.
 */
#ifndef CODEC_BASE_LFS_H
#define CODEC_BASE_LFS_H

#include "codec/base/error.h"

/* -EBADMSG, and a sentence with the name, if the file of those bytes is such a pointer; else 0. */
int lfs_check(struct span file, const char *name, struct error *err);
/* lfs_check() of an open file of that size. One that cannot be read is none. */
int lfs_check_open(int fd, uint64_t size, const char *name, struct error *err);

#endif
