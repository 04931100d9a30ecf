/* What shim.c and shim_calls.c share: shim.c says what it is all about. */
#ifndef FAULTS_SHIM_H
#define FAULTS_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum call {
	CALL_OPEN,
	CALL_CREATE, /* an open that may make a file */
	CALL_CLOSE,
	CALL_READ,
	CALL_WRITE,
	CALL_FSYNC, /* and fdatasync */
	CALL_RANGE, /* sync_file_range */
	CALL_TRUNCATE,
	CALL_PUNCH,
	CALL_RENAME,
	CALL_LINK,
	CALL_UNLINK, /* and rmdir */
	CALL_MKDIR,
	CALL_CHMOD,
	CALL_CHOWN,
	CALL_CLONE,
	CALLS
};

enum effect { FAIL, SHORTEN, KILL_BEFORE, KILL_AFTER, KILL_WITHIN, WRITE_BESIDE };

/* Of a save by somebody else (shim_writer.c). */
enum { PART_DATA = 1, PART_CUT = 2, PART_INDEX = 4, PART_ALL = 7, KILLED = 8 };

struct fault {
	const char *name;
	enum effect effect;
	int error;
	unsigned calls; /* that it can befall */
	bool for_good;	/* all that follow fail too */
	/* WRITE_BESIDE: the parts before this call, and before the next one, or KILLED. */
	unsigned parts, then;
};

extern struct shim {
	const char *root, *boot, *notes;
	size_t root_length;
	unsigned calls; /* those that count; 0: nothing does */
	const struct fault *fault;
	long at, count;
	bool edits; /* the driver has said that it edits: the model is loaded */
	int report, log;
} shim;

struct path {
	char text[8300];
};

/* Whether calls on it count; and the paths that a call is about. */
bool is_counted(const struct path *p);
struct path path_of(int fd);
struct path path_at(int dirfd, const char *name);

/*
 * What is to happen at this call: NULL, nothing; else it happened to be its turn. size: bytes of
 * a write. A write of less than two bytes cannot be done in part.
 */
const struct fault *turn(enum call call, const struct path *p, size_t size);
/* True if the call is not to be made; errno says why. */
bool fails(const struct fault *f);
/* After the call. */
long done(const struct fault *f, long result);

/* ---- records ---- */

void put(int fd, const void *bytes, size_t n);
__attribute__((format(printf, 2, 3))) void say(int fd, const char *format, ...);
bool records(const struct path *p);
unsigned long inode_of(int fd);
unsigned long inode_at(int dirfd, const char *name);
/* What the program says of itself, to know at each record what it had promised by then. */
void record_note(int fd, const void *bytes, size_t n);

/* A directory entry, as the records have it: the folder's inode and the name. */
struct entry {
	unsigned long folder;
	const char *name;
};

struct entry entry_at(int dirfd, const char *path);

/* ---- names ---- */

/*
 * One function under several names. The asm label keeps the headers, which redirect open to
 * open64 and the like, out of it.
 */
#define NAMED_(function, name, line)                                        \
	extern __typeof__(function) named_##function##_##line __asm__(name) \
		__attribute__((alias(#function), visibility("default")));
#define NAMED__(function, name, line) NAMED_(function, name, line)
#define NAMED(function, name)	      NAMED__(function, name, __LINE__)

/* Somebody else saves: those parts of it. */
void write_parts(unsigned parts);
/* Reads what shim_inodes.c needs. */
void read_inodes(const char *path);

#endif
