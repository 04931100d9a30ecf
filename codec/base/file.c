#include "codec/base/file.h"

#include <fcntl.h>
#include <stdio.h>

struct file_id file_id_of(const struct stat *st)
{
	return (struct file_id){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	};
}

bool file_id_equal(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime == b->mtime;
}

/* Inode 0: there is no such file. */
static int inode_at(int dirfd, const char *name, uint64_t *ret)
{
	struct stat st = {.st_ino = 0};

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

static int unlink_twice(int dirfd, const char *name)
{
	if (unlinkat(dirfd, name, 0) == 0 || unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

int file_settle_aside(int dirfd, const char *name, uint64_t inode, int asidefd, const char *aside)
{
	uint64_t there = 0;
	int r = inode_at(asidefd, aside, &there);

	if (r < 0 || !there)
		return r;
	if (there == inode)
		return unlink_twice(asidefd, aside);
	r = renameat2(asidefd, aside, dirfd, name, RENAME_NOREPLACE);
	return r == 0 || errno == EEXIST ? 0 : -errno;
}

int file_remove_inode(int dirfd, const char *name, uint64_t inode, int asidefd, const char *aside)
{
	uint64_t there = 0;
	int r = file_settle_aside(dirfd, name, inode, asidefd, aside); /* who was killed */

	if (r == 0)
		r = inode_at(dirfd, name, &there);
	if (r < 0 || there != inode)
		return r;
	if (renameat2(dirfd, name, asidefd, aside, RENAME_NOREPLACE) == 0)
		return file_settle_aside(dirfd, name, inode, asidefd, aside);
	return unlink_twice(dirfd, name); /* a file system that knows no flags */
}

int read_at(int fd, void *to, size_t n, uint64_t offset)
{
	uint8_t *p = to;

	while (n) {
		ssize_t got = pread(fd, p, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EIO;
		p += got;
		n -= (size_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}

int write_at(int fd, const void *from, size_t n, uint64_t offset)
{
	const uint8_t *p = from;

	while (n) {
		ssize_t put = pwrite(fd, p, n, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		if (put == 0)
			return -ENOSPC; /* never seen; but not a reason to loop for ever */
		p += put;
		n -= (size_t)put;
		offset += (uint64_t)put;
	}
	return 0;
}

/* Up to the next hole, or the end; 0 if there is nothing from here on. */
static int next_data(int fd, off_t *at, off_t *end)
{
	*at = lseek(fd, *at, SEEK_DATA);
	if (*at < 0)
		return errno == ENXIO ? 0 : -errno;
	*end = lseek(fd, *at, SEEK_HOLE);
	return *end < 0 ? -errno : 1;
}

static int write_again(int fd)
{
	enum { PART = 1 << 20 };
	cleanup_free uint8_t *part = malloc(PART);
	off_t at = 0, end = 0;
	int r = part ? 0 : -ENOMEM;

	while (r == 0 && (r = next_data(fd, &at, &end)) > 0)
		for (r = 0; r == 0 && at < end;) {
			size_t n = end - at < PART ? (size_t)(end - at) : PART;

			r = read_at(fd, part, n, (uint64_t)at);
			if (r == 0)
				r = write_at(fd, part, n, (uint64_t)at);
			at += (off_t)n;
		}
	return r;
}

int file_sync(int fd, _Atomic bool *adrift)
{
	int r = *adrift ? write_again(fd) : 0;

	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	*adrift |= r < 0;
	if (r == 0)
		*adrift = false;
	return r;
}

bool file_begins(int dirfd, const char *name, struct span magic)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint8_t start[64];
	ssize_t n = fd < 0 || magic.n > sizeof(start) ? -1 : pread(fd, start, magic.n, 0);

	return n >= 0 && span_starts(magic, span_of(start, (size_t)n));
}

int file_unchanged(int fd, const struct file_id *id, const char *name, struct error *err)
{
	struct file_id now;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "%s", name);
	now = file_id_of(&st);
	return file_id_equal(id, &now)
		       ? 0
		       : error_set(err, -ESTALE, "%s: changed while it was read", name);
}

/* Another time or inode number alone is no change: the bytes are the same when they are read again.
 */
static int read_again(int fd, const char *name, struct file *f, struct error *err)
{
	cleanup_free uint8_t *again = malloc(f->bytes.n + 1);
	struct stat st;
	int r;

	if (!again)
		return -ENOMEM;
	r = read_at(fd, again, f->bytes.n, 0);
	if (fstat(fd, &st) < 0)
		return error_errno(err, "%s", name);
	if (r < 0 || (uint64_t)st.st_size != f->bytes.n ||
	    memcmp(again, f->bytes.p, f->bytes.n) != 0)
		return error_set(err, -ESTALE, "%s: changed while it was read", name);
	f->id = file_id_of(&st);
	return 0;
}

static int read_whole(int fd, const char *name, uint64_t max, struct file *f, struct error *err)
{
	struct stat before;
	uint8_t *p;
	int r, changed;

	if (fstat(fd, &before) < 0)
		return error_errno(err, "%s", name);
	if (!S_ISREG(before.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", name);
	f->id = file_id_of(&before);
	if (f->id.size > max)
		return error_set(err, -EFBIG, "%s: %llu bytes, more than the %llu that are handled",
				 name, (unsigned long long)f->id.size, (unsigned long long)max);
	p = buf_extend(&f->bytes, (size_t)f->id.size);
	if (!p)
		return -ENOMEM;
	r = read_at(fd, p, f->bytes.n, 0);
	changed = file_unchanged(fd, &f->id, name, err);
	if (changed == -ESTALE)
		return read_again(fd, name, f, err);
	if (changed < 0)
		return changed;
	return r < 0 ? error_set(err, r, "%s: %s", name, strerror(-r)) : 0;
}

int file_read(int dirfd, const char *name, uint64_t max, struct file *ret, struct error *err)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct file f = {0};
	int r;

	if (fd < 0)
		return error_errno(err, "%s", name);
	r = read_whole(fd, name, max, &f, err);
	if (r < 0)
		file_release(&f);
	else
		*ret = f;
	return r;
}

void file_release(struct file *f)
{
	buf_release(&f->bytes);
}

int sync_folder(int dirfd, const char *path, struct error *err)
{
	cleanup_fd int fd = openat(dirfd, path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return error_errno(err, "%s", path ? path : ".");
	return 0;
}

const char *folder_of(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (!slash || n >= size)
		return ".";
	if (slash == path)
		return "/";
	memcpy(out, path, n);
	out[n] = '\0';
	return out;
}
