#include "fs/cmd/mounts.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "codec/base/mem.h"
#include "fs/view/log.h"

char *mountpoint_path(const char *mountpoint, struct error *err)
{
	cleanup_free char *copy = strdup(mountpoint), *parent = NULL;
	char *path = realpath(mountpoint, NULL), *slash;

	if (path || errno != ENOTCONN) {
		if (!path)
			error_errno(err, "%s", mountpoint);
		return path;
	}
	/* A dead mount cannot be looked at; its parent can. */
	while (copy && *copy && copy[strlen(copy) - 1] == '/')
		copy[strlen(copy) - 1] = '\0';
	slash = copy ? strrchr(copy, '/') : NULL;
	if (slash)
		*slash = '\0';
	parent = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (!parent || asprintf(&path, "%s/%s", strcmp(parent, "/") ? parent : "",
				slash ? slash + 1 : copy) < 0) {
		error_errno(err, "%s", mountpoint);
		return NULL;
	}
	return path;
}

/* stat() may be answered from what the kernel remembers; statfs() never is. */
bool mount_is_dead(const char *path)
{
	struct statfs st;

	return statfs(path, &st) < 0 && errno == ENOTCONN;
}

static int detach_dead(const char *path, struct error *err)
{
	struct mount m = mount_find(path);
	int r;

	if (!m.found)
		return 0;
	if (!mount_is_dead(path))
		return error_set(err, -EBUSY, "%s: %s is mounted there already", path, m.source);
	r = mount_undo(path, true, err);
	if (r == 0)
		log_line("%s: detached a mount of %s whose daemon had died", path, m.source);
	return r;
}

int mount_make_way(const char *path, struct error *err)
{
	struct stat st;
	int r = detach_dead(path, err);

	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return error_errno(err, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, -ENOTDIR, "%s is no folder to mount at", path);
	return 0;
}
