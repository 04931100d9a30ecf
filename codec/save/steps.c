#include "codec/save/steps.h"

#include <fcntl.h>
#include <stdio.h>

#include "codec/base/crc32c.h"
#include "codec/work/lock.h"

static const uint64_t replaced_max = (uint64_t)2 << 30; /* bytes of a file that is replaced */

/*
 * An exchange changes two folders, and not every file system makes both durable at once. Where the
 * new file goes is synced first: in between it has two names, and the old one has none.
 */
static int sync_both(const struct steps *s, const char *name, struct error *err)
{
	char folder[4096];
	int r = sync_folder(s->rootfd, folder_of(name, folder, sizeof(folder)), err);

	return r < 0 ? r : sync_folder(s->workfd, NULL, err);
}

static int sync_undone(const struct steps *s, const char *name, struct error *err)
{
	char folder[4096];
	int r = sync_folder(s->workfd, NULL, err);

	return r < 0 ? r : sync_folder(s->rootfd, folder_of(name, folder, sizeof(folder)), err);
}

/* What the file holds now; a missing one is empty. */
static int look(const struct steps *s, const char *name, struct content_id *ret, struct error *err)
{
	cleanup_file struct file f = {0};
	int r = file_read(s->rootfd, name, replaced_max, &f, err);

	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		*ret = (struct content_id){f.bytes.n, crc32c_extend(0, buf_span(&f.bytes))};
	return r;
}

static bool same(struct content_id a, struct content_id b)
{
	return a.size == b.size && a.crc == b.crc;
}

/* This step, or a later one that replaces the same file, has been carried out. */
static bool is_passed(const struct steps *s, size_t i, struct content_id now)
{
	for (size_t k = i; k < s->n; k++)
		if (s->step[k].kind == STEP_REPLACE &&
		    strcmp(s->step[k].name, s->step[i].name) == 0 && same(s->step[k].after, now))
			return true;
	return false;
}

/* The new file is locked before anybody can find it. */
static int lock_staged(const struct steps *s, const struct step *step, int *ret, struct error *err)
{
	cleanup_fd int fd = -1;
	int r;

	if (!s->locked || strcmp(step->name, s->locked) != 0)
		return 0;
	fd = openat(s->workfd, step->staged, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "%s", step->staged);
	r = lock_file(fd);
	if (r < 0)
		return error_set(err, r, "%s: %s", step->staged, strerror(-r));
	*ret = steal_fd(&fd);
	return 0;
}

/* The lock follows, where there is a new one. */
static void move_lock(const struct steps *s, int lock)
{
	if (lock < 0)
		return;
	close_pointer(s->lockfd);
	*s->lockfd = lock;
}

static struct file_id link_id(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return (struct file_id){0};
	return file_id_of(&st);
}

static int exchange(const struct steps *s, const struct step *step)
{
	return renameat2(s->workfd, step->staged, s->rootfd, step->name, RENAME_EXCHANGE) < 0
		       ? -errno
		       : 0;
}

/*
 * The file `was` gives way. Somebody may replace it between our look and the exchange: then what
 * comes out is not what we looked at, and goes back.
 */
static int swap(struct steps *s, const struct step *step, struct file_id was, struct error *err)
{
	struct file_id out;
	int r = exchange(s, step);

	if (r == -EINVAL || r == -ENOSYS) {
		/* A file system that cannot exchange: there is no way back from here. */
		out = link_id(s->rootfd, step->name);
		if (!file_id_equal(&out, &was))
			return error_set(err, -ESTALE, "%s: changed meanwhile", step->name);
		s->final = true;
		r = renameat(s->workfd, step->staged, s->rootfd, step->name) < 0 ? -errno : 0;
		return r < 0 ? error_set(err, r, "%s: %s", step->name, strerror(-r)) : 0;
	}
	if (r < 0)
		return error_set(err, r, "%s: %s", step->name, strerror(-r));
	out = link_id(s->workfd, step->staged);
	if (file_id_equal(&out, &was))
		return 0;
	exchange(s, step);
	return error_set(err, -ESTALE, "%s: changed meanwhile", step->name);
}

