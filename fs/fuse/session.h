/*
 * A mount: the view, the connection to the kernel, and the threads between them.
 *
 *	two workers	answer requests (ops_*.c); never wait for each other or for the kernel
 *	the notifier	tells the kernel what changed behind its back, and answers FLUSH and FSYNC
 *			behind that (reply.h)
 *	the committer	writes edits back while the mount is up (ops_control.c)
 *	the signaller	waits for TERM, INT, HUP, and unmounts
 */
#ifndef FS_FUSE_SESSION_H
#define FS_FUSE_SESSION_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "codec/save/commit.h"
#include "fs/fuse/gate.h"
#include "fs/cmd/options.h"
#include "fs/view/view.h"

struct session {
	const struct options *options;
	struct view *view;
	struct fuse_session *fuse;
	char *mountpoint; /* absolute */
	pthread_t main_thread;
	struct notifier *notifier;
	struct committer *committer;
	struct gate gate; /* what edits passes through it; a commit closes it */
	struct parking {  /* requests that found it closed (ops_park.h) */
		pthread_mutex_t lock;
		struct parked *first, **last;
	} parking;
	pthread_mutex_t files_lock;
	struct open_file *files; /* that the kernel has not released (ops_file.h) */
};

/*
 * Mounts, serves until the unmount, and writes back what is left. ready() is called once, when
 * the mount is up. The result is an exit code (fs/view/exit.h).
 */
int session_run(struct session *s, void (*ready)(void));

/*
 * Has the kernel write out the pages that are dirty in somebody's map: they come as WRITEs, which
 * the workers answer, so it must be none of them that calls this, and edits must pass.
 */
void session_collect(struct session *s);

/* What the options of the mount say of a save. */
static inline struct commit_options session_commit_options(const struct session *s)
{
	return (struct commit_options){.compact = s->options->compact,
				       .backup = s->options->backup};
}

/* The session of a request. */
static inline struct session *session_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* What is behind a kernel's long time: nothing changes but by our own doing. */
extern const double forever;

/* The requests, by file: where each stands, and what it does, is told there. */
extern void ops_fill_folders(struct fuse_lowlevel_ops *ops);	/* ops_dir.c */
extern void ops_fill_files(struct fuse_lowlevel_ops *ops);	/* ops_file.c */
extern void ops_fill_attributes(struct fuse_lowlevel_ops *ops); /* ops_attr.c */
extern void ops_fill_refusals(struct fuse_lowlevel_ops *ops);	/* ops_refuse.c */

#endif
