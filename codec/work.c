#include "codec/work.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

struct boot_id boot_id(void)
{
	struct boot_id id = {""};
	cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, id.text, sizeof(id.text) - 1);

	id.text[n > 0 ? n : 0] = '\0';
	return id;
}

int work_open(const struct model *m, struct error *err)
{
	cleanup_fd int fd =
		openat(m->place.rootfd, m->work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "%s/%s", m->place.root, m->work);
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return error_set(err, -EACCES,
				 "%s/%s belongs to user %u and may hold edits of theirs; mount "
				 "as that user, or with -o ro",
				 m->place.root, m->work, st.st_uid);
	return steal_fd(&fd);
}

int work_create(struct model *m, struct error *err)
{
	if (mkdirat(m->place.rootfd, m->work, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "%s/%s", m->place.root, m->work);
	return work_open(m, err);
}

/* Names that we make there (data_file.c, journal.c, stage.c). */
static bool is_ours(const char *name)
{
	return strncmp(name, "data.", 5) == 0 || strncmp(name, "stage.", 6) == 0 ||
	       strcmp(name, "journal.new") == 0;
}

void work_remove(const struct model *m, int workfd)
{
	int fd = openat(workfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_ours(entry->d_name))
			unlinkat(workfd, entry->d_name, 0);
	if (dir)
		closedir(dir);
	else
		close_pointer(&fd);
	unlinkat(workfd, "journal", 0);
	unlinkat(m->place.rootfd, m->work, AT_REMOVEDIR);
}
