#include "fs/fuse/mountinfo.h"

#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "codec/base/mem.h"

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

char *mount_seen_by(const struct mount *m, const char *pid)
{
	char name[64], at[PATH_MAX];
	cleanup_free char *line = NULL;
	char *found = NULL;
	unsigned major, minor;
	size_t size = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%s/mountinfo", pid);
	f = fopen(name, "re");
	while (f && !found && getline(&line, &size, f) > 0) {
		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &major, &minor, at) != 3 ||
		    major != m->major || minor != m->minor)
			continue;
		unescape(at);
		found = strdup(at);
	}
	if (f)
		fclose(f);
	return found;
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
