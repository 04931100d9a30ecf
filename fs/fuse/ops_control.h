/*
 * .weightfs/control: commands to the daemon, and what becomes of them.
 *
 * Who opens it has a conversation of their own. A command is a line that is written:
 *
 *	commit		writes back; the write returns when that is done, with its error
 *	save		the same, but the write returns at once; what is read then are lines
 *			"progress PERCENT", "say TEXT" (to be shown), and at last "exit CODE"
 *			(fs/view/exit.h)
 *	unmount		as save, and keeps all edits waiting, so that an unmount that follows finds
 *			nothing to do
 *	thaw		after that: edits may go on, there will be no unmount
 *	discard		drops all edits; talks as save does
 *
 * They are carried out one after the other; a conversation has one at a time (EBUSY).
 * After `unmount` edits wait until the unmount, a thaw, or the death of the asker.
 */
#ifndef FS_FUSE_OPS_CONTROL_H
#define FS_FUSE_OPS_CONTROL_H

#include "fs/fuse/session.h"

struct conversation *conversation_new(void);
/* The file is closed; a command that is being carried out goes on. */
void conversation_free(struct conversation *c);
/* Answers a READ: now, or when there is something to say; empty when all is said. */
void conversation_read(struct conversation *c, fuse_req_t req, size_t size);
/* Takes a command and answers the WRITE. */
void conversation_write(struct conversation *c, fuse_req_t req, struct span command);

/* The thread that carries commands out. NULL: it cannot be made. */
struct committer *committer_start(struct session *s);
void committer_stop(struct committer *c);

#endif
