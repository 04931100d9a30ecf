/*
 * The text of a node while it is open: rendered once for all its handles, and, while it is being
 * edited, a draft that all of them see.
 *
 * A draft is an unlinked file in the work folder: it begins with the first write (as a copy) or
 * with a truncation, and goes when it is accepted, or with the last handle that could complete it.
 * Whether it is acceptable is for its kind to say; an empty draft that nobody has written to yet
 * is not judged before that last handle goes (shells make such a one before they write).
 *
 * A text may be the header of a tensor, whose bytes follow it (an .npy). Then, without a draft,
 * writing goes to the tensor in place, and the header can only be written as it is.
 *
 * The functions lock by themselves, but for text_read().
 */
#ifndef FS_VIEW_TEXT_H
#define FS_VIEW_TEXT_H

#include <pthread.h>

#include "codec/content/content.h"
#include "fs/view/view.h"

struct text {
	struct text *next; /* in the view's list */
	struct view *view;
	node_id node;
	struct node what;	/* a copy of the node */
	unsigned refs, writers; /* under the view's lock */
	pthread_rwlock_t lock;
	struct buf shown;      /* what was accepted last */
	struct content *tail;  /* what follows it; or NULL */
	struct scratch *draft; /* NULL: there is none */
	uint64_t size;	       /* of the draft */
	bool written;	       /* to the draft, since it began */
	int failed;	       /* of a write to it, for who hears that it is not acceptable */
	int unreadable;	       /* -EIO: there is nothing to be shown until a draft is accepted */
};

/*
 * Opens it. -EPERM, -EROFS: for_write, and it cannot be edited. Whatever rendering says, but for
 * -EIO where it is to be written anew: what is damaged can be overwritten. Paired with
 * text_close().
 */
int text_open(struct view *v, node_id id, const struct node *n, bool for_write, bool anew,
	      struct text **ret, struct error *err);
/*
 * Closes a handle. With the last one for writing a draft is judged once more: CONTENT_ACCEPTED, or
 * CONTENT_DROPPED and why.
 */
enum content_outcome text_close(struct text *t, bool for_write, struct error *err);

/* Holds it, locked for reading, and lets it go again. */
void text_hold(struct text *t);
void text_let_go(struct text *t);
/*
 * The bytes at offset, at most size: the number of pieces, 0 at the end. Some may be read into
 * buffer, which has room for size bytes. The text is held.
 */
int text_read(struct text *t, uint64_t offset, size_t size, uint8_t *buffer, struct iovec *pieces,
	      int max, struct error *err);

/*
 * How many of n bytes were written, or -errno: -EFBIG over 1 GiB (with a tail: over its size),
 * -EINVAL: another header, -ENOSPC and the like.
 */
ssize_t text_write(struct text *t, const void *bytes, size_t n, uint64_t offset, struct error *err);
int text_truncate(struct text *t, uint64_t size, struct error *err);
/* Judges a draft: CONTENT_ACCEPTED, CONTENT_SAME (there is none), or why not (-EINVAL). */
int text_flush(struct text *t, struct error *err);

/* The size of the draft of a node, if it has one. */
bool text_draft_size(struct view *v, node_id id, uint64_t *ret);

#endif
