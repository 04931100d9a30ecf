#include "fs/fuse/collect.h"

#include <spawn.h>
#include <sys/wait.h>

#include "fs/fuse/files.h"
#include "fs/fuse/mountinfo.h"

enum { SOME = 256 }; /* files at once */

/* A path of the mount for another program; NULL without memory. */
static char *path_of(const struct session *s, node_id id)
{
	cleanup_buf struct buf path = {0};

	buf_printf(&path, "%s/", s->mountpoint);
	view_path(s->view, id, &path);
	buf_add_u8(&path, 0);
	return path.failed ? NULL : strdup((const char *)path.p);
}

/*
 * fsync(2) of each file that is open for writing; syncfs(2) does not wait for the pages of a FUSE.
 * Another process does it: if we are killed meanwhile, a thread of ours that waits for an answer
 * of our own would keep the connection, and with it the mount, for ever.
 */
static void collect_some(const struct session *s, const node_id *nodes, size_t n)
{
	char *argv[SOME + 3] = {(char[]){"sync"}, (char[]){"--"}};
	size_t count = 0;
	int status;
	pid_t pid;

	for (size_t i = 0; i < n && i < SOME; i++)
		if ((argv[2 + count] = path_of(s, nodes[i])))
			count++;
	if (count && posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	for (size_t i = 0; i < count; i++)
		free(argv[2 + i]);
}

void collect_pages(struct session *s)
{
	size_t n;
	cleanup_free node_id *nodes = files_for_writing(s, &n);

	/* Behind a lazy unmount lies another file system, which is none of our business. */
	if (!n || !mount_find(s->mountpoint).found)
		return;
	for (size_t i = 0; i < n; i += SOME)
		collect_some(s, nodes + i, n - i);
}
