/*
 * A file of the view while it is open: one for all its handles.
 *
 * It is composed when the first of them opens it (kind.h, pieces.h). What is written goes, in
 * place, into the contents that it shows; or into a draft, which all handles see:
 *
 *	- of a file that is nothing but one content the draft is the content's own, begun by a
 *	  truncation (codec/content/content.h);
 *	- of another one it is an unlinked file in the work folder. It begins with a truncation, or,
 *	  where nothing can be written in place, with the first write, as a copy.
 *
 * A draft goes when its kind accepts it, or with the last handle that could complete it. An empty
 * one that nobody has written to yet is not judged before that last handle goes (shells make such
 * a one before they write).
 *
 * The functions lock by themselves, but for those between opened_hold() and opened_unhold().
 */
#ifndef FS_VIEW_OPENED_H
#define FS_VIEW_OPENED_H

#include <sys/uio.h>

#include "fs/view/view.h"

struct opened;

/* What became of what was written. */
enum edit_outcome {
	EDIT_NONE,    /* there is no draft */
	EDIT_TAKEN,   /* accepted, byte for byte */
	EDIT_RESHOWN, /* accepted, and shown as it is understood: which may be other bytes */
	EDIT_DROPPED, /* given up: the bytes from before are back */
};

/* 0 if the file can be edited. -EROFS: nothing of the model can. -EPERM: not this file. -EIO. */
int opened_editable(const struct view *v, const struct node *n, struct error *err);

/*
 * Opens it. Errors of opened_editable() for who wants to write, and of the kind's compose(), but
 * for -EIO where it is written anew: what is damaged can be overwritten. Paired with
 * opened_close().
 */
int opened_open(struct view *v, node_id id, const struct node *n, bool for_write, bool anew,
		struct opened **ret, struct error *err);
/*
 * Closes a handle. With the last one for writing the draft goes: it is judged once more, or
 * dropped, and err says why.
 */
enum edit_outcome opened_close(struct opened *o, bool for_write, struct error *err);
/* Before somebody reads: as content_verify(). */
int opened_verify(struct opened *o, struct error *err);

/*
 * Holds the n bytes at offset, and lets them go again; that may be after opened_close(), for a
 * program may close a file as soon as its READ is answered.
 */
void opened_hold(struct opened *o, uint64_t offset, size_t n);
void opened_unhold(struct opened *o, uint64_t offset, size_t n);
/*
 * The bytes that are held, as far as there are any: the number of iovecs, 0 at the end. Some may be
 * put into buffer, which has room for n bytes.
 */
int opened_read(struct opened *o, uint64_t offset, size_t n, uint8_t *buffer, struct iovec *iov,
		int max, struct error *err);

/* Copies the n bytes at offset, as far as there are any: how many, 0 at the end. */
ssize_t opened_copy(struct opened *o, uint64_t offset, size_t n, uint8_t *to, struct error *err);

/*
 * How many of n bytes were written, or -errno: -EFBIG: there is no room for so much. -EINVAL: what
 * cannot be changed in place. -ENOSPC and the like.
 */
ssize_t opened_write(struct opened *o, const void *bytes, size_t n, uint64_t offset,
		     struct error *err);
/* Cuts or extends: begins a draft, unless it has that size. -EFBIG. */
int opened_truncate(struct opened *o, uint64_t size, struct error *err);
/*
 * The same for who opened it just for that: while nobody else writes to it, only the size that it
 * has is accepted. -EINVAL: shorter, or longer. -EFBIG: there is no room for so much.
 */
int opened_truncate_alone(struct opened *o, uint64_t size, struct error *err);
/* Judges a draft: an outcome, or why not (-EINVAL). */
int opened_flush(struct opened *o, struct error *err);
/* -EFBIG: there is no room for so many bytes. */
int opened_reserve(const struct opened *o, uint64_t size, struct error *err);

/*
 * What a file shows was changed, but not through it: who has it open sees that. (A file that is one
 * whole content does so by itself.) A draft of it stays.
 */
void opened_reshow(struct view *v, node_id id);

/* The size of the draft of a node, if somebody has it open and there is one. */
bool opened_draft_size(struct view *v, node_id id, uint64_t *ret);

#endif
