/*
 * A library to be preloaded (LD_PRELOAD) that stands between a program and its files: it counts
 * the calls that concern files below one folder, and lets one of them fail, or kills the program
 * there, or records all of them for the power-cut model (powercut.py).
 *
 *	WEIGHTFS_FAULT_ROOT	the folder; without it nothing is counted
 *	WEIGHTFS_FAULT_REPORT	a file that is told what came of it, a line each
 *	WEIGHTFS_FAULT		what happens, see the table of faults; none: only count
 *	WEIGHTFS_FAULT_AT	at which call, from 1; of those that the fault can befall
 *	WEIGHTFS_FAULT_CALL	only calls of that name count (write, rename ...)
 *	WEIGHTFS_FAULT_LOG	records go to the end of this file
 *	WEIGHTFS_FAULT_NOTES	writes to this file are recorded as notes
 *	WEIGHTFS_FAULT_BOOT	read instead of the kernel's boot_id
 *	WEIGHTFS_FAULT_WRITER, WEIGHTFS_FAULT_PREFIX	see shim_writer.c
 *	WEIGHTFS_FAULT_INODES	a file of lines REAL TOLD: inode numbers that stat() tells
 *
 * The same program with the same input does the same calls in the same order, if it has one
 * thread; with several, the n-th call is any. Paths are compared as text, and names must contain
 * neither blanks nor newlines: the models of these tests have none.
 *
 * The real calls are made by syscall(2), so nothing here depends on the C library's own.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- what there is ---- */

static const char *const call_names[CALLS] = {
	"open",	 "create", "close", "read",   "write", "fsync", "range", "truncate",
	"punch", "rename", "link",  "unlink", "mkdir", "chmod", "chown", "clone",
};

enum {
	ALL = (1 << CALLS) - 1,
	/* What can find a file system full. */
	ALLOCATING = 1 << CALL_CREATE | 1 << CALL_WRITE | 1 << CALL_LINK | 1 << CALL_MKDIR |
		     1 << CALL_CLONE,
	CHANGING = ALLOCATING | 1 << CALL_FSYNC | 1 << CALL_TRUNCATE | 1 << CALL_PUNCH |
		   1 << CALL_RENAME | 1 << CALL_UNLINK | 1 << CALL_CHMOD | 1 << CALL_CHOWN,
	WRITING = 1 << CALL_WRITE,
	/* Between which it matters what somebody else does. */
	LOOKING = 1 << CALL_OPEN | 1 << CALL_READ | 1 << CALL_LINK | 1 << CALL_RENAME |
		  1 << CALL_UNLINK | 1 << CALL_FSYNC,
};

static const struct fault faults[] = {
	{"enospc", FAIL, ENOSPC, ALL, false},
	{"eio", FAIL, EIO, ALL, false},
	{"edquot", FAIL, EDQUOT, ALL, false},
	{"full", FAIL, ENOSPC, ALLOCATING, true},  /* a disk that stays full */
	{"dead", FAIL, EIO, CHANGING, true},	   /* a disk that takes nothing any more */
	{"readonly", FAIL, EROFS, CHANGING, true}, /* ... that the kernel made read-only */
	{"short", SHORTEN, 0, WRITING, false},
	{"kill", KILL_BEFORE, 0, ALL, false},
	{"killed", KILL_AFTER, 0, CHANGING, false},
	{"torn", KILL_WITHIN, 0, WRITING, false},
	{"writer", WRITE_BESIDE, 0, LOOKING, false, PART_ALL, 0},
	{"writer-split", WRITE_BESIDE, 0, LOOKING, false, PART_DATA, PART_CUT | PART_INDEX},
	{"writer-torn", WRITE_BESIDE, 0, LOOKING, false, PART_DATA | PART_CUT, PART_INDEX},
	{"writer-late", WRITE_BESIDE, 0, LOOKING, false, PART_DATA, 0},
	{"writer-kill", WRITE_BESIDE, 0, LOOKING, false, PART_DATA, KILLED},
	{"writer-kill-late", WRITE_BESIDE, 0, LOOKING, false, PART_DATA, KILLED},
};

struct shim shim = {.report = -1, .log = -1};

/* ---- starting and saying ---- */

