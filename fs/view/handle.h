/*
 * An open file: floor 3's side of it, without FUSE.
 *
 * The handle of a tensor reaches the content that all its handles share, that of a text likewise
 * the text; that of an asset has the file.
 */
#ifndef FS_VIEW_HANDLE_H
#define FS_VIEW_HANDLE_H

#include <sys/uio.h>

#include "codec/content/content.h"
#include "fs/view/text.h"
#include "fs/view/view.h"

struct handle {
	struct view *view;
	node_id node;
	const struct kind *kind;
	bool for_write;
	pid_t opener;		 /* the process: a FLUSH by another one hears of no error */
	struct content *content; /* of a tensor; or NULL */
	struct text *text;	 /* of what is rendered; or NULL */
	int fd;			 /* of an asset; or -1 */
};

/* Pieces of one answer: enough for 1 MiB of alternating blocks. */
enum { HANDLE_PIECES = 264 };

/*
 * Opens a file. flags: of open(2); O_TRUNC begins a draft. thread: who asks, as FUSE names it.
 * Where checksums are to be verified this is where it happens, of what is opened for reading, and
 * a big tensor takes its time. -EPERM: it cannot be
 * written, by rule. -EROFS, -EIO, -ESTALE as content_open().
 */
int handle_open(struct view *v, node_id id, int flags, pid_t thread, struct handle **ret,
		struct error *err);
/*
 * Closes it and frees it. CONTENT_DROPPED: a draft was given up (it is noted and logged): the
 * kernel's pages of the file are wrong.
 */
enum content_outcome handle_close(struct handle *h);

/* The bytes of one answer. */
struct reading {
	struct iovec pieces[HANDLE_PIECES];
	/* What must not go before they were handed over: one of these, or none. */
	struct content *content;
	struct text *text;
};

/*
 * Finds the bytes at offset, at most size of them and none behind the end: the number of pieces,
 * 0 at the end. They are to be handed to the kernel and never read. Then, if the result was not
 * negative, comes handle_read_end(), which does not need the handle any more: it may have been
 * closed as soon as the kernel had its answer.
 */
int handle_read(struct handle *h, uint64_t offset, size_t size, struct reading *ret,
		struct error *err);
void handle_read_end(struct reading *r);

/* Writes: how many bytes of n, or -errno; see content_write() and text_write(). */
ssize_t handle_write(struct handle *h, const void *bytes, size_t n, uint64_t offset,
		     struct error *err);

/*
 * A close() by some program: judges a draft. CONTENT_ACCEPTED, CONTENT_SAME, or -EINVAL if it is
 * not complete and the process that closes is the one that opened it.
 */
int handle_flush(struct handle *h, pid_t thread, struct error *err);
/* fsync: accepts a complete draft, and makes all edits so far durable. */
int handle_sync(struct handle *h, struct error *err);

/*
 * truncate(2): by a handle that is open for writing, it starts or changes a draft; without one
 * only the size that the file has anyway is accepted. -EINVAL: too short. -EFBIG: too long.
 */
int handle_truncate(struct view *v, node_id id, struct handle *h, uint64_t size, struct error *err);

#endif
