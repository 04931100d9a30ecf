/*
 * .weightfs/control: commands to the daemon, carried out by a thread of its own, the committer.
 *
 * A command is a line that is written to the file:
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
#ifndef FS_FUSE_COMMITTER_H
#define FS_FUSE_COMMITTER_H

#include "fs/fuse/conversation.h"

/* Starts the thread. NULL: it cannot be made. */
struct committer *committer_start(struct session *s);
void committer_stop(struct committer *k);
/* Takes a command and answers the WRITE. */
void committer_take(struct committer *k, struct conversation *c, fuse_req_t req, struct span text);

#endif
