/*
 * What the threads of a mount (mount.h) share. Whatever else stands in this folder may include
 * this; it includes nothing of theirs but the gate.
 */
#ifndef FS_FUSE_SESSION_H
#define FS_FUSE_SESSION_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <sys/queue.h>

#include "codec/save/commit.h"
#include "fs/fuse/gate.h"
#include "fs/view/view.h"

struct session {
	struct view *view;
	struct fuse_session *fuse;
	const char *mountpoint;	    /* absolute */
	struct commit_options save; /* as the user wants it */
	void (*ready)(void);	    /* to be called once, when the first request comes */
	pthread_t main_thread;
	struct notifier *notifier;
	struct committer *committer;
	struct gate gate; /* what edits passes through it; a commit closes it */
	struct parking {  /* requests that found it closed (park.h) */
		pthread_mutex_t lock;
		STAILQ_HEAD(, parked) calls;
	} parking;
	pthread_mutex_t files_lock;
	LIST_HEAD(, open_file) files; /* that the kernel has not released (files.h) */
};

void session_init(struct session *s);
void session_release(struct session *s);

/* The session of a request. */
static inline struct session *session_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

#endif
