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

#include "codec/bundle/bundle.h"
#include "codec/base/crc32c.h"
#include "codec/work/edits_state.h"
#include "codec/base/folder.h"
#include "codec/model/place.h"
#include "codec/save/stage.h"

#define MARK ".by-weightfs"

/*
 * TensorFlow writes a new data file and renames it, but an index, keras_metadata.pb and assets it
 * writes over in place: a second name of those would follow.
 */
static bool is_data(const char *name)
{
	uint32_t shard, shards;
	size_t n;

	return bundle_parse_shard_name(name, &n, &shard, &shards);
}

/* A second name where that is possible and safe, else a copy. */
static int keep_file(int fromfd, const char *from, int tofd, const char *to)
{
	if (is_data(from) && linkat(fromfd, from, tofd, to, 0) == 0)
		return 0;
	return file_copy(fromfd, from, tofd, to);
}

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

/* ---- a checkpoint ---- */

/* Goes through the data files of that prefix; true if there are any. */
static bool find_shards(const struct model *m, const char *prefix, bool remove, struct state *state)
{
	cleanup_dir DIR *dir = place_list_folder(&m->place, prefix);
	const char *slash = strrchr(prefix, '/');
	const char *base = slash ? slash + 1 : prefix;
	struct dirent *entry;
	uint32_t shard, count;
	bool found = false;
	struct stat st;
	size_t n;

	while (dir && (entry = readdir(dir))) {
		if (!bundle_parse_shard_name(entry->d_name, &n, &shard, &count) ||
		    n != strlen(base) || memcmp(entry->d_name, base, n) != 0)
			continue;
		found = true;
		if (remove)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
		if (state && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			(void)add_to_state(state, entry->d_name, &st);
	}
	return found;
}

static int keep_shards(const struct model *m, const char *prefix, struct error *err)
{
	for (uint32_t i = 0; i < m->n_shards; i++) {
		cleanup_buf struct buf name = {0};
		int r;

		if (!m->shards[i].id.ino)
			continue;
		bundle_shard_name(prefix, i, m->n_shards, &name);
		r = name.failed ? -ENOMEM
				: keep_file(m->place.rootfd, m->shards[i].name, m->place.rootfd,
					    (const char *)name.p);
		if (r < 0)
			return error_set(err, r, "%s: %s", name.p, strerror(-r));
	}
	return 0;
}

/* What a backup is with that index, which may be elsewhere still. */
static int look_at_backup(const struct model *m, const char *prefix, int indexfd, const char *index,
			  struct state *ret)
{
	struct stat st;

	if (fstatat(indexfd, index, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	find_shards(m, prefix, false, ret);
	return add_to_state(ret, "index", &st);
}

/*
 * The index comes last, and only when the mark knows it: what lies there without an index is what
 * we began.
 */
static int keep_index(const struct model *m, const char *prefix, const char *index,
		      const char *mark, struct error *err)
{
	int rootfd = m->place.rootfd, stagefd = m->edits->stagefd, r;
	cleanup_buf struct buf old = {0}, line = {0};
	struct state state = {0};
	char folder[4096];

	bundle_index_name(m->prefix, &old);
	if (old.failed)
		return -ENOMEM;
	r = file_copy(rootfd, (const char *)old.p, stagefd, STAGE_NEW);
	if (r == 0) /* or it is a mixture of two states */
		r = model_check_base(m, err);
	if (r == 0)
		r = look_at_backup(m, prefix, stagefd, STAGE_NEW, &state);
	print_state(&state, &line);
	if (r == 0)
		r = put_mark(stagefd, rootfd, folder_of(mark, folder, sizeof(folder)), mark, &line);
	if (r == 0 && renameat(stagefd, STAGE_NEW, rootfd, index) < 0)
		r = -errno;
	return r;
}

/* What is there may be replaced: nothing, what we made, or what we began and did not finish. */
static int check_backup(const struct model *m, const char *prefix, const char *index,
			const char *mark, struct error *err)
{
	int rootfd = m->place.rootfd;
	struct state state = {0};
	bool ours;

	if (exists(rootfd, index))
		ours = look_at_backup(m, prefix, rootfd, index, &state) == 0 &&
		       is_marked(rootfd, mark, &state);
	else
		ours = exists(rootfd, mark) || !find_shards(m, prefix, false, NULL);
	return ours ? 0 : not_ours(index, err);
}

/* An index is there only while all that it mentions is. */
static int replace_backup(const struct model *m, const char *prefix, const char *index,
			  const char *mark, struct error *err)
{
	int rootfd = m->place.rootfd, r = 0;
	cleanup_buf struct buf nothing = {0};
	char path[4096];
	const char *folder = folder_of(m->prefix, path, sizeof(path));

	if (!exists(rootfd, mark))
		r = put_mark(m->edits->stagefd, rootfd, folder, mark, &nothing);
	if (r == 0 && unlinkat(rootfd, index, 0) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = sync_folder(rootfd, folder, err);
	if (r == 0) {
		find_shards(m, prefix, true, NULL);
		r = keep_shards(m, prefix, err);
	}
	if (r == 0)
		r = sync_folder(rootfd, folder, err);
	if (r == 0)
		r = keep_index(m, prefix, index, mark, err);
	return r < 0 ? r : sync_folder(rootfd, folder, err);
}

static int backup_checkpoint(const struct model *m, struct error *err)
{
	cleanup_buf struct buf prefix = {0}, index = {0}, mark = {0};
	int r;

	buf_printf(&prefix, "%s.bak%c", m->prefix, 0);
	buf_printf(&index, "%s.bak.index%c", m->prefix, 0);
	buf_printf(&mark, "%s.bak" MARK "%c", m->prefix, 0);
	if (prefix.failed || index.failed || mark.failed)
		return -ENOMEM;
	r = check_backup(m, (const char *)prefix.p, (const char *)index.p, (const char *)mark.p,
			 err);
	if (r == 0)
		r = replace_backup(m, (const char *)prefix.p, (const char *)index.p,
				   (const char *)mark.p, err);
	return r == 0 || err->text[0] ? r : error_set(err, r, "%s: %s", index.p, strerror(-r));
}

/* ---- a SavedModel ---- */

/* All but our work folder. */
static int keep_how(const char *name, int depth)
{
	if (depth == 0 && strcmp(name, ".weightfs") == 0)
		return -1;
	return is_data(name);
}

static int look_at_folder(int parentfd, const char *name, struct state *ret)
{
	struct stat st;

	if (fstatat(parentfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	(void)add_to_state(ret, "", &st);
	return folder_walk(parentfd, name, add_to_state, ret);
}

/* Made in the work folder, and marked: as one that may be there soon, beside the one that is. */
static int fill_folder(const struct model *m, int parentfd, const char *mark, struct buf *lines)
{
	int stagefd = m->edits->stagefd;
	struct state state = {0};
	int r = folder_copy(m->place.rootfd, ".", stagefd, STAGE_NEW,
			    &(struct folder_copy){keep_how});

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

static int backup_folder(const struct model *m, int parentfd, const char *name, struct error *err)
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
	r = fill_folder(m, parentfd, (const char *)mark.p, &lines);
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

static int backup_saved_model(const struct model *m, struct error *err)
{
	cleanup_fd int parentfd = openat(m->place.rootfd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *slash = strrchr(m->place.root, '/');

	if (parentfd < 0 || !slash || !slash[1])
		return error_set(err, -EINVAL, "%s: no place for a backup beside it",
				 m->place.root);
	return backup_folder(m, parentfd, slash + 1, err);
}

int backup_model(struct model *m, struct error *err)
{
	int r = m->is_folder ? backup_saved_model(m, err) : backup_checkpoint(m, err);

	return r < 0 ? error_prefix(err, r, "backup") : 0;
}
