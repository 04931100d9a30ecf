#include "fs/cmd/mounts.h"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#include "codec/base/mem.h"
#include "fs/view/log.h"

extern char **environ;

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

/* Undoes the \ooo escapes of mountinfo, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		unsigned c;

		if (text[0] == '\\' && sscanf(text + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* One line: "id parent major:minor root MOUNTPOINT options ... - type source options". */
static void parse_line(char *line, const char *path, struct mount *m)
{
	char at[PATH_MAX], type[64], source[PATH_MAX];
	unsigned major, minor;
	char *tail = strstr(line, " - "), *owner = tail ? strstr(tail, "user_id=") : NULL;

	if (!tail || sscanf(line, "%*d %*d %u:%u %*s %4095s", &major, &minor, at) != 3)
		return;
	unescape(at);
	if (strcmp(at, path) != 0)
		return;
	if (sscanf(tail, " - %63s %4095s", type, source) != 2)
		return;
	/* The last one that is listed lies on top. */
	m->found = strcmp(type, "fuse.weightfs") == 0;
	m->major = major;
	m->minor = minor;
	m->owner = owner ? (unsigned)strtoul(owner + strlen("user_id="), NULL, 10) : 0;
	unescape(source);
	snprintf(m->source, sizeof(m->source), "%s", source);
}

struct mount mount_find(const char *path)
{
	struct mount m = {0};
	FILE *f = fopen("/proc/self/mountinfo", "re");
	cleanup_free char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0)
		parse_line(line, path, &m);
	if (f)
		fclose(f);
	return m;
}

static int run_fusermount(const char *path, bool lazily, struct error *err)
{
	char *const argv[] = {(char[]){"fusermount3"}, lazily ? (char[]){"-uzq"} : (char[]){"-uq"},
			      (char[]){"--"}, (char *)(uintptr_t)path, NULL};
	int status = 0;
	pid_t pid;
	int r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);

	if (r)
		return error_set(err, -r, "fusermount3: %s", strerror(r));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!mount_find(path).found)
		return 0;
	return error_set(err, -EBUSY, "%s: cannot be unmounted", path);
}

int mount_undo(const char *path, bool lazily, struct error *err)
{
	if (umount2(path, (lazily ? MNT_DETACH : 0) | UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno == EPERM)
		return run_fusermount(path, lazily, err);
	return error_errno(err, "%s", path);
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
