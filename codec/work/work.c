#include "codec/work/work.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "codec/work/data_file.h"
#include "codec/base/folder.h"
#include "codec/work/journal.h"

struct boot_id boot_id(void)
{
	struct boot_id id = {""};
	cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, id.text, sizeof(id.text) - 1);

	id.text[n > 0 ? n : 0] = '\0';
	return id;
}

enum { TRIES = 20, PAUSE_MS = 10 };

/* Opens a folder that is ours alone. */
static int open_own(int dirfd, const char *name, const char *path, struct error *err)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "%s", path);
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return error_set(err, -EACCES,
				 "%s belongs to user %u, or others may write to it: it may hold "
				 "edits of theirs; mount as that user, or with -o ro",
				 path, st.st_uid);
	return steal_fd(&fd);
}

int work_open(const struct model *m, struct error *err)
{
	if (m->workdir)
		return open_own(AT_FDCWD, m->workdir, m->workdir, err);
	return open_own(m->place.rootfd, m->work, m->work_path, err);
}

int work_create(struct model *m, struct error *err)
{
	int r = m->workdir ? mkdir(m->workdir, 0700) : mkdirat(m->place.rootfd, m->work, 0700);

	if (r < 0 && errno != EEXIST)
		return error_errno(err, "%s", m->work_path);
	return work_open(m, err);
}

/*
 * The file that tells where the work folder is, in the folder that has its usual name: a line,
 * whose end tells that it is whole.
 */
static const char elsewhere[] = "elsewhere";