static int open_own(const char *variable)
{
	const char *path = getenv(variable);

	return path ? (int)syscall(SYS_openat, AT_FDCWD, path,
				   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
		    : -1;
}

void put(int fd, const void *bytes, size_t n)
{
	if (fd >= 0 && syscall(SYS_write, fd, bytes, n) != (long)n)
		abort();
}

void say(int fd, const char *format, ...)
{
	char line[9000];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	put(fd, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static unsigned calls_named(const char *name)
{
	for (int i = 0; name && i < CALLS; i++)
		if (strcmp(call_names[i], name) == 0)
			return 1U << i;
	return ALL;
}

static __attribute__((constructor)) void start(void)
{
	const char *name = getenv("WEIGHTFS_FAULT"), *at = getenv("WEIGHTFS_FAULT_AT");

	read_inodes(getenv("WEIGHTFS_FAULT_INODES"));
	shim.boot = getenv("WEIGHTFS_FAULT_BOOT");
	shim.notes = getenv("WEIGHTFS_FAULT_NOTES");
	shim.root = getenv("WEIGHTFS_FAULT_ROOT");
	if (!shim.root)
		return;
	shim.root_length = strlen(shim.root);
	shim.report = open_own("WEIGHTFS_FAULT_REPORT");
	shim.log = open_own("WEIGHTFS_FAULT_LOG");
	for (size_t i = 0; name && i < sizeof(faults) / sizeof(*faults); i++)
		if (strcmp(faults[i].name, name) == 0)
			shim.fault = &faults[i];
	if (name && !shim.fault)
		abort();
	shim.at = at ? strtol(at, NULL, 10) : 0;
	shim.calls = calls_named(getenv("WEIGHTFS_FAULT_CALL"));
	if (shim.fault)
		shim.calls &= shim.fault->calls;
}

static __attribute__((destructor)) void finish(void)
{
	if (shim.root)
		say(shim.report, "count %ld\n", shim.count);
}

/* ---- whom a call concerns ---- */

bool is_counted(const struct path *p)
{
	return shim.root && strncmp(p->text, shim.root, shim.root_length) == 0 &&
	       (p->text[shim.root_length] == '/' || !p->text[shim.root_length]);
}

struct path path_of(int fd)
{
	struct path link, p = {""};
	ssize_t n;

	if (!shim.root)
		return p;
	if (fd == AT_FDCWD)
		snprintf(link.text, sizeof(link.text), "/proc/self/cwd");
	else
		snprintf(link.text, sizeof(link.text), "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlinkat, AT_FDCWD, link.text, p.text, 4096);
	p.text[n > 0 ? n : 0] = '\0';
	return p;
}

struct path path_at(int dirfd, const char *name)
{
	struct path p = {""}, folder;

	if (!shim.root)
		return p;
	if (name[0] == '/') {
		snprintf(p.text, sizeof(p.text), "%s", name);
		return p;
	}
	folder = path_of(dirfd);
	if (strcmp(name, ".") == 0)
		return folder;
	snprintf(p.text, sizeof(p.text), "%.4095s/%.4095s", folder.text, name);
	return p;
}

/* ---- the fault ---- */

static void write_beside(const struct fault *f, enum call call, const struct path *p)
{
	if (shim.count == shim.at) {
		say(shim.report, "hit %s %s\n", call_names[call], p->text);
		write_parts(f->parts);
	} else if (shim.count == shim.at + 1 && f->then == KILLED) {
		kill(getpid(), SIGKILL);
	} else if (shim.count == shim.at + 1) {
		write_parts(f->then);
	}
}

const struct fault *turn(enum call call, const struct path *p, size_t size)
{
	const struct fault *f = shim.fault;

	if (!is_counted(p) || !(shim.calls & 1U << call))
		return NULL;
	if (f && (f->effect == SHORTEN || f->effect == KILL_WITHIN) && size < 2)
		return NULL;
	if (f && f->effect == WRITE_BESIDE && !shim.edits)
		return NULL; /* who writes before the load is no second one */
	shim.count++;
	if (f && f->effect == WRITE_BESIDE) {
		write_beside(f, call, p);
		return NULL;
	}
	if (!f || shim.count < shim.at || (shim.count > shim.at && !f->for_good))
		return NULL;
	if (shim.count == shim.at)
		say(shim.report, "hit %s %s\n", call_names[call], p->text);
	if (f->effect == KILL_BEFORE)
		kill(getpid(), SIGKILL);
	return f;
}

bool fails(const struct fault *f)
{
	if (!f || f->effect != FAIL)
		return false;
	errno = f->error;
	return true;
}

long done(const struct fault *f, long result)
{
	if (f && f->effect == KILL_AFTER)
		kill(getpid(), SIGKILL);
	return result;
}

/* ---- records ---- */

bool records(const struct path *p)
{
	return shim.log >= 0 && is_counted(p);
}

unsigned long inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

unsigned long inode_at(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

struct entry entry_at(int dirfd, const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[4096] = ".";

	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	return (struct entry){inode_at(dirfd, slash == path ? "/" : folder),
			      slash ? slash + 1 : path};
}

void record_note(int fd, const void *bytes, size_t n)
{
	struct path p;

	if (!shim.notes)
		return;
	p = path_of(fd);
	if (strcmp(p.text, shim.notes) != 0)
		return;
	shim.edits |= n > 8 && memcmp(bytes, "begin 1 ", 8) == 0;
	if (shim.log < 0)
		return;
	say(shim.log, "note %zu\n", n);
	put(shim.log, bytes, n);
}
