/* The checksums of tensors against what lies in the shards. */
#ifndef CODEC_CONTENT_VERIFY_H
#define CODEC_CONTENT_VERIFY_H

#include "codec/model/model.h"
#include "codec/tensor/stored.h"

/*
 * Verifies the stored bytes of one entry, which is no partitioned variable (its slices are
 * entries of their own). watch (codec/tensor/stored.h): NULL, or for a dtype of fixed size. -EIO:
 * unreadable, or not what the index says; err has the shard and the offset. -ESTALE: the shard is
 * another one since the load.
 */
int verify_entry(struct model *m, const struct tensor *t, const struct stored_watch *watch,
		 struct error *err);
/*
 * Verifies a tensor with all of its slices; err says which of them is damaged. The caller has
 * locked the layout for reading.
 */
int verify_tensor(struct model *m, const struct tensor *t, struct error *err);

#endif
