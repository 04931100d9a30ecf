/* Answers to the kernel that say no. */
#ifndef FS_FUSE_REPLY_H
#define FS_FUSE_REPLY_H

#include "codec/base/error.h"
#include "fs/fuse/session.h"

/*
 * Answers with an error (code is negative, or 0) and, if err says anything, logs it with the
 * node's path. The one way in which a handler fails.
 */
void reply_error(fuse_req_t req, node_id node, int code, const struct error *err);

/* Logs why something was refused, with the node's path, if err says anything. */
void log_refusal(const struct view *v, node_id node, const struct error *err);
/* Logs that bytes of a file could not be handed to the kernel: what they lie in was cut short. */
void log_cut_short(const struct view *v, node_id node);

#endif
