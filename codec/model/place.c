#include "codec/model/place.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "codec/base/beneath.h"

enum { LISTED_MAX = 6 /* names that a message lists */ };

/* Where a folder is now, as the kernel tells it. */
static int path_of(int fd, char ret[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret, PATH_MAX);
	if (n < 0 || n == PATH_MAX)
		return n < 0 ? -errno : -ENAMETOOLONG;
	ret[n] = '\0';
	return 0;
}

static int open_root(struct place *p, const char *root, struct error *err)
{
	char now[PATH_MAX];

	p->rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->rootfd < 0)
		return error_errno(err, "%s", root);
	p->root = realpath(root, NULL);
	if (!p->root)
		return error_errno(err, "%s", root);
	p->traced = path_of(p->rootfd, now) == 0 && strcmp(now, p->root) == 0;
	return 0;
}

/* The folder and the name of an argument that is no folder itself. */
static int open_parent(struct place *p, const char *argument, struct error *err)
{
	cleanup_free char *folder = strdup(argument);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return -ENOMEM;
	p->name = strdup(slash ? slash + 1 : folder);
	if (!p->name)
		return -ENOMEM;
	if (slash == folder)
		slash[1] = '\0';
	else if (slash)
		*slash = '\0';
	return open_root(p, slash ? folder : ".", err);
}

static int open_as(const char *argument, bool is_folder, struct place *ret, struct error *err)
{
	struct place p = {.argument = strdup(argument), .rootfd = -1};
	int r;

	if (!p.argument)
		return -ENOMEM;
	if (is_folder) {
		p.name = strdup("");
		r = p.name ? open_root(&p, argument, err) : -ENOMEM;
	} else {
		r = open_parent(&p, argument, err);
	}
	if (r == 0 && asprintf(&p.path, p.name[0] ? "%s/%s" : "%s", p.root, p.name) < 0)
		r = -ENOMEM;
	if (r < 0)
		place_release(&p);
	else
		*ret = p;
	return r;
}

int place_open(const char *argument, struct place *ret, struct error *err)
{
	struct stat st;
	bool is_folder = stat(argument, &st) == 0 && S_ISDIR(st.st_mode);

	return open_as(argument, is_folder, ret, err);
}

int place_beside(const struct place *folder, struct place *ret)
{
	cleanup_free char *path = strdup(folder->argument);
	size_t n = path ? strlen(path) : 0;
	const char *slash;

	if (!path)
		return -ENOMEM;
	while (n && path[n - 1] == '/')
		path[--n] = '\0';
	slash = strrchr(path, '/');
	if (!n || strcmp(slash ? slash + 1 : path, ".") == 0 ||
	    strcmp(slash ? slash + 1 : path, "..") == 0)
		return -ENOENT;
	return open_as(path, false, ret, NULL);
}

int place_within(const struct place *folder, const char *name, struct place *ret)
{
	struct place p = {
		.root = strdup(folder->root),
		.name = strdup(name),
		.rootfd = folder->rootfd,
		.traced = folder->traced,
		.shared = true,
	};

	if (asprintf(&p.path, "%s/%s", folder->root, name) < 0)
		p.path = NULL;
	p.argument = p.path ? strdup(p.path) : NULL;
	if (p.root && p.name && p.argument) {
		*ret = p;
		return 0;
	}
	place_release(&p);
	return -ENOMEM;
}

void place_release(struct place *place)
{
	free(place->argument);
	free(place->path);
	free(place->root);
	free(place->name);
	if (!place->shared)
		close_pointer(&place->rootfd);
	*place = (struct place){.rootfd = -1};
}

int place_check(const struct place *place, struct error *err)
{
	char now[PATH_MAX];

	if (!place->traced || path_of(place->rootfd, now) < 0 || strcmp(now, place->root) == 0)
		return 0;
	return error_set(err, -ESTALE, "%s: what was mounted is %s now", place->root,
			 quote(span_str(now)));
}

bool place_has(const struct place *place, const char *name)
{
	struct stat st;

	return fstatat(place->rootfd, name, &st, 0) == 0 && S_ISREG(st.st_mode);
}

bool place_has_link(const struct place *place, const char *name)
{
	struct stat st;

	return fstatat(place->rootfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

bool place_leads_out(const struct place *place, const char *path)
{
	cleanup_fd int fd = open_beneath(place->rootfd, path, O_PATH);

	return fd < 0 && errno == EXDEV;
}

DIR *place_list_folder(const struct place *place, const char *path)
{
	char folder[4096];
	int fd = openat(place->rootfd, folder_of(path, folder, sizeof(folder)),
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir)
		close_pointer(&fd);
	return dir;
}

DIR *place_list(const struct place *place)
{
	return place_list_folder(place, "");
}

static int is_listed(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

void place_describe(const struct place *place, struct buf *out)
{
	struct dirent **entries = NULL;
	int n = scandirat(place->rootfd, ".", &entries, is_listed, versionsort);

	for (int i = 0; i < n; i++) {
		if (i < LISTED_MAX) {
			buf_add_str(out, i ? ", " : "");
			buf_add_str(out, quote(span_str(entries[i]->d_name)));
		}
		free(entries[i]);
	}
	free(entries);
	if (n > LISTED_MAX)
		buf_printf(out, " and %d more", n - LISTED_MAX);
	if (n <= 0)
		buf_add_str(out, "nothing");
}
