/* The calls that the shim stands before, and their names: see shim.c. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void record_write(int fd, const void *bytes, size_t n, long offset)
{
	say(shim.log, "write %lu %ld %zu\n", inode_of(fd), offset, n);
	put(shim.log, bytes, n);
}

/* ---- calls on a name ---- */

static bool is_boot_id(const char *name)
{
	return shim.boot && strcmp(name, "/proc/sys/kernel/random/boot_id") == 0;
}

static int do_open(int dirfd, const char *name, int flags, unsigned mode)
{
	struct path p = path_at(dirfd, name);
	bool there = inode_at(dirfd, name) != 0;
	bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
	enum call call = unnamed || (flags & O_CREAT && !there) ? CALL_CREATE : CALL_OPEN;
	const struct fault *f = turn(call, &p, 0);
	struct stat st;
	int fd;

	if (fails(f))
		return -1;
	fd = (int)syscall(SYS_openat, dirfd, is_boot_id(name) ? shim.boot : name, flags, mode);
	if (fd >= 0 && records(&p) && fstat(fd, &st) == 0) {
		struct entry e = entry_at(dirfd, name);

		if (unnamed)
			say(shim.log, "unnamed %lu %o\n", st.st_ino, st.st_mode & 07777);
		else if (call == CALL_CREATE)
			say(shim.log, "create %lu %lu %s %o\n", st.st_ino, e.folder, e.name,
			    st.st_mode & 07777);
		else if (flags & O_TRUNC)
			say(shim.log, "truncate %lu 0\n", st.st_ino);
	}
	return (int)done(f, fd);
}

static int do_rename(int fromfd, const char *from, int tofd, const char *to, unsigned flags)
{
	struct path p = path_at(tofd, to);
	unsigned long inode = inode_at(fromfd, from), other = inode_at(tofd, to);
	const struct fault *f = turn(CALL_RENAME, &p, 0);
	long r;

	if (fails(f))
		return -1;
	r = syscall(SYS_renameat2, fromfd, from, tofd, to, flags);
	if (r == 0 && records(&p) && inode != other) {
		struct entry a = entry_at(fromfd, from), b = entry_at(tofd, to);

		say(shim.log, "%s %lu %lu %s %lu %lu %s\n",
		    flags & RENAME_EXCHANGE ? "exchange" : "rename", inode, a.folder, a.name, other,
		    b.folder, b.name);
	}
	return (int)done(f, r);
}

static int do_link(int fromfd, const char *from, int tofd, const char *to, int flags)
{
	struct path p = path_at(tofd, to);
	const struct fault *f = turn(CALL_LINK, &p, 0);
	long r;

	if (fails(f))
		return -1;
	r = syscall(SYS_linkat, fromfd, from, tofd, to, flags);
	if (r == 0 && records(&p)) {
		struct entry e = entry_at(tofd, to);

		say(shim.log, "link %lu %lu %s\n", inode_at(tofd, to), e.folder, e.name);
	}
	return (int)done(f, r);
}

static int do_unlink(int dirfd, const char *name, int flags)
{
	struct path p = path_at(dirfd, name);
	const struct fault *f = turn(CALL_UNLINK, &p, 0);
	long r;

	if (fails(f))
		return -1;
	r = syscall(SYS_unlinkat, dirfd, name, flags);
	if (r == 0 && records(&p)) {
		struct entry e = entry_at(dirfd, name);

		say(shim.log, "unlink %lu %s\n", e.folder, e.name);
	}
	return (int)done(f, r);
}

static int do_mkdir(int dirfd, const char *name, mode_t mode)
{
	struct path p = path_at(dirfd, name);
	const struct fault *f = turn(CALL_MKDIR, &p, 0);
	long r;

	if (fails(f))
		return -1;
	r = syscall(SYS_mkdirat, dirfd, name, mode);
	if (r == 0 && records(&p)) {
		struct entry e = entry_at(dirfd, name);

		say(shim.log, "mkdir %lu %lu %s %o\n", inode_at(dirfd, name), e.folder, e.name,
		    mode & 07777);
	}
	return (int)done(f, r);
}

/* ---- calls on a descriptor ---- */

static ssize_t do_pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
	struct path p = path_of(fd);
	const struct fault *f = turn(CALL_WRITE, &p, n);
	bool part = f && (f->effect == SHORTEN || f->effect == KILL_WITHIN);
	long r;

	if (fails(f))
		return -1;
	r = syscall(SYS_pwrite64, fd, bytes, part ? n / 2 : n, offset);
	if (f && f->effect == KILL_WITHIN)
		kill(getpid(), SIGKILL);
	if (r > 0 && records(&p))
		record_write(fd, bytes, (size_t)r, offset);
	return done(f, r);
}

