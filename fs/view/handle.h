/*
 * A handle: what one open(2) got, and who opened it. What it shows is shared (opened.h). Without
 * FUSE: weightctl reads through it as well.
 */
#ifndef FS_VIEW_HANDLE_H
#define FS_VIEW_HANDLE_H

#include "fs/view/opened.h"

struct handle {
	struct opened *opened;
	struct view *view;
	node_id node;
	const struct kind *kind;
	bool for_write;
	pid_t opener; /* the process: a FLUSH by another one hears of no error */
};

/* Pieces of one answer: enough for 1 MiB of alternating blocks. */
enum { HANDLE_PIECES = 264 };

/*
 * Opens a file. flags: of open(2); O_TRUNC begins a draft. thread: who asks, as FUSE names it.
 * Where checksums are to be verified this is where it happens, of what is opened for reading, and
 * a big tensor takes its time. -EPERM: it cannot be written, by rule. -EROFS, -EIO, -ESTALE as
 * opened_open().
 */
int handle_open(struct view *v, node_id id, int flags, pid_t thread, struct handle **ret,
		struct error *err);
/*
 * Closes it and frees it. Where a draft was given up that is noted and logged, and the kernel's
 * pages of the file are wrong.
 */
enum edit_outcome handle_close(struct handle *h);

/* The bytes of one answer. */
struct reading {
	struct iovec pieces[HANDLE_PIECES];
	/* private: what must not go before they were handed over */
	struct opened *opened;
	uint64_t offset;
	size_t n;
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

/* Writes: how many bytes of n, or -errno; see opened_write(). */
ssize_t handle_write(struct handle *h, const void *bytes, size_t n, uint64_t offset,
		     struct error *err);

/*
 * A close() by some program: judges a draft. An outcome, or -EINVAL if it is not complete and the
 * process that closes is the one that opened it.
 */
int handle_flush(struct handle *h, pid_t thread, struct error *err);
/*
 * fsync: accepts a complete draft, and makes all edits so far durable. *outcome, also on failure:
 * what became of the draft.
 */
int handle_sync(struct handle *h, enum edit_outcome *outcome, struct error *err);

/*
 * truncate(2): by a handle that is open for writing, it starts or changes a draft; without one
 * only the size that the file has anyway is accepted, unless somebody else is writing. -EINVAL,
 * -EFBIG: another one.
 */
int handle_truncate(struct view *v, node_id id, struct handle *h, uint64_t size, struct error *err);

#endif
