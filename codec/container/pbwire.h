/*
 * Protocol buffers on the wire: walking, checking before unpacking, splicing.
 *
 * Messages from disk are hostile. Big ones (a SavedModel with its graph) are walked here, field
 * by field, without a copy; small ones are unpacked by protobuf-c, but only after pb_unpack()
 * has walked them: protobuf-c has no limit of depth, and a few bytes can ask it for much memory.
 */
#ifndef CODEC_CONTAINER_PBWIRE_H
#define CODEC_CONTAINER_PBWIRE_H

#include <protobuf-c/protobuf-c.h>

#include "codec/base/buf.h"
#include "codec/base/error.h"

enum pb_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_field {
	uint32_t number;
	enum pb_type type;
	uint64_t value;	   /* PB_VARINT, PB_FIXED64, PB_FIXED32 */
	struct span bytes; /* PB_BYTES: what it holds */
	struct span whole; /* tag, length and value, as they stand */
};

/*
 * Takes the next field off the front of message: 1, 0 at the end, -EBADMSG if it is cut, of an
 * unknown wire type or a group (nothing of TensorFlow's has groups).
 */
int pb_next(struct span *message, struct pb_field *ret);

/*
 * Takes fields off the front of message up to the next field `number` of type PB_BYTES: 1 and
 * its content, 0 if there is no more, -EBADMSG with message at the field that is bad.
 */
int pb_next_bytes(struct span *message, uint32_t number, struct span *ret);

/*
 * The last field `number` of type PB_BYTES in message (the last one wins, as everywhere in
 * protobuf): 1 and its content, 0 if there is none, -EBADMSG.
 */
int pb_find(struct span message, uint32_t number, struct span *ret);

/*
 * Unpacks a message whose memory comes from arena and goes with it (never call
 * protobuf_c_message_free_unpacked). NULL and err: not a message, nested deeper than 100, or
 * more memory than 64 MiB and 16 times its size; or no memory.
 */
void *pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct span message,
		struct arena *arena, struct error *err);

/* The bytes of a message, added to out. */
void pb_pack(const void *message, struct buf *out);

/* A field of type PB_BYTES, added to out. */
void pb_add_bytes(struct buf *out, uint32_t number, struct span bytes);

/* The bytes and what protobuf-c calls them. */
static inline struct span pb_span(ProtobufCBinaryData data)
{
	return span_of(data.data, data.len);
}

/* Borrowed: for a message that is packed while the span lives. */
static inline ProtobufCBinaryData pb_data(struct span s)
{
	return (ProtobufCBinaryData){.len = s.n, .data = (uint8_t *)(uintptr_t)s.p};
}

#endif
