/*
 * What the kernel must be told beside our answers.
 *
 * A handler that tells the kernel something deadlocks: the kernel may hold a lock until that very
 * handler answers. So one thread, the notifier, does all the telling, in order; and the answers
 * to FLUSH and FSYNC go through its queue behind what was posted before, so that every view of
 * the bytes agrees when close() returns. READ and WRITE are answered at once.
 */
#ifndef FS_FUSE_NOTIFY_H
#define FS_FUSE_NOTIFY_H

#include "fs/fuse/session.h"

/* Starts and stops the thread; stopping waits until the queue is empty. NULL: no thread. */
struct notifier *notifier_start(struct fuse_session *fuse);
void notifier_stop(struct notifier *n);
/* The kernel's pages and attributes of an inode are wrong: all of them. */
void notify_changed(struct notifier *n, node_id node);
/*
 * Bytes of a tensor changed through one of its files: where they lie in any other one that the
 * kernel knows its pages are wrong. size 0: all of them.
 */
void notify_twins(struct session *s, node_id node, uint64_t offset, uint64_t size);
/* Answers the request behind what was posted before. code is 0 or negative. */
void notify_reply(struct notifier *n, fuse_req_t req, int code);

#endif
