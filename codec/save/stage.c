#include "codec/save/stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "codec/base/folder.h"

void stage_init(struct stage *s, struct model *m, int workfd)
{
	*s = (struct stage){.model = m, .workfd = workfd};
}

void stage_release(struct stage *s)
{
	for (size_t i = 0; i < s->n_names; i++) {
		free(s->names[i].name);
		free(s->names[i].staged);
	}
	for (size_t i = 0; i < s->n_steps; i++) {
		free(s->steps[i].name);
		free(s->steps[i].staged);
	}
	free(s->names);
	free(s->steps);
	*s = (struct stage){0};
}

static int staged_error(const struct stage *s, const char *name, struct error *err)
{
	return error_errno(err, "%s/%s", s->model->work_path, name);
}

/* What programs have noted at the file, and who else may use it. */
static void copy_attributes(int from, int to)
{
	enum { MAX = 64 << 10 }; /* what Linux has at most, of names and of a value */
	cleanup_free char *names = malloc(MAX), *value = malloc(MAX);
	ssize_t n = names && value ? flistxattr(from, names, MAX) : 0;

	for (const char *name = names; n > 0 && name < names + n; name += strlen(name) + 1) {
		ssize_t size = strncmp(name, "user.", 5) == 0 ||
					       strcmp(name, "system.posix_acl_access") == 0
				       ? fgetxattr(from, name, value, MAX)
				       : -1;

		if (size >= 0)
			(void)fsetxattr(to, name, value, (size_t)size, 0);
	}
}

/* Mode and owner, as far as that is permitted. */
static void dress(int fd, const struct stat *like)
{
	mode_t mode = like->st_mode & 07777;

	/* What was for another group is for our own what it was for others. */
	if (fchown(fd, like->st_uid, like->st_gid) < 0 && fchown(fd, (uid_t)-1, like->st_gid) < 0)
		mode = (mode & 0707) | (mode & 07) << 3;
	(void)fchmod(fd, mode);
}

void stage_dress(const struct stage *s, int fd, const char *like)
{
	cleanup_fd int from = -1;
	struct stat st;

	if (!like || fstatat(s->model->place.rootfd, like, &st, 0) < 0)
		return;
	dress(fd, &st);
	if (S_ISREG(st.st_mode))
		from = openat(s->model->place.rootfd, like, O_RDONLY | O_CLOEXEC);
	if (from >= 0)
		copy_attributes(from, fd);
}

/* Fills in the inode of what was made and is open; closes it without one. */
static int staged_ready(const struct stage *s, struct staged *f, struct error *err)
{
	struct stat st;
	int r;

	if (fstat(f->fd, &st) == 0) {
		f->inode = st.st_ino;
		return 0;
	}
	r = staged_error(s, f->name, err);
	staged_close(f);
	return r;
}

int stage_create(struct stage *s, const char *like, struct staged *ret, struct error *err)
{
	struct staged f = {.fd = -1};
	int r;

	snprintf(f.name, sizeof(f.name), "stage.%u", s->next++);
	f.fd = openat(s->workfd, f.name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f.fd < 0)
		return staged_error(s, f.name, err);
	stage_dress(s, f.fd, like);
	r = staged_ready(s, &f, err);
	if (r == 0)
		*ret = f;
	return r;
}

int stage_create_folder(struct stage *s, const char *like, struct staged *ret, struct error *err)
{
	struct staged f = {.fd = -1};
	int r;

	snprintf(f.name, sizeof(f.name), "stage.%u", s->next++);
	if (mkdirat(s->workfd, f.name, 0700) == 0)
		f.fd = openat(s->workfd, f.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f.fd < 0)
		return staged_error(s, f.name, err);
	stage_dress(s, f.fd, like);
	r = staged_ready(s, &f, err);
	if (r == 0)
		*ret = f;
	return r;
}

void staged_close(struct staged *f)
{
	close_pointer(&f->fd);
}

int stage_write(struct stage *s, const char *like, struct span bytes, struct staged *ret,
		struct error *err)
{
	struct staged f;
	int r = stage_create(s, like, &f, err);

