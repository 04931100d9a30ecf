/*
 * A second writer: a save of TensorFlow to the same prefix, which falls between two calls of the
 * program. It moves its data file onto the name of the only shard, and then writes its index over
 * the one that lies there, in place.
 *
 *	WEIGHTFS_FAULT_WRITER	the folder that holds its files `data` and `index`
 *	WEIGHTFS_FAULT_PREFIX	the checkpoint
 */
#include "shim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct path join(const char *variable, const char *rest)
{
	const char *start = getenv(variable);
	struct path p;

	if (!start)
		abort();
	snprintf(p.text, sizeof(p.text), "%s%s", start, rest);
	return p;
}

static long must(long r)
{
	if (r < 0)
		abort();
	return r;
}

static void move_data(void)
{
	struct path from = join("WEIGHTFS_FAULT_WRITER", "/data");
	struct path to = join("WEIGHTFS_FAULT_PREFIX", ".data-00000-of-00001");

	must(syscall(SYS_renameat2, AT_FDCWD, from.text, AT_FDCWD, to.text, 0));
}

static int open_index(void)
{
	struct path p = join("WEIGHTFS_FAULT_PREFIX", ".index");

	return (int)must(syscall(SYS_openat, AT_FDCWD, p.text,
				 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
}

static void write_index(int to)
{
	struct path p = join("WEIGHTFS_FAULT_WRITER", "/index");
	int from = (int)must(syscall(SYS_openat, AT_FDCWD, p.text, O_RDONLY | O_CLOEXEC, 0));
	char part[65536];
	long n;

	while ((n = must(syscall(SYS_read, from, part, sizeof(part)))) > 0)
		put(to, part, (size_t)n);
	syscall(SYS_close, from);
	syscall(SYS_close, to);
}

void write_parts(unsigned parts)
{
	static int index = -1; /* while it is cut short, and not written */

	if (parts & PART_DATA)
		move_data();
	if (parts & PART_CUT)
		index = open_index();
	if (parts & PART_INDEX)
		write_index(index);
	if (parts & PART_INDEX)
		say(shim.report, "written\n");
}