int work_stage(struct model *m, int workfd, struct error *err)
{
	cleanup_fd int fd = -1, file = -1;
	cleanup_buf struct buf line = {0};

	if (!m->workdir || m->output) {
		fd = fcntl(workfd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? error_errno(err, "%s", m->work_path) : steal_fd(&fd);
	}
	if (mkdirat(m->place.rootfd, m->work, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "%s/%s", m->place.root, m->work);
	fd = open_own(m->place.rootfd, m->work, m->work, err);
	if (fd < 0)
		return fd;
	file = openat(fd, elsewhere, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	buf_printf(&line, "%s\n", m->workdir);
	if (line.failed)
		return -ENOMEM;
	if (file < 0 || write_at(file, line.p, line.n, 0) < 0)
		return error_errno(err, "%s/%s/%s", m->place.root, m->work, elsewhere);
	return steal_fd(&fd);
}

bool work_exists(const struct model *m)
{
	return faccessat(m->place.rootfd, m->work, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool work_has_journal(const struct model *m, bool chosen)
{
	cleanup_buf struct buf path = {0};

	buf_printf(&path, "%s/journal%c", chosen ? m->workdir : m->work, 0);
	return !path.failed && faccessat(chosen ? AT_FDCWD : m->place.rootfd, (const char *)path.p,
					 F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int work_check_place(const struct model *m, struct error *err)
{
	cleanup_file struct file file = {0};
	cleanup_buf struct buf path = {0};
	struct span there;

	if (m->output)
		return 0; /* these edits go elsewhere, whatever others there are */
	if (m->workdir && work_has_journal(m, false))
		return error_set(err, -EACCES,
				 "edits of this model are in %s/%s: mount it without -o workdir",
				 m->place.root, m->work);
	buf_printf(&path, "%s/%s%c", m->work, elsewhere, 0);
	if (path.failed || file_read(m->place.rootfd, (const char *)path.p, 4096, &file, NULL) < 0)
		return 0;
	there = buf_span(&file.bytes);
	if (!span_ends(there, span_str("\n")))
		return 0; /* the journal is made after it: there is none */
	there = span_first(there, there.n - 1);
	if (m->workdir && span_is(there, m->workdir))
		return 0;
	return error_set(err, -EACCES,
			 "edits of this model are in %s: mount it with -o workdir=%s, or with -o "
			 "ro; if they are gone for good, remove %s/%s",
			 quote(there), quote(there), m->place.root, m->work);
}

int work_sync(const struct model *m, struct error *err)
{
	char folder[4096];
	int r = 0;

	if (m->workdir)
		r = sync_folder(AT_FDCWD, folder_of(m->workdir, folder, sizeof(folder)), err);
	if (r == 0 && !m->output)
		r = sync_folder(m->place.rootfd, folder_of(m->work, folder, sizeof(folder)), err);
	return r;
}

/* NAME.N */
static bool is_numbered(struct span name, const char *start)
{
	if (!span_starts(name, span_str(start)) || name.n == strlen(start))
		return false;
	for (size_t i = strlen(start); i < name.n; i++)
		if (name.p[i] < '0' || name.p[i] > '9')
			return false;
	return true;
}

bool work_is_staged(struct span name)
{
	return is_numbered(name, "stage.") && name.n < STAGE_NAME;
}

/*
 * What we make there (data_file.c, journal.c, stage.c). In a folder that the user has chosen there
 * may be other things.
 */
static bool is_ours(int folderfd, const char *name, bool chosen)
{
	if (is_numbered(span_str(name), "data."))
		return !chosen || file_begins(folderfd, name, data_file_magic);
	if (strcmp(name, "journal.new") == 0)
		return !chosen || file_begins(folderfd, name, journal_magic);
	return strcmp(name, "stage.draft") == 0 ||
	       (!chosen && (work_is_staged(span_str(name)) || strcmp(name, STAGE_NEW) == 0 ||
			    strcmp(name, elsewhere) == 0));
}

static void empty(int folderfd, bool chosen)
{
	int fd = openat(folderfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_ours(folderfd, entry->d_name, chosen) &&
		    unlinkat(folderfd, entry->d_name, 0) < 0 && errno == EISDIR)
			folder_remove(folderfd, entry->d_name);
	if (dir)
		closedir(dir);
	else
		close_pointer(&fd);
}

/* Certainly: what cannot be looked at is no reason to remove anything. */
static bool is_missing(int folderfd, const char *name)
{
	return faccessat(folderfd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

void work_clean(const struct model *m, int workfd)
{
	if (is_missing(workfd, "journal"))
		empty(workfd, m->workdir && !m->output);
}

void work_drop_stage(const struct model *m)
{
	cleanup_fd int fd = -1;

	if (!m->workdir || m->output)
		return;
	fd = open_own(m->place.rootfd, m->work, m->work, NULL);
	if (fd >= 0)
		empty(fd, false);
	unlinkat(m->place.rootfd, m->work, AT_REMOVEDIR);
}

bool work_remove_folder(const struct model *m)
{
	bool gone = m->output || unlinkat(m->place.rootfd, m->work, AT_REMOVEDIR) == 0 ||
		    errno == ENOENT;

	return (!m->workdir || rmdir(m->workdir) == 0) && gone;
}

/* True if nothing is left. */
static bool remove_all(const struct model *m, int workfd, int stagefd)
{
	bool chosen = m->workdir && !m->output;

	unlinkat(workfd, "journal", 0);
	empty(workfd, chosen);
	if (chosen && stagefd >= 0)
		empty(stagefd, false);
	return work_remove_folder(m);
}

/* A file that was removed while it was open: so sshfs and bindfs call it, and NFS. */
static bool has_hidden(int folderfd)
{
	int fd = openat(folderfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = strncmp(entry->d_name, ".fuse_hidden", 12) == 0 ||
			strncmp(entry->d_name, ".nfs", 4) == 0;
	if (dir)
		closedir(dir);
	else
		close_pointer(&fd);
	return found;
}

void work_sweep(const struct model *m, int workfd)
{
	if (is_missing(workfd, "journal") && is_missing(workfd, elsewhere))
		work_remove(m, workfd, -1);
}

void work_sweep_staged(int stagefd)
{
	int fd = openat(stagefd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (work_is_staged(span_str(entry->d_name)) &&
		    unlinkat(stagefd, entry->d_name, 0) < 0 && errno == EISDIR)
			folder_remove(stagefd, entry->d_name);
	(void)unlinkat(stagefd, STAGE_NEW, 0);
	folder_remove(stagefd, STAGE_NEW);
	if (dir)
		closedir(dir);
	else
		close_pointer(&fd);
}

bool work_remove(const struct model *m, int workfd, int stagefd)
{
	/* What fails once need not fail twice; and litter would stay until the next edit. */
	bool gone = remove_all(m, workfd, stagefd) || remove_all(m, workfd, stagefd);

	/* We have closed it, but they hear of that later. */
	for (int i = 0; !gone && i < TRIES && has_hidden(workfd); i++) {
		usleep(PAUSE_MS * 1000);
		gone = remove_all(m, workfd, stagefd);
	}
	return gone;
}
