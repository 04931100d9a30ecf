/*
 * Extended attributes of tensors: what is not bytes.
 *
 *	user.dtype	float32
 *	user.shape	[784, 64]
 *	user.name	the exact checkpoint key
 *	user.variable	the variable's own name, where it has one
 *	user.shard	which data file its bytes lie in, from 0 on ...
 *	user.offset	... and where
 *	user.crc32c	their masked checksum, eight hexadecimal digits; absent while edited
 *
 * (The last three are absent for a partitioned variable.)
 */
#ifndef FS_VIEW_XATTRS_H
#define FS_VIEW_XATTRS_H

#include "fs/view/view.h"

/* Adds the value. -ENODATA: there is none. -ENOTSUP: of a class that is not kept here. */
int xattr_get(const struct view *v, node_id id, const char *name, struct buf *out);
/* Adds the names, a NUL behind each. */
void xattr_list(const struct view *v, node_id id, struct buf *out);
/*
 * Setting dtype or shape to what they are, or any of the others to anything, succeeds and does
 * nothing (cp -a). Another dtype or shape: errors of change_type(). -ENOTSUP: no attribute of ours.
 */
int xattr_set(struct view *v, node_id id, const char *name, struct span value, struct error *err);

#endif
