#include "fs/view/assets.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "codec/base/beneath.h"
#include "codec/base/error.h"
#include "codec/base/mem.h"
#include "fs/view/log.h"

enum { DEPTH = 16, FILES_MAX = 100000, OUTSIDE_MAX = 100 };

/* A folder or a file: where it lies, and where it is shown. */
struct spot {
	int folderfd;
	const char *name; /* relative to that folder */
	const char *path; /* relative to the model's root */
	bool outside;
};

static int note_file(struct assets *a, const struct spot *at)
{
	struct asset *grown = vector_grow(a->file, a->n, &a->capacity, sizeof(*grown));
	struct asset file = {strdup(at->path), at->folderfd, strdup(at->name), at->outside};

	if (grown)
		a->file = grown;
	if (!grown || !file.path || !file.name) {
		free(file.path);
		free(file.name);
		return -ENOMEM;
	}
	grown[a->n++] = file;
	return 0;
}

static int list_folder(struct assets *a, const struct spot *at, int depth);

/* ---- links out of the model ---- */

static void say_outside(struct assets *a, const struct spot *at)
{
	if (!a->said)
		log_line("%s is a link that leads out of the model: such links are followed, and "
			 "never written through",
			 quote(span_str(at->path)));
	a->said = true;
}

/* The descriptor that is kept of a folder outside; fd is taken over. -EMFILE, -ENOMEM. */
static int keep_outside(struct assets *a, int fd)
{
	cleanup_fd int taken = fd;
	struct stat st, other;
	int *grown;

	if (fstat(fd, &st) < 0)
		return -errno;
	for (size_t i = 0; i < a->n_outside; i++)
		if (fstat(a->outside[i], &other) == 0 && other.st_dev == st.st_dev &&
		    other.st_ino == st.st_ino)
			return a->outside[i];
	if (a->n_outside == OUTSIDE_MAX)
		return -EMFILE;
	grown = vector_grow(a->outside, a->n_outside, &a->outside_capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	a->outside = grown;
	return grown[a->n_outside++] = steal_fd(&taken);
}

/* The file is noted by its name in the folder that it lies in. */
static int note_outside(struct assets *a, int fd, const char *path)
{
	char link[40], target[4097];
	struct spot at = {.path = path, .outside = true};
	ssize_t n;
	char *slash;
	int folder;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	slash = strrchr(target, '/');
	if (!slash)
		return n < 0 ? -errno : -ENOENT;
	*slash = '\0';
	folder = open(slash == target ? "/" : target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	at.folderfd = keep_outside(a, folder);
	at.name = slash + 1;
	return at.folderfd < 0 ? at.folderfd : note_file(a, &at);
}

static int follow(struct assets *a, const struct spot *at, int depth)
{
	cleanup_fd int fd = openat(at->folderfd, at->name, O_PATH | O_CLOEXEC);
	struct spot there = {.name = ".", .path = at->path, .outside = true};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	say_outside(a, at);
	if (S_ISREG(st.st_mode))
		return a->n < FILES_MAX ? note_outside(a, fd, at->path) : 0;
	if (!S_ISDIR(st.st_mode))
		return 0;
	there.folderfd = keep_outside(a, steal_fd(&fd));
	return there.folderfd < 0 ? there.folderfd : list_folder(a, &there, depth);
}

/* ---- folders ---- */

/* A file is noted, a folder is listed. */
static int list(struct assets *a, const struct spot *at, int depth)
{
	cleanup_fd int fd = open_beneath(at->folderfd, at->name, O_PATH);
	struct stat st;

	if (fd < 0 && errno == EXDEV)
		return follow(a, at, depth);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return list_folder(a, at, depth);
	return S_ISREG(st.st_mode) && a->n < FILES_MAX ? note_file(a, at) : 0;
}

static int list_entry(struct assets *a, const struct spot *folder, const char *entry, int depth)
{
	cleanup_free char *name = NULL, *path = NULL;
	struct spot at = {.folderfd = folder->folderfd, .outside = folder->outside};
	int r;

	if (asprintf(&name, "%s/%s", folder->name, entry) < 0 ||
	    asprintf(&path, "%s/%s", folder->path, entry) < 0)
		return -ENOMEM;
	at.name = name;
	at.path = path;
	r = list(a, &at, depth + 1);
	if (r < 0 && r != -ENOMEM)
		log_line("%s: not shown: %s", quote(span_str(path)), strerror(-r));
	return r == -ENOMEM ? r : 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_folder(struct assets *a, const struct spot *at, int depth)
{
	cleanup_fd int fd = open_beneath(at->folderfd, at->name, O_RDONLY | O_DIRECTORY);
	struct dirent **entries = NULL;
	int n, r = 0;

	if (fd < 0 || depth > DEPTH)
		return fd < 0 ? -errno : -ELOOP;
	n = scandirat(fd, ".", &entries, NULL, compare_names);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (r == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			r = list_entry(a, at, name, depth);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int assets_list(struct assets *a, int rootfd, const char *folder)
{
	struct spot at = {.folderfd = rootfd, .name = folder, .path = folder};
	int r = list(a, &at, 0);

	if (r < 0 && r != -ENOMEM)
		log_line("%s: not shown: %s", folder, strerror(-r));
	return r == -ENOMEM ? r : 0;
}

void assets_release(struct assets *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->file[i].path);
		free(a->file[i].name);
	}
	for (size_t i = 0; i < a->n_outside; i++)
		close(a->outside[i]);
	free(a->file);
	free(a->outside);
	*a = (struct assets){0};
}

int asset_open(const struct asset *a, int flags)
{
	return open_beneath(a->folderfd, a->name, flags);
}

bool asset_stat(const struct asset *a, struct stat *ret)
{
	cleanup_fd int fd = asset_open(a, O_PATH);

	return fd >= 0 && fstat(fd, ret) == 0;
}
