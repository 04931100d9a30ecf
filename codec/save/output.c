#include "codec/save/output.h"

#include <fcntl.h>
#include <stdio.h>

#include "codec/work/edits_state.h"
#include "codec/base/folder.h"
#include "codec/model/format.h"
#include "codec/save/outbox.h"
#include "codec/work/lock.h"
#include "codec/save/stage.h"
#include "codec/work/work.h"

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * True if somebody holds the lock of a file whose name begins with PATH: a model of such files may
 * have its work folder where ours would be.
 */
static bool is_in_use(const char *path)
{
	char folder[4096];
	cleanup_dir DIR *dir = opendir(folder_of(path, folder, sizeof(folder)));
	const char *name = strrchr(path, '/') + 1;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		cleanup_fd int fd = -1;

		if (entry->d_type == DT_DIR || strncmp(entry->d_name, name, strlen(name)) != 0)
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0 && lock_file(fd) < 0)
			return true;
	}
	return false;
}

/*
 * A mount that died while it tidied up after its last save leaves files without a journal, and
 * nobody else would look for them. They are another's if the place is in use, as the work folder of
 * a mount that saves there or of what stands at PATH itself.
 */
static void sweep(const struct model *m)
{
	cleanup_fd int fd = -1;

	if (is_in_use(m->output))
		return;
	fd = work_open(m, NULL);
	if (fd >= 0 && lock_file(fd) == 0)
		work_sweep(m, fd);
}

/* PATH, or the file there that says what the others are. */
static char *final_path(const struct model *m)
{
	const char *ending = m->format->ending;
	char *path;

	return asprintf(&path, "%s%s", m->output, ending ? ending : "") < 0 ? NULL : path;
}

int output_choose(struct model *m, const char *path, struct error *err)
{
	cleanup_free char *work = NULL, *final = NULL;
	int r;

	if (asprintf(&work, "%s.weightfs", path) < 0)
		return -ENOMEM;
	m->output = strdup(path);
	final = m->output ? final_path(m) : NULL;
	r = final ? model_set_workdir(m, work) : -ENOMEM;
	if (r < 0)
		return r;
	if (exists(final) && !work_has_journal(m, true)) {
		sweep(m);
		return error_set(err, -EEXIST, "%s exists already", final);
	}
	return 0;
}

/* The file goes from the work folder to PATH and what its name has behind that. */
static int put(const struct model *m, const struct outbox_file *f, struct error *err)
{
	cleanup_buf struct buf path = {0};

	buf_printf(&path, "%s%s%c", m->output, f->name, 0);
	if (path.failed)
		return -ENOMEM;
	if (renameat(m->edits->stagefd, f->from, AT_FDCWD, (const char *)path.p) < 0)
		return error_errno(err, "%s", path.p);
	return 0;
}

/* What an earlier save of this mount left: its last file goes first, so that it never lies. */
static int put_files(struct model *m, const struct outbox *out, struct error *err)
{
	cleanup_free char *final = final_path(m);
	char path[4096];
	const char *folder = folder_of(m->output, path, sizeof(path));
	int r = final ? 0 : -ENOMEM;

	if (r == 0 && unlink(final) < 0 && errno != ENOENT)
		r = error_errno(err, "%s", final);
	for (size_t i = 0; i + 1 < out->n && r == 0; i++)
		r = put(m, &out->files[i], err);
	if (r == 0)
		r = sync_folder(AT_FDCWD, folder, err);
	if (r == 0)
		r = put(m, &out->files[out->n - 1], err);
	return r < 0 ? r : sync_folder(AT_FDCWD, folder, err);
}

/* The new folder takes the place of what an earlier save of this mount wrote. */
static int exchange_folder(struct model *m, int workfd, struct error *err)
{
	char folder[4096];
	int r;

	if (renameat2(workfd, STAGE_NEW, AT_FDCWD, m->output, RENAME_EXCHANGE) < 0 &&
	    renameat(workfd, STAGE_NEW, AT_FDCWD, m->output) < 0)
		return error_errno(err, "%s", m->output);
	/* What it was exchanged for must not be taken to pieces while a power cut could bring it
	 * back. */
	r = sync_folder(AT_FDCWD, folder_of(m->output, folder, sizeof(folder)), err);
	if (r == 0)
		r = sync_folder(workfd, NULL, err);
	if (r == 0)
		folder_remove(workfd, STAGE_NEW);
	return r;
}

static int put_folder(struct model *m, const struct outbox *out, struct error *err)
{
	int stagefd = m->edits->stagefd;
	int r = outbox_make_folder(m, out, stagefd);

	if (r < 0)
		error_set(err, r, "%s: %s", m->output, strerror(-r));
	else
		r = exchange_folder(m, stagefd, err);
	if (r < 0)
		folder_remove(stagefd, STAGE_NEW);
	return r;
}

int output_write(struct model *m, struct error *err)
{
	cleanup_outbox struct outbox out = {0};
	struct stage s;
	int r = model_check_base(m, err);

	if (r == 0)
		r = edits_sync(m, err);
	if (r < 0)
		return r;
	stage_init(&s, m, m->edits->stagefd);
	r = m->format->save_elsewhere(m, &s, &out, err);
	if (r == 0)
		r = m->format->ending ? put_files(m, &out, err) : put_folder(m, &out, err);
	stage_release(&s);
	work_sweep_staged(m->edits->stagefd);
	return r;
}
