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

/*
 * What the file holds now; a missing one is empty. One that somebody is just writing, as TensorFlow
 * writes over an index in place, holds nothing that we know.
 */
static int look(int dirfd, const char *name, struct content_id *ret, struct error *err)
{
	cleanup_file struct file f = {0};
	int r = file_read(dirfd, name, replaced_max, &f, err);

	if (r == 0)
		*ret = (struct content_id){f.bytes.n, crc32c_extend(0, buf_span(&f.bytes))};
	else if (r == -ESTALE)
		*ret = (struct content_id){.size = UINT64_MAX};
	return r == -ENOENT || r == -ESTALE ? 0 : r;
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

/* Who carried out a later step had carried out this one, durably. */
static int is_overtaken(const struct steps *s, size_t i, struct error *err)
{
	int r = 0;

	for (size_t k = i + 1; k < s->n && r == 0; k++) {
		struct content_id now = {0};

		if (s->step[k].kind != STEP_REPLACE)
			continue;
		r = look(s->rootfd, s->step[k].name, &now, err);
		if (r == 0)
			r = same(now, s->step[k].after);
	}
	return r;
}

/* Whose a file is: there is none, it is what gives way, what takes its place, or somebody else's.
 */
enum { NOBODYS, OLD, NEW, FOREIGN };

/* Below 0: that cannot be told just now. */
static int whose(const struct step *step, int dirfd, const char *name, struct error *err)
{
	struct content_id now = {0};
	struct stat st;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? NOBODYS : error_errno(err, "%s", name);
	if (step->kind == STEP_PUT)
		return st.st_ino == step->inode ? NEW : st.st_ino == step->was ? OLD : FOREIGN;
	if (S_ISLNK(st.st_mode) && name == step->staged)
		return OLD; /* it leads nowhere from there; and nobody else puts a link there */
	r = look(dirfd, name, &now, err);
	if (r < 0)
		return r;
	return same(now, step->after) ? NEW : same(now, step->before) ? OLD : FOREIGN;
}

static int whose_name(const struct steps *s, const struct step *step, struct error *err)
{
	return whose(step, s->rootfd, step->name, err);
}

static int whose_staged(const struct steps *s, const struct step *step, struct error *err)
{
	return whose(step, s->workfd, step->staged, err);
}

/*
 * What the path of the file that is locked has behind the step's name: nothing if it is that file,
 * "/..." if it lies in that folder. NULL: neither.
 */
static const char *behind_name(const struct step *step, const char *locked)
{
	size_t n = strlen(step->name);

	if (!locked || strncmp(locked, step->name, n) != 0 || (locked[n] && locked[n] != '/'))
		return NULL;
	return locked + n;
}

/* The new file is locked before anybody can find it. */
static int lock_staged(const struct steps *s, const struct step *step, int *ret, struct error *err)
{
	const char *behind = behind_name(step, s->locked);
	cleanup_buf struct buf path = {0};
	cleanup_fd int fd = -1;
	int r;

	if (!behind)
		return 0;
	buf_printf(&path, "%s%s%c", step->staged, behind, 0);
	if (path.failed)
		return -ENOMEM;
	fd = openat(s->workfd, (const char *)path.p, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "%s", path.p);
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

static int exchange(const struct steps *s, const struct step *step)
{
	return renameat2(s->workfd, step->staged, s->rootfd, step->name, RENAME_EXCHANGE) < 0
		       ? -errno
		       : 0;
}

static int foreign(const struct step *step, struct error *err)
{
	return error_set(err, -ESTALE, "%s: changed by somebody else", step->name);
}

/*
 * What came out is somebody else's: it goes back, and what comes out then is `ours`; unless he has
 * put yet another file there meanwhile, which is to stay.
 */
static int give_back(struct steps *s, const struct step *step, int ours, struct error *err)
{
	int r = exchange(s, step);

	if (r == 0 && whose_staged(s, step, NULL) != ours)
		r = exchange(s, step);
	if (r == 0)
		r = sync_undone(s, step->name, err);
	else
		error_set(err, r,
			  "%s: what somebody else put there, and is in the work folder "
			  "now, cannot be put back: %s",
			  step->name, strerror(-r));
	s->final |= r < 0;
	return r < 0 ? r : foreign(step, err);
}

/*
 * The two files change places. Somebody may put a file of his own there between our look and the
 * exchange: then what comes out is not what we looked at.
 */
static int swap(struct steps *s, const struct step *step, int out, struct error *err)
{
	int r = exchange(s, step);

	if (r < 0)
		return r;
	r = whose_staged(s, step, err);
	if (r == FOREIGN)
		return give_back(s, step, out == OLD ? NEW : OLD, err);
	return r < 0 ? r : 0;
}

static bool is_staged_folder(const struct steps *s, const struct step *step)
{
	struct stat st;

	return fstatat(s->workfd, step->staged, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* What goes there, goes; nothing, or the old file, is in its way. */
static int move_in(struct steps *s, const struct step *step, int there, struct error *err)
{
	int r = there == OLD ? swap(s, step, OLD, err) : 0;

	if (there != OLD &&
	    renameat2(s->workfd, step->staged, s->rootfd, step->name, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r == -EINVAL || r == -ENOSYS) {
		/* A file system that knows no flags: there is no way back from here. */
		if (is_staged_folder(s, step))
			return error_set(err, r,
					 "%s: a folder cannot take the place of a link on this "
					 "file system; mount with -o output=PATH",
					 step->name);
		r = whose_name(s, step, err);
		if (r != there)
			return r < 0 ? r : foreign(step, err);
		s->final |= there == OLD;
		r = renameat(s->workfd, step->staged, s->rootfd, step->name) < 0 ? -errno : 0;
	}
	if (r == -EEXIST)
		return foreign(step, err);
	if (r < 0 && r != -ESTALE)
		return error_set(err, r, "%s: %s", step->name, strerror(-r));
	return r;
}

static int run_replace(struct steps *s, size_t i, struct error *err)
{
	const struct step *step = &s->step[i];
	struct content_id now = {0};
	int lock = -1, r = look(s->rootfd, step->name, &now, err);

	if (r < 0)
		return r;
	if (is_passed(s, i, now)) /* by somebody who was killed before it was durable, maybe */
		return sync_both(s, step->name, err);
	if (!same(now, step->before))
		return foreign(step, err);
	r = lock_staged(s, step, &lock, err);
	if (r == 0)
		r = move_in(s, step, OLD, err);
	if (r < 0) {
		close_pointer(&lock);
		return r;
	}
	move_lock(s, lock);
	return sync_both(s, step->name, err);
}

static int run_put(struct steps *s, size_t i, struct error *err)
{
	const struct step *step = &s->step[i];
	int there = whose_name(s, step, err);
	int r = there == NEW || there == FOREIGN ? is_overtaken(s, i, err) : 0;
	int lock = -1;

	if (there < 0 || r != 0)
		return there < 0 ? there : r < 0 ? r : 0;
	if (there == NEW)
		return sync_both(s, step->name, err);
	if (there == FOREIGN)
		return foreign(step, err);
	r = whose_staged(s, step, err);
	if (r >= 0 && r != NEW)
		return error_set(err, -ESTALE, "%s: what should go there is gone", step->name);
	if (r >= 0)
		r = lock_staged(s, step, &lock, err);
	if (r >= 0)
		r = move_in(s, step, there, err);
	if (r < 0) {
		close_pointer(&lock);
		return r;
	}
	move_lock(s, lock);
	return sync_both(s, step->name, err);
}

static void run_remove(const struct steps *s, const struct step *step)
{
	(void)file_remove_inode(s->rootfd, step->name, step->inode, s->workfd, step->staged);
}

static int run_one(struct steps *s, size_t i, struct error *err)
{
	const struct step *step = &s->step[i];

	switch (step->kind) {
	case STEP_REPLACE: return run_replace(s, i, err);
	case STEP_PUT: return run_put(s, i, err);
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

/* Who was killed between a rename and his look at what came out: somebody else's goes back now. */
static int look_again(struct steps *s, const struct step *step, struct error *err)
{
	int r;

	if (step->kind == STEP_REMOVE)
		return file_settle_aside(s->rootfd, step->name, step->inode, s->workfd,
					 step->staged);
	r = whose_name(s, step, err);
	if (r != NEW)
		return r < 0 ? r : 0;
	r = whose_staged(s, step, err);
	if (r == FOREIGN)
		r = give_back(s, step, NEW, err);
	return r < 0 && r != -ESTALE ? r : 0;
}

int steps_resume(struct steps *s, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++)
		r = look_again(s, &s->step[i], err);
	return r < 0 ? r : steps_run(s, err);
}

/* The file of a step that replaces one is what that step, or another one, puts there. */
static bool is_ours(const struct steps *s, const struct step *step)
{
	struct content_id now = {0};

	if (look(s->rootfd, step->name, &now, NULL) < 0)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (s->step[i].kind == STEP_REPLACE && strcmp(s->step[i].name, step->name) == 0 &&
		    same(s->step[i].after, now))
			return true;
	return false;
}

bool steps_suffice(const struct steps *s)
{
	bool replaced = false;

	for (size_t i = 0; i < s->n; i++) {
		if (s->step[i].kind == STEP_REPLACE && !is_ours(s, &s->step[i]))
			return false;
		replaced |= s->step[i].kind == STEP_REPLACE;
	}
	return replaced;
}

/* The lock goes back to a file behind a link, which can be opened only where the link belongs. */
static void lock_again(const struct steps *s, const struct step *step, int *ret)
{
	cleanup_fd int fd = -1;

	if (behind_name(step, s->locked))
		fd = openat(s->rootfd, s->locked, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && lock_file(fd) == 0)
		*ret = steal_fd(&fd);
}

/* Nothing was in the way of what goes back. */
static int move_out(const struct steps *s, const struct step *step)
{
	if (renameat(s->rootfd, step->name, s->workfd, step->staged) < 0)
		return -errno;
	if (whose_staged(s, step, NULL) == FOREIGN) /* who puts another one there now is newer */
		(void)renameat2(s->workfd, step->staged, s->rootfd, step->name, RENAME_NOREPLACE);
	return 0;
}

/*
 * What gave way is in the work folder under the name of what took its place. What somebody else has
 * put there since stays where it is.
 */
static int undo_one(struct steps *s, const struct step *step, struct error *err)
{
	int lock = -1, r = whose_name(s, step, err);

	if (r < 0 || r != NEW)
		return r < 0 ? r : 0;
	r = whose_staged(s, step, err);
	if (r < 0)
		return r;
	if (r == NOBODYS) {
		r = move_out(s, step);
	} else {
		/* Who has the old file open may hold a lock of it: then ours stays where it is. */
		(void)lock_staged(s, step, &lock, NULL);
		r = swap(s, step, NEW, err);
	}
	if (r < 0) {
		close_pointer(&lock);
		return r == -ESTALE && !s->final
			       ? 0
			       : error_set(err, r, "%s: %s", step->name, strerror(-r));
	}
	if (lock < 0)
		lock_again(s, step, &lock);
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
		int r;

		if (s->step[i].kind == STEP_REMOVE)
			return error_set(err, -EIO, "files were removed already");
		r = undo_one(s, &s->step[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}
