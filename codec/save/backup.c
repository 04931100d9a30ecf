/*
 * A backup replaces only what we made, every file of it: a copy that somebody made by hand under
 * the same name must not go, nor one to which somebody has added a note. So a mark, the file
 * NAME.bak.by-weightfs, stands beside the backup, not in it, for it may become the model again. It
 * has a line for each state in which the backup is ours: how many files there are, and a sum of
 * their names, inodes, sizes and times.
 */
#include "codec/save/backup.h"

#include <fcntl.h>
#include <stdio.h>

#include "codec/base/crc32c.h"
#include "codec/work/edits_state.h"
#include "codec/base/folder.h"
#include "codec/model/format.h"
#include "codec/save/outbox.h"
#include "codec/work/work.h"

#define MARK ".by-weightfs"

/* ---- the mark ---- */

#define MARK_NEW "stage.0" /* in the work folder, which nothing is staged in yet */

/* What tells a backup from any other files. */
struct state {
	unsigned long long files;
	uint64_t sum; /* does not depend on their order */
};

static int add_to_state(void *context, const char *path, const struct stat *st)
{
	struct state *state = context;
	struct file_id id = file_id_of(st);
	cleanup_buf struct buf line = {0};

	if (S_ISDIR(st->st_mode)) /* which counts what is in it, and when that changed */
		id = (struct file_id){.ino = id.ino};
	buf_printf(&line, "%s %llu %llu %lld", path, (unsigned long long)id.ino,
		   (unsigned long long)id.size, (long long)id.mtime);
	if (line.failed)
		return -ENOMEM;
	state->files++;
	state->sum += crc32c_extend(0, buf_span(&line)) * UINT64_C(0x9e3779b97f4a7c15);
	return 0;
}

static void print_state(const struct state *state, struct buf *out)
{
	buf_printf(out, "%llu files, %016llx\n", state->files, (unsigned long long)state->sum);
}

/* True if the mark names that state. */
static bool is_marked(int folderfd, const char *mark, const struct state *state)
{
	cleanup_file struct file file = {0};
	cleanup_buf struct buf line = {0};

	print_state(state, &line);
	return !line.failed && file_read(folderfd, mark, 4096, &file, NULL) == 0 &&
	       memmem(file.bytes.p, file.bytes.n, line.p, line.n);
}

