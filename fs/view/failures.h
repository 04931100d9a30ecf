/*
 * Many saves that fail for one reason, as those of checkpoints that a training run has removed, are
 * told once: the first in full, of the others how many and the names of some.
 */
#ifndef FS_VIEW_FAILURES_H
#define FS_VIEW_FAILURES_H

#include "codec/base/buf.h"

enum { FAILURE_KINDS = 8 };

struct failure_kind {
	char *reason;
	unsigned more;	  /* than the first */
	struct buf names; /* of some of these */
};

/* Begins as {0}. */
struct failures {
	struct failure_kind kinds[FAILURE_KINDS];
	unsigned n;
};

/*
 * Counts a failure of the model of that name. True if it is to be told in full: no other of its
 * kind was before. A kind is what the sentence says behind its last ": ", so neither the names of
 * files nor those of tensors make two of one.
 */
bool failures_add(struct failures *f, const char *sentence, struct span name);
/* Adds a line for each kind of which there were more than one. */
void failures_sum_up(const struct failures *f, struct buf *out);
void failures_release(struct failures *f);
#define cleanup_failures __attribute__((cleanup(failures_release)))

#endif
