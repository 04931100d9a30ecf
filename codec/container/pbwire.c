#include "codec/container/pbwire.h"

enum { DEPTH_MAX = 100 }; /* that of the upstream parser */

/* What protobuf-c may ask for: much for a small message, in proportion for a big one. */
static const uint64_t cost_floor = 64 << 20;
static const uint64_t cost_ratio = 16;

int pb_next(struct span *message, struct pb_field *ret)
{
	struct pb_field f = {0};
	struct span s = *message;
	uint64_t tag;
	uint32_t fixed32 = 0;
	int r = 0;

	if (!s.n)
		return 0;
	if (span_take_varint64(&s, &tag) < 0 || tag > UINT32_MAX || tag >> 3 == 0)
		return -EBADMSG;
	f.number = (uint32_t)(tag >> 3);
	f.type = tag & 7;
	switch (f.type) {
	case PB_VARINT: r = span_take_varint64(&s, &f.value); break;
	case PB_FIXED64: r = span_take_le64(&s, &f.value); break;
	case PB_FIXED32: r = span_take_le32(&s, &fixed32); break;
	case PB_BYTES:
		r = span_take_varint64(&s, &f.value);
		r = r < 0 ? r : span_take(&s, f.value, &f.bytes);
		break;
	default: r = -EBADMSG;
	}
	if (r < 0)
		return r;
	if (f.type == PB_FIXED32)
		f.value = fixed32;
	f.whole = span_first(*message, message->n - s.n);
	*message = s;
	*ret = f;
	return 1;
}

int pb_next_bytes(struct span *message, uint32_t number, struct span *ret)
{
	struct pb_field f;
	int r;

	while ((r = pb_next(message, &f)) > 0) {
		if (f.number == number && f.type == PB_BYTES) {
			*ret = f.bytes;
			return 1;
		}
	}
	return r;
}

int pb_find(struct span message, uint32_t number, struct span *ret)
{
	struct span last = {0};
	int found = 0, r;

	while ((r = pb_next_bytes(&message, number, &last)) > 0)
		found = 1;
	if (r < 0)
		return r;
	if (found)
		*ret = last;
	return found;
}

/* The memory that unpacking one field asks for, apart from what a sub-message holds. */
static uint64_t field_cost(const ProtobufCFieldDescriptor *known, const struct pb_field *f)
{
	/* protobuf-c notes each field down before it unpacks: some 48 bytes. */
	uint64_t cost = 48 + f->bytes.n;

	if (!known)
		return cost + sizeof(ProtobufCMessageUnknownField) + f->whole.n;
	if (known->type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessageDescriptor *sub = known->descriptor;

		return 48 + 2 * sizeof(void *) + sub->sizeof_message;
	}
	if (known->label == PROTOBUF_C_LABEL_REPEATED && f->type == PB_BYTES)
		cost += 8 * f->bytes.n; /* packed: a byte each, eight bytes in memory */
	return cost + sizeof(ProtobufCBinaryData);
}

static int check(const ProtobufCMessageDescriptor *descriptor, struct span message, int depth,
		 uint64_t *budget)
{
	struct pb_field f;
	int r;

	if (depth > DEPTH_MAX)
		return -EBADMSG;
	while ((r = pb_next(&message, &f)) > 0) {
		const ProtobufCFieldDescriptor *known =
			protobuf_c_message_descriptor_get_field(descriptor, f.number);
		uint64_t cost = field_cost(known, &f);

		if (cost > *budget)
			return -EBADMSG;
		*budget -= cost;
		if (known && known->type == PROTOBUF_C_TYPE_MESSAGE && f.type == PB_BYTES) {
			r = check(known->descriptor, f.bytes, depth + 1, budget);
			if (r < 0)
				return r;
		}
	}
	return r;
}

static void *arena_allocator(void *arena, size_t n)
{
	return arena_alloc(arena, n);
}

static void arena_deallocator(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

void *pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct span message,
		struct arena *arena, struct error *err)
{
	ProtobufCAllocator allocator = {arena_allocator, arena_deallocator, arena};
	uint64_t budget = cost_floor + cost_ratio * message.n;
	void *unpacked = NULL;

	if (check(descriptor, message, 1, &budget) == 0)
		unpacked = protobuf_c_message_unpack(descriptor, &allocator, message.n, message.p);
	if (!unpacked)
		error_set(err, -EBADMSG, "not a valid %s (%zu bytes)", descriptor->short_name,
			  message.n);
	return unpacked;
}

void pb_pack(const void *message, struct buf *out)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	uint8_t *p = buf_extend(out, n);

	if (p)
		protobuf_c_message_pack(message, p);
}

void pb_add_bytes(struct buf *out, uint32_t number, struct span bytes)
{
	buf_add_varint(out, (uint64_t)number << 3 | PB_BYTES);
	buf_add_varint(out, bytes.n);
	buf_add(out, bytes);
}
