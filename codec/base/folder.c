#include "codec/base/folder.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "codec/base/file.h"

enum { DEPTH_MAX = 32, PART = 1 << 20 };

int file_copy_bytes(int from, int to, uint64_t size, uint64_t *ret_copied)
{
	cleanup_free uint8_t *part = NULL;
	uint64_t at = 0;
	int r = 0;

	*ret_copied = 0;
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	part = malloc(PART);
	if (!part)
		return -ENOMEM;
	while (at < size && r == 0) {
		size_t n = size - at < PART ? (size_t)(size - at) : PART;

		r = read_at(from, part, n, at);
		if (r == 0)
			r = write_at(to, part, n, at);
		at += n;
	}
	if (r == 0)
		*ret_copied = at;
	return r;
}

int file_copy(int fromfd, const char *from, int tofd, const char *to)
{
	/* A pipe would keep us waiting for its other end. */
	cleanup_fd int in = openat(fromfd, from, O_RDONLY | O_CLOEXEC | O_NONBLOCK), out = -1;
	uint64_t copied;
	struct stat st, now;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	out = openat(tofd, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
	if (out < 0)
		return -errno;
	r = file_copy_bytes(in, out, (uint64_t)st.st_size, &copied);
	if (r == -EIO && fstat(in, &now) == 0 && now.st_size < st.st_size)
		return -ESTALE;
	return r == 0 && fsync(out) < 0 ? -errno : r;
}

static int copy_at(int fromfd, const char *from, int tofd, const char *to,
		   const struct folder_copy *what, int depth);

static int copy_entry(int fromfd, int tofd, const char *name, const struct folder_copy *what,
		      int depth)
{
	int how = what->how(what->context, name, depth);
	struct stat st;

	if (how < 0)
		return 0;
	if (fstatat(fromfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return copy_at(fromfd, name, tofd, name, what, depth + 1);
	if (how > 0 && linkat(fromfd, name, tofd, name, 0) == 0)
		return 0;
	return file_copy(fromfd, name, tofd, name);
}

static int copy_at(int fromfd, const char *from, int tofd, const char *to,
		   const struct folder_copy *what, int depth)
{
	int in = openat(fromfd, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	cleanup_dir DIR *dir = in >= 0 ? fdopendir(in) : NULL;
	cleanup_fd int out = -1;
	struct dirent *entry;

	if (!dir || depth > DEPTH_MAX)
		return dir ? -ELOOP : -errno;
	if (mkdirat(tofd, to, 0777) < 0)
		return -errno;
	out = openat(tofd, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	while (r == 0 && out >= 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = copy_entry(in, out, entry->d_name, what, depth);
	if (r == 0 && (out < 0 || fsync(out) < 0))
		r = -errno;
	return r;
}

int folder_copy(int fromfd, const char *from, int tofd, const char *to,
		const struct folder_copy *what)
{
	return copy_at(fromfd, from, tofd, to, what, 0);
}

struct walk {
	int (*visit)(void *context, const char *path, const struct stat *st);
	void *context;
};

/* A folder of which that much of the path leads to it. */
static int walk_at(int parentfd, const char *name, struct buf *path, const struct walk *w,
		   int depth)
{
	int fd = openat(parentfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	cleanup_dir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	size_t n = path->n;

	if (!dir || depth > DEPTH_MAX)
		return dir ? -ELOOP : -errno;
	while (r == 0 && (entry = readdir(dir))) {
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		path->n = n;
		buf_printf(path, "/%s%c", entry->d_name, 0);
		if (path->failed || fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return path->failed ? -ENOMEM : -errno;
		path->n--;
		r = w->visit(w->context, (const char *)path->p, &st);
		if (r == 0 && S_ISDIR(st.st_mode))
			r = walk_at(fd, entry->d_name, path, w, depth + 1);
	}
	return r;
}

int folder_walk(int parentfd, const char *name,
		int (*visit)(void *context, const char *path, const struct stat *st), void *context)
{
	cleanup_buf struct buf path = {0};

	return walk_at(parentfd, name, &path, &(struct walk){visit, context}, 0);
}

static void remove_at(int parentfd, const char *name, int depth)
{
	int fd = openat(parentfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_dir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && depth <= DEPTH_MAX && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) < 0)
			remove_at(fd, entry->d_name, depth + 1);
	}
	(void)unlinkat(parentfd, name, AT_REMOVEDIR);
}

void folder_remove(int parentfd, const char *name)
{
	remove_at(parentfd, name, 0);
}
