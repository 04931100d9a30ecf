/* What content.c, content_read.c and content_edit.c share. */
#ifndef CODEC_CONTENT_CONTENT_STATE_H
#define CODEC_CONTENT_CONTENT_STATE_H

#include "codec/content/content.h"
#include "codec/work/data_file.h"
#include "codec/work/ledger.h"
#include "codec/work/scratch.h"

/* A counted reference to the content that there is, or NULL. */
struct content *content_find(struct model *m, const struct tensor *t);
void content_lock_for_edit(struct content *c);
/* How many handles for writing there are. */
unsigned content_writers(struct content *c);
/* -EINVAL, and what the draft lacks. */
int content_incomplete(const struct content *c, struct error *err);
/*
 * What shows through the holes of a region (the draft or the overlay), copied; more will be
 * asked. The content is locked for an edit.
 */
int content_copy_below(struct content *c, const struct region *region, uint64_t offset, size_t n,
		       void *to, struct error *err);
/*
 * Writes into a region what shows through it at a block that is not there: to be called before the
 * block is written in part, or marked as there. The content is locked for an edit.
 */
int content_fill_block(struct content *c, struct region *to, uint64_t block, struct error *err);
/*
 * A scratch region that is no draft of the content becomes its overlay. The content is locked for
 * an edit. On failure the region is the caller's still.
 */
int content_take_region(struct content *c, struct scratch *fresh, struct error *err);

#endif
