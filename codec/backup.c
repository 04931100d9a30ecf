/*
 * A backup replaces only what is marked as one: a file named by-weightfs stands beside it (in it,
 * of a SavedModel). Otherwise a copy that somebody made by hand under the same name would go.
 */
#include "codec/backup.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "codec/bundle.h"
#include "codec/place.h"

#define MARK "by-weightfs"

enum { DEPTH_MAX = 32 };

/* ---- one file ---- */

static int copy_file(int fromfd, const char *from, int tofd, const char *to)
{
	enum { PART = 1 << 20 };
	cleanup_fd int in = openat(fromfd, from, O_RDONLY | O_CLOEXEC), out = -1;
	cleanup_free uint8_t *part = malloc(PART);
	struct stat st;
	int r = 0;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	out = openat(tofd, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
	if (out < 0 || !part)
		return out < 0 ? -errno : -ENOMEM;
	if (ioctl(out, FICLONE, in) < 0) {
		for (uint64_t at = 0; at < (uint64_t)st.st_size && r == 0;) {
			uint64_t left = (uint64_t)st.st_size - at;
			size_t n = left < PART ? (size_t)left : PART;

			r = read_at(in, part, n, at);
			if (r == 0)
				r = write_at(out, part, n, at);
			at += n;
		}
	}
	return r == 0 && fsync(out) < 0 ? -errno : r;
}

/* A second name where that is possible and safe, else a copy. */
static int keep_file(int fromfd, const char *from, int tofd, const char *to)
{
	/* TensorFlow writes over an index in place, and a second name would follow. */
	bool in_place = span_ends(span_str(from), span_str(".index"));

	if (!in_place && linkat(fromfd, from, tofd, to, 0) == 0)
		return 0;
	return copy_file(fromfd, from, tofd, to);
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

/* Removes the files of the backup before this one. */
static void remove_old(const struct model *m, const char *prefix)
{
	cleanup_dir DIR *dir = place_list_folder(&m->place, prefix);
	const char *slash = strrchr(prefix, '/');
	const char *base = slash ? slash + 1 : prefix;
	struct dirent *entry;
	uint32_t shard, count;
	size_t n;

	while (dir && (entry = readdir(dir)))
		if (bundle_parse_shard_name(entry->d_name, &n, &shard, &count) &&
		    n == strlen(base) && memcmp(entry->d_name, base, n) == 0)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
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
	char folder[4096];

	buf_printf(&prefix, "%s.bak%c", m->prefix, 0);
	buf_printf(&index, "%s.bak.index%c", m->prefix, 0);
	buf_printf(&sign, "%s.bak." MARK "%c", m->prefix, 0);
	bundle_index_name(m->prefix, &old);
	if (prefix.failed || index.failed || sign.failed || old.failed)
		return -ENOMEM;
	if (exists(rootfd, (const char *)index.p) && !exists(rootfd, (const char *)sign.p))
		return not_ours((const char *)index.p, err);
	(void)unlinkat(rootfd, (const char *)index.p, 0);
	remove_old(m, (const char *)prefix.p);
	r = mark(rootfd, (const char *)sign.p);
	if (r == 0)
		r = keep_shards(m, (const char *)prefix.p, err);
	if (r == 0)
		r = keep_file(rootfd, (const char *)old.p, rootfd, (const char *)index.p);
	if (r == 0)
		return sync_folder(rootfd, folder_of(m->prefix, folder, sizeof(folder)), err);
	return err->text[0] ? r : error_set(err, r, "%s: %s", index.p, strerror(-r));
}

/* ---- a SavedModel ---- */

static void remove_tree(int parentfd, const char *name, int depth)
{
	int fd = openat(parentfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_dir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && depth < DEPTH_MAX && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) < 0)
			remove_tree(fd, entry->d_name, depth + 1);
	}
	(void)unlinkat(parentfd, name, AT_REMOVEDIR);
}

static int keep_tree(int fromfd, const char *from, int tofd, const char *to, int depth);

static int keep_entry(int fromfd, int tofd, const char *name, int depth)
{
	struct stat st;

	if (fstatat(fromfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return keep_tree(fromfd, name, tofd, name, depth + 1);
	return keep_file(fromfd, name, tofd, name);
}

/* Makes the folder `to` of all that is in the folder `from`, but for our work folder. */
static int keep_tree(int fromfd, const char *from, int tofd, const char *to, int depth)
{
	int in = openat(fromfd, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	cleanup_dir DIR *dir = in >= 0 ? fdopendir(in) : NULL;
	cleanup_fd int out = -1;
	struct dirent *entry;

	if (!dir || depth > DEPTH_MAX)
		return dir ? -ELOOP : -errno;
	if (mkdirat(tofd, to, 0777) < 0)
		return -errno;
	out = openat(tofd, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	while (r == 0 && out >= 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, ".weightfs") != 0)
			r = keep_entry(in, out, entry->d_name, depth);
	if (r == 0 && (out < 0 || fsync(out) < 0))
		r = -errno;
	return r;
}

/* The new backup is made beside the old one and takes its place whole. */
static int backup_folder(const struct model *m, int parentfd, const char *name, struct error *err)
{
	cleanup_buf struct buf fresh = {0}, final = {0}, sign = {0};
	int r;

	buf_printf(&fresh, "%s.bak.new%c", name, 0);
	buf_printf(&final, "%s.bak%c", name, 0);
	buf_printf(&sign, "%s.bak/" MARK "%c", name, 0);
	if (fresh.failed || final.failed || sign.failed)
		return -ENOMEM;
	if (exists(parentfd, (const char *) final.p) && !exists(parentfd, (const char *)sign.p))
		return not_ours((const char *) final.p, err);
	remove_tree(parentfd, (const char *)fresh.p, 0);
	r = keep_tree(m->place.rootfd, ".", parentfd, (const char *)fresh.p, 0);
	buf_reset(&sign);
	buf_printf(&sign, "%s.bak.new/" MARK "%c", name, 0);
	if (r == 0)
		r = sign.failed ? -ENOMEM : mark(parentfd, (const char *)sign.p);
	if (r == 0 && exists(parentfd, (const char *) final.p))
		remove_tree(parentfd, (const char *) final.p, 0);
	if (r == 0 &&
	    renameat(parentfd, (const char *)fresh.p, parentfd, (const char *) final.p) < 0)
		r = -errno;
	if (r == 0)
		return sync_folder(parentfd, NULL, err);
	remove_tree(parentfd, (const char *)fresh.p, 0);
	return error_set(err, r, "%s: %s", final.p, strerror(-r));
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