static ssize_t do_write(int fd, const void *bytes, size_t n)
{
	struct path p = path_of(fd);
	off_t at = is_counted(&p) ? (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) : 0;
	ssize_t r;

	if (!is_counted(&p)) {
		record_note(fd, bytes, n);
		return syscall(SYS_write, fd, bytes, n);
	}
	r = do_pwrite(fd, bytes, n, at);
	if (r > 0)
		syscall(SYS_lseek, fd, r, SEEK_CUR);
	return r;
}

static ssize_t do_writev(int fd, const struct iovec *v, int n)
{
	ssize_t sum = 0;

	for (int i = 0; i < n; i++) {
		ssize_t r = do_write(fd, v[i].iov_base, v[i].iov_len);

		if (r < 0)
			return sum ? sum : r;
		sum += r;
		if ((size_t)r < v[i].iov_len)
			break;
	}
	return sum;
}

static ssize_t do_pread(int fd, void *to, size_t n, off_t offset)
{
	struct path p = path_of(fd);
	const struct fault *f = turn(CALL_READ, &p, 0);

	return fails(f) ? -1 : done(f, syscall(SYS_pread64, fd, to, n, offset));
}

static int do_sync(int fd, long call)
{
	struct path p = path_of(fd);
	const struct fault *f = turn(CALL_FSYNC, &p, 0);
	long r;

	if (fails(f)) {
		/* What was not on disk then is not retried by the next one: see powercut.py. */
		if (records(&p))
			say(shim.log, "unsynced %lu\n", inode_of(fd));
		return -1;
	}
	r = syscall(call, fd);
	if (r == 0 && records(&p))
		say(shim.log, "sync %lu\n", inode_of(fd));
	return (int)done(f, r);
}

static int do_sync_range(int fd, off64_t offset, off64_t n, unsigned flags)
{
	struct path p = path_of(fd);
	const struct fault *f = turn(CALL_RANGE, &p, 0);

	return fails(f) ? -1 : (int)syscall(SYS_sync_file_range, fd, offset, n, flags);
}

static int do_truncate(int fd, off_t size)
{
	struct path p = path_of(fd);
	const struct fault *f = turn(CALL_TRUNCATE, &p, 0);
	long r;

	if (fails(f))
		return -1;
	r = syscall(SYS_ftruncate, fd, size);
	if (r == 0 && records(&p))
		say(shim.log, "truncate %lu %ld\n", inode_of(fd), size);
	return (int)done(f, r);
}

static int do_fallocate(int fd, int mode, off_t offset, off_t n)
{
	struct path p = path_of(fd);
	const struct fault *f = turn(CALL_PUNCH, &p, 0);
	long r;

	if (fails(f))
		return -1;
	r = syscall(SYS_fallocate, fd, mode, offset, n);
	if (r == 0 && records(&p)) {
		if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
			abort(); /* the model knows only this one */
		say(shim.log, "punch %lu %ld %ld\n", inode_of(fd), offset, n);
	}
	return (int)done(f, r);
}

static int do_chmod(int fd, mode_t mode)
{
	struct path p = path_of(fd);
	const struct fault *f = turn(CALL_CHMOD, &p, 0);
	long r;

	if (fails(f))
		return -1;
	r = syscall(SYS_fchmod, fd, mode);
	if (r == 0 && records(&p))
		say(shim.log, "chmod %lu %o\n", inode_of(fd), mode);
	return (int)done(f, r);
}

static int do_chown(int fd, uid_t uid, gid_t gid)
{
	struct path p = path_of(fd);
	const struct fault *f = turn(CALL_CHOWN, &p, 0);

	return fails(f) ? -1 : (int)done(f, syscall(SYS_fchown, fd, uid, gid));
}

static int do_ioctl(int fd, unsigned long request, unsigned long argument)
{
	struct path p = path_of(fd);
	const struct fault *f = request == FICLONE ? turn(CALL_CLONE, &p, 0) : NULL;
	long r;

	if (fails(f))
		return -1;
	r = syscall(SYS_ioctl, fd, request, argument);
	if (r == 0 && request == FICLONE && records(&p))
		abort(); /* the model does not know it: record where there are no clones */
	return (int)done(f, r);
}

