/*
 * The text file `checkpoint`, in which TensorFlow notes what it has saved: a CheckpointState
 * (tensorflow/python/training/checkpoint_state.proto) in the text form of protocol buffers, as
 * TensorFlow reads it with google/protobuf/text_format.py.
 *
 * What TensorFlow would not take is not taken here: it then goes on as if there were no such file.
 */
#ifndef CODEC_CHECKPOINTS_CHECKPOINT_STATE_H
#define CODEC_CHECKPOINTS_CHECKPOINT_STATE_H

#include "codec/base/buf.h"
#include "codec/base/error.h"

/* Bytes of such a file: TensorFlow's own have some hundred for each checkpoint that is kept. */
enum { CHECKPOINT_STATE_MAX = 16 << 20 };

/*
 * Adds model_checkpoint_path, which is valid UTF-8 and not empty: the prefix of the checkpoint
 * that was saved last, absolute or relative to the folder of the file; of V1 shards a pattern.
 * Whether there is such a checkpoint is not asked. -EBADMSG, with the line: no CheckpointState, or
 * none that names a checkpoint.
 */
int checkpoint_state_latest(struct span text, struct buf *out, struct error *err);

#endif
