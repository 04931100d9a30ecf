/*
 * Pieces: what a file shows. A kind (kind.h) composes a file out of any number of them, in their
 * order:
 *
 *	bytes		made when the file is opened, and kept in memory while it is
 *	a content	a range of the bytes of a tensor: handed to the kernel as they lie mapped
 *	a file		a range of a file of the model's own
 *	generated	a range whose bytes a function makes when they are asked for, so that of a
 *			file of 30 GB a reader of 4 KiB costs 4 KiB
 *
 *	raw bytes	one content
 *	.npy		bytes (the header), one content
 *	an asset	one file
 *	JSON		bytes
 *	text of numbers	generated
 *
 * Sizes are known when a piece is added and stay. But where all of a file is one whole content,
 * what is seen of it is the content's affair (codec/content/content.h): such a file is written in
 * place, and its drafts are the content's own.
 */
#ifndef FS_VIEW_PIECES_H
#define FS_VIEW_PIECES_H

#include <sys/uio.h>

#include "codec/content/content.h"

/*
 * Makes the bytes [offset, offset + n) of a generated piece at `to`; n is at most 1 MiB. Called by
 * several threads at once. Errors are those of a read(2), with a sentence in err.
 */
typedef int piece_generator(void *context, uint64_t offset, size_t n, uint8_t *to,
			    struct error *err);

struct pieces {
	/* What is put here becomes a piece when another one is added, or with pieces_end(). */
	struct buf bytes;
	/* private: */
	struct piece *list;
	size_t n, capacity;
	size_t bytes_done;	   /* of `bytes`, what is in pieces */
	uint64_t size;		   /* of all of them */
	struct content **contents; /* that are open */
	size_t n_contents, contents_capacity;
	bool lacks; /* a content or a file that could not be opened */
};

/* ---- for a kind, which composes ---- */

/*
 * Opens the content of a tensor for as long as the pieces live, for a generator, which locks it to
 * copy what was accepted (content_lock(), content_accepted()). -EIO, -ESTALE as content_open();
 * -ENOMEM.
 */
int pieces_open_content(struct pieces *p, struct model *m, struct tensor *t, struct content **ret,
			struct error *err);
/* Adds all bytes of a tensor. Errors as pieces_open_content(). */
int pieces_add_content(struct pieces *p, struct model *m, struct tensor *t, struct error *err);
/* Adds the first size bytes of a file, whose descriptor is owned from now on. -ENOMEM. */
int pieces_add_file(struct pieces *p, int fd, uint64_t size);
/*
 * Adds size bytes that generate() makes. The context was allocated; it is freed with the pieces, or
 * at once if this fails: -ENOMEM.
 */
int pieces_add_generated(struct pieces *p, uint64_t size, piece_generator *generate, void *context);

/* ---- for who opens a file ---- */

/* All is added. -ENOMEM if anything is missing. */
int pieces_end(struct pieces *p);
void pieces_release(struct pieces *p);
#define cleanup_pieces __attribute__((cleanup(pieces_release)))

/* The content that the pieces are, all of it and nothing else; or NULL. */
struct content *pieces_whole_content(const struct pieces *p);
/* Verifies the checksums of contents, as content_verify() does. */
int pieces_verify(const struct pieces *p, struct error *err);

/* Locks what the n bytes at offset show, so that it stays as it is; and lets it go again. */
void pieces_hold(const struct pieces *p, uint64_t offset, size_t n);
void pieces_unhold(const struct pieces *p, uint64_t offset, size_t n);
/* How many bytes there are to be read. They are held. */
uint64_t pieces_seen(const struct pieces *p);
/*
 * The n bytes at offset, which are held and lie within what is seen: the number of iovecs, at most
 * max. Those that lie nowhere are put into buffer, which has room for n bytes. To be handed to the
 * kernel, never read. -EIO, -ESTALE, and what a generator says.
 */
int pieces_read(const struct pieces *p, uint64_t offset, size_t n, uint8_t *buffer,
		struct iovec *iov, int max, struct error *err);
/* The same bytes, copied. They are held. */
int pieces_copy(const struct pieces *p, uint64_t offset, size_t n, uint8_t *to, struct error *err);

/* True if they can be written in place: there is a content among them. */
bool pieces_in_place(const struct pieces *p);
/*
 * Writes in place, and locks by itself: what lies in a content goes there, bytes must be what they
 * are. Returns how many were written; what lies behind the end is cut. -EINVAL: bytes that differ.
 * -EFBIG: all of it lies behind the end. Errors of content_write().
 */
ssize_t pieces_write(const struct pieces *p, const uint8_t *bytes, size_t n, uint64_t offset,
		     struct error *err);

#endif
