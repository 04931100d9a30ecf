/*
 * String tensors as text that people read and edit: a scalar is exactly its bytes; any other is a
 * JSON array, nested like the shape, in which an element that is no UTF-8 is {"base64": "..."}.
 */
#ifndef CODEC_CONTENT_STRING_TEXT_H
#define CODEC_CONTENT_STRING_TEXT_H

#include "codec/model/model.h"

/*
 * The stored bytes of a string tensor as it is now: as edited, or from its shard, with its
 * checksum verified. -EIO, -ESTALE; -ENOTSUP: over 1 GiB. The model's layout is locked.
 */
int string_read(struct model *m, const struct tensor *t, struct buf *ret, struct error *err);

/*
 * Adds the text of stored bytes. -EIO: they make no sense. -ENOTSUP: the shape makes far more
 * brackets than there are bytes.
 */
int string_print(const struct tensor *t, struct span stored, struct buf *out, struct error *err);
/*
 * The other way: adds the stored bytes of a text. -EINVAL, with line and column: no JSON, or not
 * nested as the shape says.
 */
int string_parse(const struct tensor *t, struct span text, struct buf *out, struct error *err);

#endif
