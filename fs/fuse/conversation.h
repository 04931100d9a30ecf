/*
 * What is said to one who has .weightfs/control open: each open file has a conversation, which is
 * about one command at a time (committer.h).
 */
#ifndef FS_FUSE_CONVERSATION_H
#define FS_FUSE_CONVERSATION_H

#include "fs/fuse/session.h"

struct conversation *conversation_new(void);
/* The file is closed, or the command was carried out; the last of the two frees it. */
void conversation_free(struct conversation *c);
/* Answers a READ: now, or when there is something to say; empty when all is said. */
void conversation_read(struct conversation *c, fuse_req_t req, size_t size);

/* A command begins, which is to end with conversation_free(). False: another one has not ended. */
bool conversation_begin(struct conversation *c);
/* Says something; busy: more will come. */
void conversation_tell(struct conversation *c, bool busy, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* True if somebody waits for what is said next. */
bool conversation_is_awaited(struct conversation *c);

#endif