static int run_replace(struct steps *s, size_t i, struct error *err)
{
	const struct step *step = &s->step[i];
	struct file_id was = link_id(s->rootfd, step->name);
	struct content_id now = {0};
	int lock = -1, r = look(s, step->name, &now, err);

	if (r < 0)
		return r;
	if (is_passed(s, i, now)) /* by somebody who was killed before it was durable, maybe */
		return sync_both(s, step->name, err);
	if (!same(now, step->before))
		return error_set(err, -ESTALE, "%s: changed by somebody else", step->name);
	r = lock_staged(s, step, &lock, err);
	if (r == 0)
		r = swap(s, step, was, err);
	if (r < 0) {
		close_pointer(&lock);
		return r;
	}
	move_lock(s, lock);
	return sync_both(s, step->name, err);
}

static int run_place(struct steps *s, const struct step *step, struct error *err)
{
	struct file_id there = link_id(s->rootfd, step->name);
	struct file_id ours = link_id(s->workfd, step->staged);
	int r;

	/* rename(2) between two names of one file does nothing: there is nothing to do, then. */
	if (there.ino == step->inode)
		return sync_both(s, step->name, err);
	if (ours.ino != step->inode)
		return error_set(err, -ESTALE, "%s: what should go there is gone", step->name);
	r = there.ino ? exchange(s, step) : -ENOENT;
	if (r < 0) {
		s->final |= there.ino != 0;
		r = renameat(s->workfd, step->staged, s->rootfd, step->name) < 0 ? -errno : 0;
	}
	if (r < 0)
		return error_set(err, r, "%s: %s", step->name, strerror(-r));
	return sync_both(s, step->name, err);
}

static void run_remove(const struct steps *s, const struct step *step)
{
	(void)file_unlink_inode(s->rootfd, step->name, step->inode);
}

static int run_one(struct steps *s, size_t i, struct error *err)
{
	const struct step *step = &s->step[i];

	switch (step->kind) {
	case STEP_REPLACE: return run_replace(s, i, err);
	case STEP_PLACE: return run_place(s, step, err);
	case STEP_REMOVE: run_remove(s, step); return 0;
	}
	return 0;
}

/* Removals are many and need no order among themselves. */
static void sync_removals(const struct steps *s)
{
	char last[4096] = "", folder[4096];

	for (size_t i = 0; i < s->n; i++) {
		const char *name = folder_of(s->step[i].name, folder, sizeof(folder));

		if (s->step[i].kind != STEP_REMOVE || strcmp(name, last) == 0)
			continue;
		if (sync_folder(s->rootfd, name, NULL) < 0)
			(void)sync_folder(s->rootfd, name, NULL); /* once may be by chance */
		snprintf(last, sizeof(last), "%s", name);
	}
}

int steps_run(struct steps *s, struct error *err)
{
	for (s->done = 0; s->done < s->n; s->done++) {
		int r = run_one(s, s->done, err);

		if (r < 0)
			return r;
	}
	sync_removals(s);
	return 0;
}

/* Replaced files are in the work folder under the name of what replaced them. */
static int undo_one(struct steps *s, const struct step *step, struct error *err)
{
	struct file_id old = link_id(s->workfd, step->staged);
	int lock = -1, r;

	if (old.ino) {
		/* Who has the old file open may hold a lock of it: then ours stays where it is. */
		(void)lock_staged(s, step, &lock, NULL);
		r = exchange(s, step);
	} else {
		r = renameat(s->rootfd, step->name, s->workfd, step->staged) < 0 ? -errno : 0;
	}
	if (r < 0) {
		close_pointer(&lock);
		return error_set(err, r, "%s: %s", step->name, strerror(-r));
	}
	move_lock(s, lock);
	return sync_undone(s, step->name, err);
}

int steps_undo(struct steps *s, struct error *err)
{
	/* The step that failed may have been carried out and not be durable. */
	size_t from = s->done < s->n ? s->done + 1 : s->n;

	if (s->final)
		return error_set(err, -EIO, "this file system cannot exchange files");
	for (size_t i = from; i-- > 0;) {
		const struct step *step = &s->step[i];
		struct content_id now = {0};
		int r = 0;

		if (step->kind == STEP_REMOVE)
			return error_set(err, -EIO, "files were removed already");
		if (step->kind == STEP_REPLACE)
			r = look(s, step->name, &now, err);
		if (r == 0 && (step->kind == STEP_REPLACE
				       ? same(now, step->after)
				       : link_id(s->rootfd, step->name).ino == step->inode))
			r = undo_one(s, step, err);
		if (r < 0)
			return r;
	}
	return 0;
}
