/*
 * A tensor gets its numbers from a text that somebody wrote (codec/tensor/text_read.h).
 */
#ifndef CODEC_CONTENT_TEXT_EDIT_H
#define CODEC_CONTENT_TEXT_EDIT_H

#include "codec/model/model.h"
#include "codec/tensor/text_read.h"

/*
 * Reads all of the text and gives the tensor its numbers, or none of them. Only blocks of the
 * tensor whose bytes become other ones are stored. An element whose text would be the old
 * element's keeps its bytes: a NaN that is written back is the NaN that it was.
 *
 * CONTENT_ACCEPTED; CONTENT_SAME: no number is another one, and nothing was stored. -EINVAL: the
 * text is not acceptable; err says line, column and why. Errors of content_editable(); -EIO,
 * -ESTALE: the old bytes cannot be read; -ENOSPC and the like. A draft of the tensor is not
 * touched.
 */
int content_take_text(struct model *m, struct tensor *t, const struct text_layout *l,
		      const struct text_source *source, struct error *err);

#endif
