/* Signatures of a SavedModel (upstream: SignatureDef of core/protobuf/meta_graph.proto). */
#ifndef CODEC_SAVED_MODEL_SIGNATURE_H
#define CODEC_SAVED_MODEL_SIGNATURE_H

#include "codec/base/buf.h"
#include "codec/base/error.h"

/* -EBADMSG if the bytes are no SignatureDef, or one that nests too deeply. */
int signature_check(struct span signature_def, struct error *err);

/*
 * Adds the signature to out as JSON: what json_format.MessageToJson prints, maps sorted, a
 * newline at the end. -EBADMSG as above, -ENOMEM.
 */
int signature_print(struct span signature_def, struct buf *out, struct error *err);

#endif
