#include "codec/base/folder.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
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

/* The folders that the copy has come through, the innermost first. */
struct way {
	const struct way *up;
	int depth, inner; /* folders; and those since the last link that was followed */
	bool linked;	  /* a link led to it */
	dev_t dev;
	ino_t ino;
};

static bool is_on_way(const struct way *w, const struct stat *st)
{
	for (; w; w = w->up)
		if (w->dev == st->st_dev && w->ino == st->st_ino)
			return true;
	return false;
}

/* True if what the text of a link says lies in what is copied, so that it is true of the copy. */
static bool stays_inside(const char *text, int depth)
{
	for (const char *end; *text; text = *end ? end + 1 : end) {
		size_t n = strcspn(text, "/");

		end = text + n;
		if (n == 2 && strncmp(text, "..", n) == 0)
			depth--;
		else if (n > 1 || (n == 1 && *text != '.'))
			depth++;
		else if (n == 0) /* it begins with a slash, or has two of them */
			return false;
		if (depth < 0)
			return false;
	}
	return true;
}

/* Where a path leads to, whatever links there are on it: absolute. -errno. */
static int resolve(int dirfd, const char *name, char *out, size_t size)
{
	cleanup_fd int fd = openat(dirfd, name, O_PATH | O_CLOEXEC);
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = fd < 0 ? -1 : readlink(link, out, size - 1);
	if (n < 0)
		return -errno;
	out[n] = '\0';
	return 0;
}

/* A link stays one. If it leads elsewhere the copy's leads there, too, wherever the copy is. */
static int copy_link(int fromfd, int tofd, const char *name, const struct way *way)
{
	char text[4097];
	ssize_t n = readlinkat(fromfd, name, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	if (!stays_inside(text, way->inner))
		(void)resolve(fromfd, name, text, sizeof(text)); /* or it leads nowhere */
	return symlinkat(text, tofd, name) < 0 ? -errno : 0;
}

static int copy_file(int fromfd, int tofd, const char *name, bool second_name)
{
	if (second_name && linkat(fromfd, name, tofd, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	return file_copy(fromfd, name, tofd, name);
}

static int copy_folder(int fromfd, const char *from, int tofd, const char *to,
		       const struct folder_copy *what, struct way way);

static int copy_entry(int fromfd, int tofd, const char *name, const struct folder_copy *what,
		      const struct way *way)
{
	enum folder_how how = what->how(what->context, name, way->depth);
	struct way next = {.up = way, .depth = way->depth + 1, .inner = way->inner + 1};
	struct stat st, target;
	bool link;

	if (how == FOLDER_LEAVE_OUT)
		return 0;
	if (fstatat(fromfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	link = S_ISLNK(st.st_mode);
	if (link && fstatat(fromfd, name, &target, 0) < 0)
		return copy_link(fromfd, tofd, name, way);
	if (link)
		st = target;
	if (!S_ISDIR(st.st_mode))
		return copy_file(fromfd, tofd, name, how == FOLDER_LINK);
	if (is_on_way(way, &st)) /* or we would go round for ever */
		return link ? copy_link(fromfd, tofd, name, way) : 0;
	if (link && how != FOLDER_FOLLOW)
		return copy_link(fromfd, tofd, name, way);
	next.linked = link;
	if (link)
		next.inner = 0;
	return copy_folder(fromfd, name, tofd, name, what, next);
}

static int copy_entries(DIR *in, int out, const struct folder_copy *what, const struct way *way)
{
	struct dirent *entry;
	int r = 0;

	while (r == 0 && (entry = readdir(in)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = copy_entry(dirfd(in), out, entry->d_name, what, way);
	return r == 0 && fsync(out) < 0 ? -errno : r;
}

/* way: what leads to the folder. */
static int copy_folder(int fromfd, const char *from, int tofd, const char *to,
		       const struct folder_copy *what, struct way way)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (way.linked ? 0 : O_NOFOLLOW);
	int in = openat(fromfd, from, flags);
	cleanup_dir DIR *dir = in >= 0 ? fdopendir(in) : NULL;
	cleanup_fd int out = -1;
	struct stat st;

	if (!dir || fstat(in, &st) < 0)
		return -errno;
	if (way.depth > DEPTH_MAX)
		return -ELOOP;
	way.dev = st.st_dev;
	way.ino = st.st_ino;
	if (mkdirat(tofd, to, 0777) < 0)
		return -errno;
	out = openat(tofd, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return out < 0 ? -errno : copy_entries(dir, out, what, &way);
}

int folder_copy(int fromfd, const char *from, int tofd, const char *to,
		const struct folder_copy *what)
{
	return copy_folder(fromfd, from, tofd, to, what, (struct way){0});
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
