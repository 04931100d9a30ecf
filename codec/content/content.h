/*
 * The bytes of one tensor while somebody has it open, or since it was edited: base + overlay.
 *
 *	base	 its bytes in the model's shards, mapped
 *	overlay	 a region (codec/work/region.h) of its full size; blocks that are there cover the
 *		 base. It is what the ledger says of the tensor (codec/work/ledger.h)
 *	draft	 another region, from a truncation until it is complete and accepted; what is not
 *		 written of it shows what was there before the truncation, up to `keep`, or zeros
 *
 * What the tensor *is* are base and overlay: commits take those. What is *seen* is the draft
 * while there is one. A draft becomes the overlay when it has its full size at a close (or an
 * fsync), and is dropped when the last handle that could complete it is closed.
 *
 * Only tensors whose content is raw bytes (tensor_is_raw) have drafts and overlays; of the
 * others the stored bytes can be read.
 *
 * Locking: content_lock() around content_read() and the reply that uses its iovecs; the other
 * functions lock by themselves, the model's layout first. No lock is held when they return. Editing
 * functions must not run while a commit does: that is the caller's gate (fs/fuse/gate.h).
 */
#ifndef CODEC_CONTENT_CONTENT_H
#define CODEC_CONTENT_CONTENT_H

#include <pthread.h>
#include <sys/uio.h>

#include "codec/model/model.h"

struct region;
struct scratch;

struct content {
	struct model *model;
	struct tensor *tensor;
	pthread_rwlock_t lock;
	unsigned handles, writers; /* open ones; under the model's contents lock */
	struct region *overlay;	   /* the ledger's (codec/work/ledger.h); NULL: not edited */
	struct scratch *draft;	   /* NULL: none */
	uint64_t draft_size, keep;
	int draft_error; /* of a write to it that failed, for who hears that it is incomplete */
	bool lost; /* a draft, given up while somebody writes it: errors until it is begun anew */
	struct buf decoded;    /* the base, where its format decodes it (format.h): all of it */
	_Atomic bool believed; /* its shard may be another file, but the checksums were right */
	int base_fd;	       /* for filling blocks, while it is open for writing; -1 */
};

/* What content_close() and content_flush() did. */
enum content_outcome { CONTENT_SAME, CONTENT_ACCEPTED, CONTENT_DROPPED };

/*
 * 0 if the bytes of the tensor can be edited. -EROFS: nothing of the model can. Errors of the
 * format's allows() (codec/model/format.h).
 */
int content_editable(const struct model *m, const struct tensor *t, struct error *err);

/*
 * Opens a tensor. -EIO, -ESTALE: its shard is missing, too short, or changed; err says it.
 * -EROFS, -EPERM: for_write, and it cannot be edited. Paired with content_close().
 */
int content_open(struct model *m, struct tensor *t, bool for_write, struct content **ret,
		 struct error *err);
/*
 * Opens a tensor for reading, for who has locked the model's layout for reading: to lock it twice
 * would wait for ever where a commit waits in between.
 */
int content_open_within(struct model *m, struct tensor *t, struct content **ret, struct error *err);
/*
 * Before somebody reads: verifies the checksum of the base where the model is to be verified, once,
 * or where its shard may be another file than at load; unless edits cover all of it. -EIO: it is
 * damaged; err says where. -ESTALE: it is another file. 0 where nothing is to be done.
 */
int content_verify(struct content *c, struct error *err);
/*
 * Closes a handle. With the last one for writing a draft goes: CONTENT_DROPPED, and err says
 * what it lacked.
 */
enum content_outcome content_close(struct content *c, bool for_write, struct error *err);
void content_free(struct content *c);
/* Those of a model that goes away. */
void content_free_all(struct model *m);

/* Bytes that are seen now, of a tensor that may or may not be open. */
uint64_t content_size(struct model *m, const struct tensor *t);
/* Time of the last edit; false if there was none. */
bool content_mtime(struct model *m, struct tensor *t, struct timespec *ret);

