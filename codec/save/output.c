#include "codec/save/output.h"

#include <fcntl.h>
#include <stdio.h>

#include "codec/bundle/bundle.h"
#include "codec/work/edits_state.h"
#include "codec/base/folder.h"
#include "codec/model/format.h"
#include "codec/save/intent.h"
#include "codec/work/lock.h"
#include "codec/save/stage.h"
#include "codec/work/work.h"

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * A mount that died while it tidied up after its last save leaves files without a journal, and
 * nobody else would look for them. They are another's if the place is in use, as the work folder of
 * a mount that saves there or of what stands at PATH itself.
 */
static void sweep(const struct model *m, const char *index)
{
	cleanup_fd int indexfd = open(index, O_RDONLY | O_CLOEXEC), fd = -1;

	if (indexfd >= 0 && lock_file(indexfd) < 0)
		return;
	fd = work_open(m, NULL);
	if (fd >= 0 && lock_file(fd) == 0)
		work_sweep(m, fd);
}

int output_choose(struct model *m, const char *path, struct error *err)
{
	cleanup_free char *work = NULL, *index = NULL;
	int r;

	if (asprintf(&work, "%s.weightfs", path) < 0 || asprintf(&index, "%s.index", path) < 0)
		return -ENOMEM;
	m->output = strdup(path);
	r = m->output ? model_set_workdir(m, work) : -ENOMEM;
	if (r < 0)
		return r;
	if (exists(m->is_folder ? path : index) && !work_has_journal(m, true)) {
		sweep(m, index);
		return error_set(err, -EEXIST, "%s exists already", m->is_folder ? path : index);
	}
	return 0;
}

static int put(int workfd, const char *staged, int folderfd, const char *name, struct error *err)
{
	if (renameat(workfd, staged, folderfd, name) < 0)
		return error_errno(err, "%s", name);
	return 0;
}

/* ---- a checkpoint ---- */

/* What an earlier save of this mount left: its index goes first, so that it never lies. */
static int put_checkpoint(struct model *m, const struct staged *shard, const struct staged *index,
			  struct error *err)
{
	int workfd = m->edits->stagefd, r;
	cleanup_buf struct buf name = {0};
	char folder[4096];

	bundle_index_name(m->output, &name);
	if (name.failed)
		return -ENOMEM;
	if (unlink((const char *)name.p) < 0 && errno != ENOENT)
		return error_errno(err, "%s", name.p);
	buf_reset(&name);
	bundle_shard_name(m->output, 0, 1, &name);
	r = name.failed ? -ENOMEM : put(workfd, shard->name, AT_FDCWD, (const char *)name.p, err);
	folder_of(m->output, folder, sizeof(folder));
	if (r == 0)
		r = sync_folder(AT_FDCWD, folder, err);
	buf_reset(&name);
	bundle_index_name(m->output, &name);
	if (r == 0)
		r = name.failed ? -ENOMEM
				: put(workfd, index->name, AT_FDCWD, (const char *)name.p, err);
	return r < 0 ? r : sync_folder(AT_FDCWD, folder, err);
}

static int write_checkpoint(struct model *m, struct stage *s, struct error *err)
{
	struct staged shard = {.fd = -1}, index = {.fd = -1};
	int r = bundle_write_fresh(m, s, &shard, &index, err);

	return r < 0 ? r : put_checkpoint(m, &shard, &index, err);
}

/* ---- a SavedModel ---- */

/* Everything is copied but what is written anew, and what would be wrong. */
static int copy_how(const char *name, int depth)
{
	static const char *const others[] = {"variables", ".weightfs", "fingerprint.pb"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (depth == 0 && strcmp(name, others[i]) == 0)
			return -1;
	return 0;
}

/* The variables as edited, in the new folder. */
static int write_variables(struct model *m, struct stage *s, int outfd, struct error *err)
{
	struct staged shard = {.fd = -1}, index = {.fd = -1};
	int r;

	if (mkdirat(outfd, "variables", 0777) < 0)
		return error_errno(err, "variables");
	if (!m->prefix)
		return 0;
	r = bundle_write_fresh(m, s, &shard, &index, err);
	if (r == 0)
		r = put(s->workfd, shard.name, outfd, "variables/variables.data-00000-of-00001",
			err);
	if (r == 0)
		r = put(s->workfd, index.name, outfd, "variables/variables.index", err);
	return r < 0 ? r : sync_folder(outfd, "variables", err);
}

/* The new folder takes the place of what an earlier save of this mount wrote. */
static int put_folder(struct model *m, int workfd, struct error *err)
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

static int write_folder(struct model *m, struct stage *s, struct error *err)
{
	cleanup_fd int outfd = -1;
	int r;

	folder_remove(s->workfd, STAGE_NEW);
	r = folder_copy(m->place.rootfd, ".", s->workfd, STAGE_NEW,
			&(struct folder_copy){copy_how});
	if (r < 0)
		return error_set(err, r, "%s: %s", m->output, strerror(-r));
	outfd = openat(s->workfd, STAGE_NEW, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = outfd < 0 ? error_errno(err, "%s", m->output) : write_variables(m, s, outfd, err);
	if (r == 0)
		r = sync_folder(outfd, NULL, err);
	if (r == 0)
		r = put_folder(m, s->workfd, err);
	if (r < 0)
		folder_remove(s->workfd, STAGE_NEW);
	return r;
}

int output_write(struct model *m, struct error *err)
{
	struct stage s;
	int r = model_check_base(m, err);

	if (r == 0)
		r = edits_sync(m, err);
	if (r < 0)
		return r;
	stage_init(&s, m, m->edits->stagefd);
	r = m->is_folder ? write_folder(m, &s, err) : write_checkpoint(m, &s, err);
	stage_release(&s);
	work_sweep_staged(m->edits->stagefd);
	return r;
}
