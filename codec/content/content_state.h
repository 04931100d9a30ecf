/* What content.c, content_read.c and content_edit.c share. */
#ifndef CODEC_CONTENT_CONTENT_STATE_H
#define CODEC_CONTENT_CONTENT_STATE_H

#include "codec/content/content.h"
#include "codec/work/data_file.h"
#include "codec/work/region.h"

/* A counted reference: to the content, made if need be; to the one there is, or NULL. */
struct content *content_get(struct model *m, struct tensor *t);
struct content *content_find(struct model *m, const struct tensor *t);
void content_put(struct content *c);
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
 * A draft that is no part of the content yet takes the place of its overlay. holes: the base shows
 * through where it has no blocks. The content is locked for an edit. On failure it is the caller's
 * still.
 */
int content_take_region(struct content *c, struct region *fresh, bool holes, struct error *err);

#endif
