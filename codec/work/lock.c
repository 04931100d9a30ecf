#include "codec/work/lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

/* Where flock is not supported (some network file systems), a lock of the old kind. */
static int lock_all(int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &whole);
}

int lock_file(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return -EBUSY;
	if (lock_all(fd) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* The process that holds a lock on the file, as the kernel lists it; 0 if it does not say. */
static int holder(const struct stat *st)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	int found = 0;

	while (locks && !found && fgets(line, sizeof(line), locks)) {
		unsigned major, minor;
		unsigned long inode;
		int pid;

		if (sscanf(line, "%*s %*s %*s %*s %d %x:%x:%lu", &pid, &major, &minor, &inode) ==
			    4 &&
		    major == major(st->st_dev) && minor == minor(st->st_dev) && inode == st->st_ino)
			found = pid;
	}
	if (locks)
		fclose(locks);
	return found > 0 ? found : 0;
}

static int busy(const struct model *m, const char *name, int fd, struct error *err)
{
	struct stat st;
	int pid = fstat(fd, &st) == 0 ? holder(&st) : 0;

	if (!pid)
		return error_set(err, -EBUSY, "%s/%s: in use by another process", m->place.root,
				 name);
	return error_set(err, -EBUSY, "%s/%s: in use by process %d", m->place.root, name, pid);
}

int lock_model(struct model *m, struct error *err)
{
	const struct base_file *file = &m->base[m->n_base - 1];
	cleanup_fd int fd = openat(m->place.rootfd, file->name, O_RDWR | O_CLOEXEC);
	int r;

	if (fd < 0)
		fd = openat(m->place.rootfd, file->name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "%s", file->name);
	r = lock_file(fd);
	if (r == -EBUSY)
		return busy(m, file->name, fd, err);
	if (r < 0)
		return error_set(err, r, "%s: cannot be locked: %s", file->name, strerror(-r));
	r = model_check_loaded(m, err);
	return r < 0 ? r : steal_fd(&fd);
}
