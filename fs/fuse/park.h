/*
 * Requests that edit. Each is a call that is made at once where the gate is open; while a commit
 * runs it is put aside, with a copy of what it needs, and made afterwards. The workers go on
 * meanwhile, so reading goes on.
 */
#ifndef FS_FUSE_PARK_H
#define FS_FUSE_PARK_H

#include "fs/fuse/session.h"

struct edit_call {
	void (*run)(struct edit_call *call); /* makes the call; answers the request once */
	fuse_req_t req;
	fuse_ino_t ino;
	struct fuse_file_info fi;
	const void *bytes; /* of a WRITE */
	size_t size;
	off_t offset;
	struct stat attr; /* of a SETATTR */
	int what;	  /* likewise: which of them */
};

/* Makes the call now, or puts a copy of it aside. */
void edit(struct edit_call *call);
/* Makes the calls that were put aside. The gate was just opened. */
void edit_resume(struct session *s);
/* The session is over: calls that are still put aside are not made. */
void edit_give_up(struct session *s);

#endif