/*
 * The bytes [offset, offset + n) as they are seen, which lie within its size, as pieces of
 * mapped files: the number of iovecs. To be handed to the kernel, never read. -E2BIG: there are
 * more than max, or not all is mapped; content_copy_locked() serves then. -EIO, -ESTALE: a shard
 * that a commit has put there cannot be read.
 */
int content_read(struct content *c, uint64_t offset, size_t n, struct iovec *iov, int max);
void content_lock(struct content *c);
void content_unlock(struct content *c);
/* How many bytes are seen. The content is locked. */
uint64_t content_seen(const struct content *c);
/* The same bytes, copied. -EIO, -ESTALE. The content is locked. */
int content_copy_locked(struct content *c, uint64_t offset, size_t n, void *to, struct error *err);
/* The same, and locks by itself; for tests. */
int content_copy(struct content *c, uint64_t offset, size_t n, void *to, struct error *err);

/*
 * The bytes that a commit takes: base and overlay, whatever draft there is; and so what is shown of
 * the tensor in another way. Copied, or as pieces, as content_read() has them. Not locked: the
 * content is, or the gate is closed.
 */
int content_read_accepted(struct content *c, uint64_t offset, size_t n, struct iovec *iov, int max);
int content_accepted(struct content *c, uint64_t offset, size_t n, void *to, struct error *err);

/*
 * Writes n bytes at offset: into the draft if there is one, else in place. Returns how many were
 * written: what lies beyond the tensor's size is cut, and -EFBIG if that is all of it. -ENOSPC
 * and the like from the work folder, with nothing changed that was not written before.
 */
ssize_t content_write(struct content *c, const void *bytes, size_t n, uint64_t offset,
		      struct error *err);
/*
 * Cuts or extends to size bytes: starts a draft, or changes the one there is. size as large as
 * the tensor, and no draft: nothing happens. -EFBIG: larger.
 */
int content_truncate(struct content *c, uint64_t size, struct error *err);
/*
 * Judges a draft: CONTENT_ACCEPTED if it is complete, CONTENT_SAME if there is none, -EINVAL if
 * it is not complete (it stays), with what it lacks in err.
 */
int content_flush(struct content *c, struct error *err);

/*
 * Tensors whose stored form is not their elements (strings) are edited as a whole: their stored
 * bytes are replaced by others of any size.
 *
 * content_replace(): journals the new bytes. content_replacement(): adds them: 1; 0 if there are
 * none. The model's layout is locked by the caller.
 */
int content_replace(struct model *m, struct tensor *t, struct span stored, struct error *err);
int content_replacement(struct model *m, const struct tensor *t, struct buf *ret,
			struct error *err);

/*
 * Gives the tensor all of its bytes anew: fill() puts n of them, from `at` on, to `to`; n and at
 * are multiples of the element's size. Journalled as one edit. Drafts are not touched.
 */
int content_overwrite(struct model *m, struct tensor *t,
		      int (*fill)(void *context, uint8_t *to, size_t n, uint64_t at), void *context,
		      struct error *err);

/*
 * Drops draft and overlay, for the ledger too; true if there was one. Nobody edits meanwhile.
 */
bool content_revert(struct model *m, struct tensor *t);

/*
 * For the commit, which knows that nobody edits. content_get(), content_put(): a reference to the
 * content, made if need be, without a look at the base; NULL without memory. content_rebase(): the
 * overlay is in the model now; the model's layout is locked for writing, and its contents.
 * content_move_draft(): the bytes of a draft, if there is one, go to the current data file; not
 * possible, or no room: it is given up.
 */
struct content *content_get(struct model *m, struct tensor *t);
void content_put(struct content *c);
void content_rebase(struct content *c);
void content_move_draft(struct model *m, struct tensor *t, bool possible);

#endif
