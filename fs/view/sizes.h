/*
 * The sizes of files. Where a kind cannot say one, the file is composed to know it: once, until it
 * has another text.
 */
#ifndef FS_VIEW_SIZES_H
#define FS_VIEW_SIZES_H

#include "fs/view/view.h"

/* How many bytes the file has, or its draft; 0 if it cannot be composed. */
uint64_t view_size(struct view *v, node_id id, const struct node *n);
/* False if a document would have to be composed to say its size, which may take a while. */
bool view_stat_is_quick(struct view *v, node_id id);

#endif