/* Makes the mark of these lines, durably; or the old one stays. */
static int put_mark(int stagefd, int folderfd, const char *folder, const char *name,
		    const struct buf *lines)
{
	cleanup_fd int fd =
		openat(stagefd, MARK_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : lines->failed ? -ENOMEM : write_at(fd, lines->p, lines->n, 0);

	if (r == 0 && (fsync(fd) < 0 || renameat(stagefd, MARK_NEW, folderfd, name) < 0))
		r = -errno;
	if (fd >= 0 && r < 0)
		(void)unlinkat(stagefd, MARK_NEW, 0);
	return r < 0 ? r : sync_folder(folderfd, folder, NULL);
}

static bool exists(int folderfd, const char *name)
{
	return faccessat(folderfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int not_ours(const char *name, struct error *err)
{
	return error_set(err, -EEXIST,
			 "%s exists, and is not, or not only, what -o backup made: move it away, "
			 "or mount without -o backup",
			 name);
}

/* ---- a model of several files ---- */

struct keeper {
	struct model *m;
	const struct outbox *files; /* that the backup is to have; the last one is put last, */
	const char *stem;	    /* all under names that begin so, */
	const char *final, *mark;   /* that one's name, and that of the mark */
	const char *folder;	    /* in which they are */
};

/* Goes through the files of the backup but the final one; true if there are any. */
static bool find_files(const struct keeper *k, bool remove, struct state *state)
{
	cleanup_dir DIR *dir = place_list_folder(&k->m->place, k->stem);
	const char *slash = strrchr(k->stem, '/');
	size_t start = slash ? (size_t)(slash + 1 - k->stem) : 0;
	struct dirent *entry;
	bool found = false;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (!k->m->format->owns(k->stem + start, entry->d_name) ||
		    strcmp(entry->d_name, k->final + start) == 0)
			continue;
		found = true;
		if (remove)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
		if (state && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			(void)add_to_state(state, entry->d_name, &st);
	}
	return found;
}

static int keep_file(const struct keeper *k, const struct outbox_file *f, struct error *err)
{
	cleanup_buf struct buf name = {0};
	int r;

	buf_printf(&name, "%s%s%c", k->stem, f->name, 0);
	if (name.failed)
		return -ENOMEM;
	r = outbox_make_file(k->m, f, k->m->place.rootfd, (const char *)name.p);
	return r < 0 ? error_set(err, r, "%s: %s", name.p, strerror(-r)) : 0;
}

/* What the backup is with that final file, which may be elsewhere still. */
static int look_at_backup(const struct keeper *k, int finalfd, const char *final, struct state *ret)
{
	struct stat st;

	if (fstatat(finalfd, final, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	find_files(k, false, ret);
	return add_to_state(ret, "index", &st);
}

/*
 * The final file comes last, and only when the mark knows it: what lies there without one is what
 * we began.
 */
static int keep_final(const struct keeper *k, struct error *err)
{
	int rootfd = k->m->place.rootfd, stagefd = k->m->edits->stagefd, r;
	cleanup_buf struct buf line = {0};
	struct state state = {0};

	r = outbox_make_file(k->m, &k->files->files[k->files->n - 1], stagefd, STAGE_NEW);
	if (r == 0) /* or it is a mixture of two states */
		r = model_check_base(k->m, err);
	if (r == 0)
		r = look_at_backup(k, stagefd, STAGE_NEW, &state);
	print_state(&state, &line);
	if (r == 0)
		r = put_mark(stagefd, rootfd, k->folder, k->mark, &line);
	if (r == 0 && renameat(stagefd, STAGE_NEW, rootfd, k->final) < 0)
		r = -errno;
	return r;
}

/* What is there may be replaced: nothing, what we made, or what we began and did not finish. */
static int check_backup(const struct keeper *k, struct error *err)
{
	int rootfd = k->m->place.rootfd;
	struct state state = {0};
	bool ours;

	if (exists(rootfd, k->final))
		ours = look_at_backup(k, rootfd, k->final, &state) == 0 &&
		       is_marked(rootfd, k->mark, &state);
	else
		ours = exists(rootfd, k->mark) || !find_files(k, false, NULL);
	return ours ? 0 : not_ours(k->final, err);
}

/* The final file is there only while all that it mentions is. */
static int replace_backup(const struct keeper *k, struct error *err)
{
	int rootfd = k->m->place.rootfd, r = 0;
	cleanup_buf struct buf nothing = {0};

	if (!exists(rootfd, k->mark))
		r = put_mark(k->m->edits->stagefd, rootfd, k->folder, k->mark, &nothing);
	if (r == 0 && unlinkat(rootfd, k->final, 0) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = sync_folder(rootfd, k->folder, err);
	if (r == 0)
		find_files(k, true, NULL);
	for (size_t i = 0; i + 1 < k->files->n && r == 0; i++)
		r = keep_file(k, &k->files->files[i], err);
	if (r == 0)
		r = sync_folder(rootfd, k->folder, err);
	if (r == 0)
		r = keep_final(k, err);
	return r < 0 ? r : sync_folder(rootfd, k->folder, err);
}

static int backup_files(struct model *m, const struct outbox *files, struct error *err)
{
	cleanup_buf struct buf stem = {0}, final = {0}, mark = {0};
	char path[4096];
	struct keeper k = {m, files};
	int r;

	buf_printf(&stem, "%s.bak%c", m->stem, 0);
	buf_printf(&final, "%s.bak%s%c", m->stem, m->format->ending, 0);
	buf_printf(&mark, "%s.bak" MARK "%c", m->stem, 0);
	if (stem.failed || final.failed || mark.failed)
		return -ENOMEM;
	k.stem = (const char *)stem.p;
	k.final = (const char *) final.p;
	k.mark = (const char *)mark.p;
	k.folder = folder_of(m->stem, path, sizeof(path));
	r = check_backup(&k, err);
	if (r == 0)
		r = replace_backup(&k, err);
	return r == 0 || err->text[0] ? r : error_set(err, r, "%s: %s", k.final, strerror(-r));
}

/* ---- a model that is a folder ---- */

static int look_at_folder(int parentfd, const char *name, struct state *ret)
{
	struct stat st;

	if (fstatat(parentfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	(void)add_to_state(ret, "", &st);
	return folder_walk(parentfd, name, add_to_state, ret);
}

/* Made in the work folder, and marked: as one that may be there soon, beside the one that is. */
static int fill_folder(struct model *m, const struct outbox *files, int parentfd, const char *mark,
		       struct buf *lines)
{
	int stagefd = m->edits->stagefd;
	struct state state = {0};
	int r = outbox_make_folder(m, files, stagefd);

	if (r == 0)
		r = look_at_folder(stagefd, STAGE_NEW, &state);
	print_state(&state, lines);
	return r < 0 ? r : put_mark(stagefd, parentfd, NULL, mark, lines);
}

/* It takes the place of the backup before it, which goes. */
static int put_folder(int stagefd, int parentfd, const char *name)
{
	if (renameat2(stagefd, STAGE_NEW, parentfd, name, RENAME_EXCHANGE) < 0) {
		if (errno == EINVAL || errno == ENOSYS) /* no exchange here */
			folder_remove(parentfd, name);
		else if (errno != ENOENT) /* there is none yet */
			return -errno;
		if (renameat(stagefd, STAGE_NEW, parentfd, name) < 0)
			return -errno;
	}
	folder_remove(stagefd, STAGE_NEW);
	return 0;
}

static int backup_beside(struct model *m, const struct outbox *files, int parentfd,
			 const char *name, struct error *err)
{
	cleanup_buf struct buf kept = {0}, mark = {0}, lines = {0};
	struct state state = {0};
	int r;

	buf_printf(&kept, "%s.bak%c", name, 0);
	buf_printf(&mark, "%s.bak" MARK "%c", name, 0);
	if (kept.failed || mark.failed)
		return -ENOMEM;
	if (exists(parentfd, (const char *)kept.p)) {
		if (look_at_folder(parentfd, (const char *)kept.p, &state) < 0 ||
		    !is_marked(parentfd, (const char *)mark.p, &state))
			return not_ours((const char *)kept.p, err);
		print_state(&state, &lines);
	}
	r = fill_folder(m, files, parentfd, (const char *)mark.p, &lines);
	if (r == 0) /* or it is a mixture of two states */
		r = model_check_base(m, err);
	if (r == 0)
		r = put_folder(m->edits->stagefd, parentfd, (const char *)kept.p);
	if (r == -EXDEV)
		return error_set(err, r,
				 "%s: %s is a file system of its own, and beside it is another",
				 kept.p, m->place.root);
	if (r < 0 && !err->text[0])
		error_set(err, r, "%s: %s", kept.p, strerror(-r));
	return r < 0 ? r : sync_folder(parentfd, NULL, err);
}

static int backup_folder(struct model *m, const struct outbox *files, struct error *err)
{
	cleanup_fd int parentfd = openat(m->place.rootfd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *slash = strrchr(m->place.root, '/');

	if (parentfd < 0 || !slash || !slash[1])
		return error_set(err, -EINVAL, "%s: no place for a backup beside it",
				 m->place.root);
	return backup_beside(m, files, parentfd, slash + 1, err);
}

int backup_model(struct model *m, struct error *err)
{
	cleanup_outbox struct outbox files = {0};
	int r = m->format->keep(m, &files);

	if (r == 0)
		r = m->format->ending ? backup_files(m, &files, err)
				      : backup_folder(m, &files, err);
	return r < 0 ? error_prefix(err, r, "backup") : 0;
}
