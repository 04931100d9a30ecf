/*
 * A backup replaces only what is marked as one: a file named by-weightfs stands beside it (in it,
 * of a SavedModel). Otherwise a copy that somebody made by hand under the same name would go.
 */
#include "codec/backup.h"

#include <fcntl.h>
#include <stdio.h>

#include "codec/bundle.h"
#include "codec/edits_state.h"
#include "codec/folder.h"
#include "codec/place.h"
#include "codec/stage.h"

#define MARK "by-weightfs"

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

/* Whole, or not there. */
static int keep_index(const struct model *m, const char *from, const char *to)
{
	int rootfd = m->place.rootfd, stagefd = m->edits->stagefd;
	int r = file_copy(rootfd, from, stagefd, STAGE_NEW);

	if (r == 0 && renameat(stagefd, STAGE_NEW, rootfd, to) < 0)
		r = -errno;
	return r;
}

static int mark(int folderfd, const char *name)
{
	cleanup_fd int fd = openat(folderfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : 0;
}

static bool exists(int folderfd, const char *name)
{
	return faccessat(folderfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int not_ours(const char *name, struct error *err)
{
	return error_set(err, -EEXIST,
			 "%s exists and is no backup of ours: move it away, or mount without "
			 "-o backup",
			 name);
}

/* ---- a checkpoint ---- */

/* Goes through the data files of that prefix; true if there are any. */
static bool find_shards(const struct model *m, const char *prefix, bool remove)
{
	cleanup_dir DIR *dir = place_list_folder(&m->place, prefix);
	const char *slash = strrchr(prefix, '/');
	const char *base = slash ? slash + 1 : prefix;
	struct dirent *entry;
	uint32_t shard, count;
	bool found = false;
	size_t n;

	while (dir && (entry = readdir(dir))) {
		if (!bundle_parse_shard_name(entry->d_name, &n, &shard, &count) ||
		    n != strlen(base) || memcmp(entry->d_name, base, n) != 0)
			continue;
		found = true;
		if (remove)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
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

static int backup_checkpoint(const struct model *m, struct error *err)
{
	cleanup_buf struct buf prefix = {0}, index = {0}, sign = {0}, old = {0};
	int rootfd = m->place.rootfd, r;
	char path[4096];
	const char *folder = folder_of(m->prefix, path, sizeof(path));

	buf_printf(&prefix, "%s.bak%c", m->prefix, 0);
	buf_printf(&index, "%s.bak.index%c", m->prefix, 0);
	buf_printf(&sign, "%s.bak." MARK "%c", m->prefix, 0);
	bundle_index_name(m->prefix, &old);
	if (prefix.failed || index.failed || sign.failed || old.failed)
		return -ENOMEM;
	if (!exists(rootfd, (const char *)sign.p) &&
	    (exists(rootfd, (const char *)index.p) ||
	     find_shards(m, (const char *)prefix.p, false)))
		return not_ours((const char *)index.p, err);
	r = mark(rootfd, (const char *)sign.p);
	if (r == 0 && unlinkat(rootfd, (const char *)index.p, 0) < 0 && errno != ENOENT)
		r = -errno;
	/* An index is there only while all that it mentions is. */
	if (r == 0)
		r = sync_folder(rootfd, folder, err);
	if (r == 0) {
		find_shards(m, (const char *)prefix.p, true);
		r = keep_shards(m, (const char *)prefix.p, err);
	}
	if (r == 0)
		r = sync_folder(rootfd, folder, err);
	if (r == 0)
		r = keep_index(m, (const char *)old.p, (const char *)index.p);
	if (r == 0)
		return sync_folder(rootfd, folder, err);
	return err->text[0] ? r : error_set(err, r, "%s: %s", index.p, strerror(-r));
}

/* ---- a SavedModel ---- */

/* All but our work folder. */
static int keep_how(const char *name, int depth)
{
	if (depth == 0 && strcmp(name, ".weightfs") == 0)
		return -1;
	return is_data(name);
}

/* Made in the work folder, with its mark. */
static int fill_folder(const struct model *m)
{
	int stagefd = m->edits->stagefd;
	int r = folder_copy(m->place.rootfd, ".", stagefd, STAGE_NEW,
			    &(struct folder_copy){keep_how});

	if (r == 0)
		r = mark(stagefd, STAGE_NEW "/" MARK);
	return r < 0 ? r : sync_folder(stagefd, STAGE_NEW, NULL);
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
	cleanup_buf struct buf kept = {0}, sign = {0};
	int r;

	buf_printf(&kept, "%s.bak%c", name, 0);
	buf_printf(&sign, "%s.bak/" MARK "%c", name, 0);
	if (kept.failed || sign.failed)
		return -ENOMEM;
	if (exists(parentfd, (const char *)kept.p) && !exists(parentfd, (const char *)sign.p))
		return not_ours((const char *)kept.p, err);
	r = fill_folder(m);
	if (r == 0)
		r = put_folder(m->edits->stagefd, parentfd, (const char *)kept.p);
	if (r == -EXDEV)
		return error_set(err, r,
				 "%s: %s is a file system of its own, and beside it is another",
				 kept.p, m->place.root);
	return r < 0 ? error_set(err, r, "%s: %s", kept.p, strerror(-r))
		     : sync_folder(parentfd, NULL, err);
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