	if (r < 0)
		return r;
	r = write_at(f.fd, bytes.p, bytes.n, 0);
	if (r == 0 && fsync(f.fd) < 0)
		r = -errno;
	if (r < 0)
		error_set(err, r, "%s/%s: %s", s->model->work_path, f.name, strerror(-r));
	staged_close(&f);
	if (r == 0)
		*ret = f;
	return r;
}

static int stage_copy(struct stage *s, int dirfd, const char *name, struct staged *ret,
		      struct error *err)
{
	cleanup_fd int from = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	struct staged f;
	uint64_t copied;
	struct stat st;
	int r;

	if (from < 0 || fstat(from, &st) < 0)
		return error_errno(err, "%s", name);
	r = stage_create(s, NULL, &f, err);
	if (r < 0)
		return r;
	r = file_copy_bytes(from, f.fd, (uint64_t)st.st_size, &copied);
	s->copied += copied;
	if (r == 0 && fsync(f.fd) < 0)
		r = -errno;
	if (r < 0)
		error_set(err, r, "copying %s: %s", name, strerror(-r));
	else
		dress(f.fd, &st);
	if (r == 0)
		copy_attributes(from, f.fd);
	staged_close(&f);
	if (r == 0)
		*ret = f;
	return r;
}

int stage_link(struct stage *s, int dirfd, const char *name, struct staged *ret, struct error *err)
{
	struct staged f = {.fd = -1};
	struct stat st;

	snprintf(f.name, sizeof(f.name), "stage.%u", s->next++);
	if (linkat(dirfd, name, s->workfd, f.name, 0) < 0)
		return stage_copy(s, dirfd, name, ret, err);
	if (fstatat(s->workfd, f.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return staged_error(s, f.name, err);
	f.inode = st.st_ino;
	*ret = f;
	return 0;
}

int stage_add_name(struct stage *s, const struct staged *f, const char *name)
{
	struct stage_name *grown =
		vector_grow(s->names, s->n_names, &s->names_capacity, sizeof(*grown));
	struct stage_name n = {strdup(name), strdup(f->name), f->inode};

	if (grown)
		s->names = grown;
	if (!grown || !n.name || !n.staged) {
		free(n.name);
		free(n.staged);
		return -ENOMEM;
	}
	s->names[s->n_names++] = n;
	return 0;
}

int stage_add_step(struct stage *s, struct step step, const char *name, const char *staged)
{
	struct step *grown = vector_grow(s->steps, s->n_steps, &s->steps_capacity, sizeof(*grown));

	if (grown)
		s->steps = grown;
	step.name = strdup(name);
	step.staged = strdup(staged);
	if (!grown || !step.name || !step.staged) {
		free(step.name);
		free(step.staged);
		return -ENOMEM;
	}
	s->steps[s->n_steps++] = step;
	return 0;
}

int stage_replace(struct stage *s, const char *name, const struct staged *f,
		  struct content_id before, struct content_id after)
{
	struct step step = {.kind = STEP_REPLACE, .before = before, .after = after};

	return stage_add_step(s, step, name, f->name);
}

int stage_put(struct stage *s, const char *name, const struct staged *f)
{
	struct step step = {.kind = STEP_PUT, .inode = f->inode};
	struct stat st;

	if (fstatat(s->model->place.rootfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		step.was = st.st_ino;
	else if (errno != ENOENT)
		return -errno;
	return stage_add_step(s, step, name, f->name);
}

static int remove_inode(struct stage *s, const char *name, uint64_t inode)
{
	struct step step = {.kind = STEP_REMOVE, .inode = inode};
	char staged[STAGE_NAME];

	snprintf(staged, sizeof(staged), "stage.%u", s->next++);
	return stage_add_step(s, step, name, staged);
}

int stage_remove(struct stage *s, const char *name)
{
	struct stat st;

	if (fstatat(s->model->place.rootfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return remove_inode(s, name, st.st_ino);
}

int stage_remove_name(struct stage *s, const struct stage_name *name)
{
	return remove_inode(s, name->name, name->inode);
}
