#include "fs/cmd/holders.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/base/mem.h"
#include "fs/cmd/control.h"
#include "fs/view/log.h"

enum { NAMESPACES = 16 }; /* that are told apart; of more, each process is named */

/* True if the link leads to the mount or into it. */
static bool leads_into(const char *link, const char *path)
{
	char target[4096];
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	size_t length = strlen(path);

	if (n < 0)
		return false;
	target[n] = '\0';
	return strncmp(target, path, length) == 0 &&
	       (target[length] == '/' || target[length] == '\0');
}

static bool folder_leads_into(const char *folder, const char *path)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		char link[4096];

		snprintf(link, sizeof(link), "%s/%s", folder, entry->d_name);
		found = leads_into(link, path);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* How a process holds the mount, or NULL. */
static const char *hold_of(const char *pid, const char *path)
{
	static const struct {
		const char *link, *what;
	} links[] = {
		{"cwd", "its current directory"}, {"root", "its root"}, {"exe", "its program"}};
	char name[300];

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		snprintf(name, sizeof(name), "/proc/%s/%s", pid, links[i].link);
		if (leads_into(name, path))
			return links[i].what;
	}
	snprintf(name, sizeof(name), "/proc/%s/fd", pid);
	if (folder_leads_into(name, path))
		return "an open file";
	snprintf(name, sizeof(name), "/proc/%s/map_files", pid);
	return folder_leads_into(name, path) ? "a mapped file" : NULL;
}

/* The name of a process's next folder entry in /proc, or NULL. */
static const char *next_process(DIR *proc)
{
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			return entry->d_name;
	return NULL;
}

static void read_program(const char *pid, char name[64])
{
	char file[300];
	FILE *f;

	snprintf(file, sizeof(file), "/proc/%s/comm", pid);
	f = fopen(file, "re");
	name[0] = '\0';
	if (f && fgets(name, 64, f))
		name[strcspn(name, "\n")] = '\0';
	if (f)
		fclose(f);
}

void holders_name(const char *path)
{
	DIR *proc = opendir("/proc");
	const char *pid;

	while ((pid = next_process(proc))) {
		const char *what = hold_of(pid, path);
		char name[64];

		if (!what || strtol(pid, NULL, 10) == getpid())
			continue;
		read_program(pid, name);
		say("weightfs: in use by process %s (%s): %s", pid, name, what);
	}
	if (proc)
		closedir(proc);
}

/* The mount namespace of a process: 0, where one may not look. */
static ino_t namespace_of(const char *pid)
{
	char file[300];
	struct stat st;

	snprintf(file, sizeof(file), "/proc/%s/ns/mnt", pid);
	return stat(file, &st) == 0 ? st.st_ino : 0;
}

/* Lets edits go on that the save for the unmount has put off: who makes them must not wait. */
static void thaw(const char *pid, const char *path)
{
	cleanup_free char *mountpoint = NULL;
	int fd = asprintf(&mountpoint, "/proc/%s/root%s", pid, path) < 0
			 ? -1
			 : control_send(mountpoint, "thaw");

	close_pointer(&fd);
}

/* Says that the mount is there for this process, at that path, and makes use of that. */
static void name_elsewhere(const char *pid, bool ours, const char *path)
{
	char name[64];

	read_program(pid, name);
	if (ours)
		say("weightfs: it is mounted at %s too", path);
	else
		say("weightfs: it is still mounted for process %s (%s), in another mount "
		    "namespace, at %s",
		    pid, name, path);
	thaw(pid, path);
}

bool holders_elsewhere(const struct mount *m)
{
	ino_t seen[NAMESPACES] = {0}, ours = namespace_of("self");
	DIR *proc = opendir("/proc");
	unsigned n = 0;
	bool any = false;
	const char *pid;

	while ((pid = next_process(proc))) {
		cleanup_free char *path = NULL;
		ino_t space = namespace_of(pid);
		bool known = !space;

		for (unsigned i = 0; i < n && !known; i++)
			known = seen[i] == space;
		path = known ? NULL : mount_seen_by(m, pid);
		if (!known && n < NAMESPACES)
			seen[n++] = space;
		if (!path)
			continue;
		name_elsewhere(pid, space == ours, path);
		any = true;
	}
	if (proc)
		closedir(proc);
	return any;
}
