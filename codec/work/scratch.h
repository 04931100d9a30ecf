/*
 * Scratch space: where a draft of an object is written, in the work folder. That is a region of
 * data.N, for the bytes of a tensor, or an unlinked file, for anything else.
 *
 * The journal knows of it, so that the next mount says which drafts were lost: nobody can complete
 * one once its daemon is gone. A draft becomes an edit by scratch_accept(), or, of a text, when its
 * kind has made an edit of it; then, and when it is given up, the scratch space is freed.
 *
 * The functions may be called by several threads; one scratch is the affair of who made it.
 */
#ifndef CODEC_WORK_SCRATCH_H
#define CODEC_WORK_SCRATCH_H

#include <sys/queue.h>

#include "codec/model/object.h"
#include "codec/tensor/tensor.h"
#include "codec/work/region.h"

struct data_file;

struct scratch {
	struct object object;
	struct region *region; /* NULL: it is a file */
	int fd;		       /* of the file; else -1 */
	/* private: */
	LIST_ENTRY(scratch) in_edits;
	uint32_t number; /* in the journal; 0: it does not know of it */
};

/*
 * Make it; the first one makes the work folder. Errors of edits_begin() (codec/work/edits.h), and
 * -ENOSPC and the like.
 */
int scratch_new_region(struct model *m, struct object o, uint64_t size, struct scratch **ret,
		       struct error *err);
int scratch_new_file(struct model *m, struct object o, struct scratch **ret, struct error *err);
/* Gives the draft up, if it was not accepted. NULL is fine. */
void scratch_free(struct model *m, struct scratch *s);

/*
 * The region becomes what the tensor is, by ledger_apply() (codec/work/ledger.h): the ledger has it
 * then, and s is freed. Blocks that are not there show the base. On failure nothing has changed.
 */
int scratch_accept(struct model *m, struct scratch *s, struct error *err);

/* How many scratches there are. */
size_t scratch_count(struct model *m);
/* The objects that have scratch regions: *ret is the caller's to free. -ENOMEM. */
int scratch_objects(struct model *m, struct object **ret, size_t *ret_n);
/* Where those of the data file lie: at most max of them; how many. */
size_t scratch_places(struct model *m, const struct data_file *d, struct extent *ret, size_t max);

#endif
