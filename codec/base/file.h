/*
 * Files of a model and of its work folder.
 *
 * They are reached by a folder's descriptor that was opened before the mount, and by names
 * relative to it: a mount over the model must not lead us into ourselves.
 */
#ifndef CODEC_BASE_FILE_H
#define CODEC_BASE_FILE_H

#include <sys/stat.h>

#include "codec/base/buf.h"
#include "codec/base/error.h"

/* What tells a file from another one, or from itself changed. No file: all zero. */
struct file_id {
	uint64_t dev, ino, size;
	int64_t mtime; /* in nanoseconds */
};

struct file_id file_id_of(const struct stat *st);
bool file_id_equal(const struct file_id *a, const struct file_id *b);

/* A small file as it was read: its bytes, and who it was at that time. */
struct file {
	struct buf bytes;
	struct file_id id;
};

/*
 * Reads the whole file. -ENOENT and the like as from open(); -EFBIG over max bytes; -ESTALE if
 * it changed while it was read. err names the file.
 */
int file_read(int dirfd, const char *name, uint64_t max, struct file *ret, struct error *err);
void file_release(struct file *f);
#define cleanup_file __attribute__((cleanup(file_release)))

/* -ESTALE if the open file is not any more what it was. err names it. */
int file_unchanged(int fd, const struct file_id *id, const char *name, struct error *err);

/*
 * Removes the name if it still leads to the file of that inode. 0 as well where it leads to another
 * file, or is not there. Tries a second time before it reports an error: -errno of that.
 * Somebody else may put a file of his own there at any instant: so the name is moved aside, and
 * looked at there. Who was killed meanwhile calls it again.
 */
int file_remove_inode(int dirfd, const char *name, uint64_t inode, int asidefd, const char *aside);
/*
 * What was moved aside goes, if it is that inode's; else it goes back, unless somebody has put
 * another file there since. 0 as well where nothing is aside.
 */
int file_settle_aside(int dirfd, const char *name, uint64_t inode, int asidefd, const char *aside);
/* n bytes at offset, or -EIO if the file ends before, or what pread says. */
int read_at(int fd, void *to, size_t n, uint64_t offset);
/* n bytes at offset, all of them, or -errno (with some written). */
int write_at(int fd, const void *from, size_t n, uint64_t offset);
/*
 * True if the file begins with magic, or is so short that it holds only a part of magic: whoever
 * was writing it was killed. Follows no link.
 */
bool file_begins(int dirfd, const char *name, struct span magic);
/*
 * fsync. A failed fsync loses the dirty pages: the kernel marks them clean and never writes them.
 * So file_sync() sets *adrift when fsync fails, and the next file_sync() with *adrift set first
 * rewrites the whole file from the page cache. The caller sees to it that nobody else writes to the
 * file meanwhile.
 */
int file_sync(int fd, _Atomic bool *adrift);
/* fsync of the folder that dirfd names, or of the folder `path` below it (NULL: itself). */
int sync_folder(int dirfd, const char *path, struct error *err);
/* The folder part of a relative path ("variables" of "variables/x"), "." if there is none. */
const char *folder_of(const char *path, char *out, size_t size);

#endif