static int do_close(int fd)
{
	struct path p = path_of(fd);
	const struct fault *f =
		fd == shim.report || fd == shim.log ? NULL : turn(CALL_CLOSE, &p, 0);
	long r = syscall(SYS_close, fd);

	/* A close that fails has closed the file nevertheless. */
	return fails(f) ? -1 : (int)done(f, r);
}

/* ---- under the names of the C library ---- */

static unsigned mode_of(int flags, va_list *args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(*args, unsigned) : 0;
}

static __attribute__((used)) int shim_open(const char *name, int flags, ...)
{
	va_list args;
	unsigned mode;

	va_start(args, flags);
	mode = mode_of(flags, &args);
	va_end(args);
	return do_open(AT_FDCWD, name, flags, mode);
}
NAMED(shim_open, "open")
NAMED(shim_open, "open64")

static __attribute__((used)) int shim_openat(int dirfd, const char *name, int flags, ...)
{
	va_list args;
	unsigned mode;

	va_start(args, flags);
	mode = mode_of(flags, &args);
	va_end(args);
	return do_open(dirfd, name, flags, mode);
}
NAMED(shim_openat, "openat")
NAMED(shim_openat, "openat64")

static __attribute__((used)) int shim_renameat2(int a, const char *from, int b, const char *to,
						unsigned flags)
{
	return do_rename(a, from, b, to, flags);
}
NAMED(shim_renameat2, "renameat2")

static __attribute__((used)) int shim_renameat(int a, const char *from, int b, const char *to)
{
	return do_rename(a, from, b, to, 0);
}
NAMED(shim_renameat, "renameat")

static __attribute__((used)) int shim_rename(const char *from, const char *to)
{
	return do_rename(AT_FDCWD, from, AT_FDCWD, to, 0);
}
NAMED(shim_rename, "rename")

static __attribute__((used)) int shim_linkat(int a, const char *from, int b, const char *to,
					     int flags)
{
	return do_link(a, from, b, to, flags);
}
NAMED(shim_linkat, "linkat")

static __attribute__((used)) int shim_link(const char *from, const char *to)
{
	return do_link(AT_FDCWD, from, AT_FDCWD, to, 0);
}
NAMED(shim_link, "link")

static __attribute__((used)) int shim_unlinkat(int dirfd, const char *name, int flags)
{
	return do_unlink(dirfd, name, flags);
}
NAMED(shim_unlinkat, "unlinkat")

static __attribute__((used)) int shim_unlink(const char *name)
{
	return do_unlink(AT_FDCWD, name, 0);
}
NAMED(shim_unlink, "unlink")

static __attribute__((used)) int shim_rmdir(const char *name)
{
	return do_unlink(AT_FDCWD, name, AT_REMOVEDIR);
}
NAMED(shim_rmdir, "rmdir")

static __attribute__((used)) int shim_mkdirat(int dirfd, const char *name, mode_t mode)
{
	return do_mkdir(dirfd, name, mode);
}
NAMED(shim_mkdirat, "mkdirat")

static __attribute__((used)) int shim_mkdir(const char *name, mode_t mode)
{
	return do_mkdir(AT_FDCWD, name, mode);
}
NAMED(shim_mkdir, "mkdir")

static __attribute__((used)) int shim_fsync(int fd)
{
	return do_sync(fd, SYS_fsync);
}
NAMED(shim_fsync, "fsync")

static __attribute__((used)) int shim_fdatasync(int fd)
{
	return do_sync(fd, SYS_fdatasync);
}
NAMED(shim_fdatasync, "fdatasync")

static __attribute__((used)) int shim_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	unsigned long argument;

	va_start(args, request);
	argument = va_arg(args, unsigned long);
	va_end(args);
	return do_ioctl(fd, request, argument);
}
NAMED(shim_ioctl, "ioctl")

NAMED(do_pwrite, "pwrite")
NAMED(do_pwrite, "pwrite64")
NAMED(do_write, "write")
NAMED(do_writev, "writev")
NAMED(do_pread, "pread")
NAMED(do_pread, "pread64")
NAMED(do_sync_range, "sync_file_range")
NAMED(do_truncate, "ftruncate")
NAMED(do_truncate, "ftruncate64")
NAMED(do_fallocate, "fallocate")
NAMED(do_fallocate, "fallocate64")
NAMED(do_chmod, "fchmod")
NAMED(do_chown, "fchown")
NAMED(do_close, "close")
