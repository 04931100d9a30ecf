/*
 * A draft in the work folder: what is being written of a file that is not written in place. It is
 * the affair of opened.c, which locks it.
 */
#ifndef FS_VIEW_DRAFT_H
#define FS_VIEW_DRAFT_H

#include "codec/work/scratch.h"
#include "fs/view/pieces.h"

struct draft_file {
	struct scratch *scratch; /* NULL: there is none */
	uint64_t size;
	bool written; /* to it, since it began */
	int failed;   /* of a write to it, for who hears that it is not acceptable */
};

/*
 * Begins it, with the first `keep` bytes of the pieces, or all that there are. Errors of
 * scratch_new_file() and of reading.
 */
int draft_begin(struct draft_file *d, struct model *m, struct object of,
		const struct pieces *pieces, uint64_t keep, struct error *err);
/* -ENOSPC and the like. */
int draft_write(struct draft_file *d, const void *bytes, size_t n, uint64_t offset,
		struct error *err);
int draft_truncate(struct draft_file *d, uint64_t size, struct error *err);
/* Copies n bytes at offset, which it has. -EIO and the like. */
int draft_copy(const struct draft_file *d, uint64_t offset, size_t n, void *to, struct error *err);
/* It was accepted, or is given up. */
void draft_drop(struct draft_file *d, struct model *m);

#endif
