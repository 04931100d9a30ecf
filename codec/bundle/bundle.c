#include "codec/bundle/bundle.h"

#include <stdio.h>

#include "codec/container/pbwire.h"
#include "codec/tensor/slices.h"
#include "tensor_bundle.pb-c.h"

/* Numbers of the fields that we splice (tensor_bundle.proto). */
enum { HEADER_NUM_SHARDS = 1, ENTRY_SHARD = 3, ENTRY_OFFSET = 4, ENTRY_SIZE = 5, ENTRY_CRC = 6 };

static int check_version(const Tensorflow__VersionDef *v, struct error *err)
{
	if (!v)
		return 0;
	if (v->producer < 0 || v->min_consumer > 1)
		return error_set(err, -EBADMSG, "bundle version: producer %d, needs a reader of %d",
				 v->producer, v->min_consumer);
	for (size_t i = 0; i < v->n_bad_consumers; i++)
		if (v->bad_consumers[i] == 1)
			return error_set(err, -EBADMSG, "bundle version: refuses readers of 1");
	return 0;
}

static int check_header(const Tensorflow__BundleHeaderProto *h, struct error *err)
{
	if (h->num_shards < 0 || h->num_shards > BUNDLE_SHARDS_MAX)
		return error_set(err, -EBADMSG, "%d shards", h->num_shards);
	if (h->endianness != TENSORFLOW__BUNDLE_HEADER_PROTO__ENDIANNESS__LITTLE &&
	    h->endianness != TENSORFLOW__BUNDLE_HEADER_PROTO__ENDIANNESS__BIG)
		return error_set(err, -EBADMSG, "byte order %d", h->endianness);
	return check_version(h->version, err);
}

int bundle_decode_header(struct span value, struct bundle_header *ret, struct error *err)
{
	struct arena arena = {0};
	Tensorflow__BundleHeaderProto *h =
		pb_unpack(&tensorflow__bundle_header_proto__descriptor, value, &arena, err);
	int r = h ? check_header(h, err) : -EBADMSG;

	if (r == 0)
		*ret = (struct bundle_header){
			.shards = (uint32_t)h->num_shards,
			.big_endian =
				h->endianness == TENSORFLOW__BUNDLE_HEADER_PROTO__ENDIANNESS__BIG,
			.producer = h->version ? h->version->producer : 0,
		};
	arena_release(&arena);
	return r;
}

int bundle_encode_header(struct span value, uint32_t shards, struct buf *out)
{
	struct pb_field f;
	int r;

	buf_reset(out);
	buf_add_varint(out, HEADER_NUM_SHARDS << 3 | PB_VARINT);
	buf_add_varint(out, shards);
	while ((r = pb_next(&value, &f)) > 0)
		if (f.number != HEADER_NUM_SHARDS)
			buf_add(out, f.whole);
	return r < 0 ? r : buf_error(out);
}

static int copy_shape(const Tensorflow__TensorShapeProto *s, struct arena *arena, struct shape *ret,
		      struct error *err)
{
	size_t rank = s ? s->n_dim : 0;
	uint64_t elements;
	int64_t *dims;

	if (rank > RANK_MAX)
		return error_set(err, -EBADMSG, "%zu dimensions; TensorFlow allows %d", rank,
				 RANK_MAX);
	dims = arena_alloc(arena, rank * sizeof(*dims));
	if (!dims)
		return -ENOMEM;
	for (size_t i = 0; i < rank; i++) {
		dims[i] = s->dim[i]->size;
		if (dims[i] < 0)
			return error_set(err, -EBADMSG, "dimension %zu is %lld", i,
					 (long long)dims[i]);
	}
	*ret = (struct shape){(uint32_t)rank, dims};
	if (shape_elements(ret, &elements) < 0)
		return error_set(err, -EBADMSG, "the shape has too many elements");
	return 0;
}

/* The extents of all slices, one behind the other. */
static int copy_slices(const Tensorflow__BundleEntryProto *e, struct arena *arena,
		       struct bundle_entry *ret, struct error *err)
{
	uint32_t rank = ret->shape.rank;
	size_t n = e->n_slices * rank;

	/* Before any memory: only then each number of a slice has taken bytes in the message. */
	for (size_t i = 0; i < e->n_slices; i++)
		if (e->slices[i]->n_extent != rank)
			return error_set(err, -EBADMSG,
					 "slice %zu has %zu dimensions instead of %u", i,
					 e->slices[i]->n_extent, rank);
	ret->slices = e->n_slices;
	ret->start = arena_alloc(arena, n * sizeof(*ret->start));
	ret->length = arena_alloc(arena, n * sizeof(*ret->length));
	ret->full = arena_alloc(arena, n * sizeof(*ret->full));
	if (!ret->start || !ret->length || !ret->full)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_slices; i++) {
		for (uint32_t d = 0; d < rank; d++) {
			const Tensorflow__TensorSliceProto__Extent *x = e->slices[i]->extent[d];
			bool full = x->has_length_case !=
				    TENSORFLOW__TENSOR_SLICE_PROTO__EXTENT__HAS_LENGTH_LENGTH;

			ret->full[i * rank + d] = full;
			ret->start[i * rank + d] = full ? 0 : x->start;
			ret->length[i * rank + d] = full ? ret->shape.dims[d] : x->length;
		}
	}
	return 0;
}

/* The size against dtype and shape, as TensorFlow's reader checks it. */
static int check_size(uint32_t dtype, uint64_t elements, uint64_t size, struct error *err)
{
	uint64_t expected;

	if (dtype == DTYPE_STRING) {
		if (size < elements)
			return error_set(err, -EBADMSG, "%llu bytes cannot hold %llu strings",
					 (unsigned long long)size, (unsigned long long)elements);
		return 0;
	}
	if (!dtype_size(dtype))
		return 0;
	if (mul_overflows(elements, (uint64_t)dtype_size(dtype), &expected) || expected > INT64_MAX)
		return error_set(err, -EBADMSG, "%llu elements of %s are more than a file can hold",
				 (unsigned long long)elements, dtype_name(dtype).text);
	if (size != expected)
		return error_set(err, -EBADMSG,
				 "stored size is %llu, but %s of this shape takes %llu",
				 (unsigned long long)size, dtype_name(dtype).text,
				 (unsigned long long)expected);
	return 0;
}

static int copy_extent(const Tensorflow__BundleEntryProto *e, const struct bundle_header *header,
		       struct bundle_entry *ret, struct error *err)
{
	uint64_t elements = 0;

	if (e->offset < 0 || e->size < 0 || e->size > INT64_MAX - e->offset)
		return error_set(err, -EBADMSG, "offset %lld, size %lld", (long long)e->offset,
				 (long long)e->size);
	if (e->shard_id < 0 || (uint32_t)e->shard_id >= header->shards)
		return error_set(err, -EBADMSG, "shard %d of %u", e->shard_id, header->shards);
	ret->extent = (struct extent){
		.shard = (uint32_t)e->shard_id,
		.crc = e->crc32c,
		.offset = (uint64_t)e->offset,
		.size = (uint64_t)e->size,
	};
	(void)shape_elements(&ret->shape, &elements);
	return check_size(ret->dtype, elements, ret->extent.size, err);
}

static int copy_entry(const Tensorflow__BundleEntryProto *e, const struct bundle_header *header,
		      struct arena *arena, struct bundle_entry *ret, struct error *err)
{
	int r;

	if (e->dtype <= DTYPE_INVALID || e->dtype >= DTYPE_REF || e->dtype == DTYPE_RESOURCE)
		return error_set(err, -EBADMSG, "dtype %d cannot be stored", e->dtype);
	ret->dtype = (uint32_t)e->dtype;
	r = copy_shape(e->shape, arena, &ret->shape, err);
	if (r < 0)
		return r;
	return e->n_slices ? copy_slices(e, arena, ret, err) : copy_extent(e, header, ret, err);
}

int bundle_decode_entry(struct span value, const struct bundle_header *header, struct arena *arena,
			struct bundle_entry *ret, struct error *err)
{
	struct arena scratch = {0};
	struct bundle_entry entry = {0};
	Tensorflow__BundleEntryProto *e =
		pb_unpack(&tensorflow__bundle_entry_proto__descriptor, value, &scratch, err);
	int r = e ? copy_entry(e, header, arena, &entry, err) : -EBADMSG;

	if (r == 0)
		*ret = entry;
	arena_release(&scratch);
	return r;
}

static void add_varint_field(struct buf *out, uint32_t number, uint64_t value)
{
	if (!value)
		return;
	buf_add_varint(out, (uint64_t)number << 3 | PB_VARINT);
	buf_add_varint(out, value);
}

static void add_extent(struct buf *out, const struct extent *extent)
{
	add_varint_field(out, ENTRY_SHARD, extent->shard);
	add_varint_field(out, ENTRY_OFFSET, extent->offset);
	add_varint_field(out, ENTRY_SIZE, extent->size);
	if (extent->crc) {
		buf_add_varint(out, ENTRY_CRC << 3 | PB_FIXED32);
		buf_add_le32(out, extent->crc);
	}
}

int bundle_move_entry(struct span value, const struct extent *extent, struct buf *out)
{
	bool placed = false;
	struct pb_field f;
	int r;

	buf_reset(out);
	while ((r = pb_next(&value, &f)) > 0) {
		bool ours = f.number >= ENTRY_SHARD && f.number <= ENTRY_CRC;

		if (!placed && f.number >= ENTRY_SHARD) {
			add_extent(out, extent);
			placed = true;
		}
		if (!ours)
			buf_add(out, f.whole);
	}
	if (!placed)
		add_extent(out, extent);
	return r < 0 ? r : buf_error(out);
}

/* The slices of entry, field 7: extents, where a whole dimension is an empty message. */
static void add_slices(const struct bundle_entry *entry, struct buf *out)
{
	uint32_t rank = entry->shape.rank;

	for (size_t i = 0; i < entry->slices; i++) {
		cleanup_buf struct buf slice = {0};

		for (uint32_t d = 0; d < rank; d++) {
			size_t at = i * rank + d;
			cleanup_buf struct buf extent = {0};

			if (!entry->full[at]) {
				add_varint_field(&extent, 1, (uint64_t)entry->start[at]);
				buf_add_varint(&extent, 2 << 3 | PB_VARINT);
				buf_add_varint(&extent, (uint64_t)entry->length[at]);
			}
			pb_add_bytes(&slice, 1, buf_span(&extent));
		}
		pb_add_bytes(out, 7, buf_span(&slice));
	}
}

void bundle_encode_entry(const struct bundle_entry *entry, struct buf *out)
{
	cleanup_buf struct buf shape = {0};

	add_varint_field(out, 1, entry->dtype);
	for (uint32_t i = 0; i < entry->shape.rank; i++) {
		cleanup_buf struct buf dim = {0};

		add_varint_field(&dim, 1, (uint64_t)entry->shape.dims[i]);
		pb_add_bytes(&shape, 2, buf_span(&dim));
	}
	pb_add_bytes(out, 2, buf_span(&shape));
	if (entry->slices)
		add_slices(entry, out);
	else
		add_extent(out, &entry->extent);
}

static void add_nul(struct buf *out)
{
	buf_add_u8(out, 0);
	if (!out->failed)
		out->n--;
}

void bundle_index_name(const char *prefix, struct buf *out)
{
	buf_printf(out, "%s" BUNDLE_INDEX, prefix);
	add_nul(out);
}

bool bundle_parse_index_name(const char *name, size_t *ret_prefix_n)
{
	struct span s = span_str(name);

	if (!span_ends(s, span_str(BUNDLE_INDEX)))
		return false;
	*ret_prefix_n = s.n - strlen(BUNDLE_INDEX);
	return true;
}

void bundle_shard_name(const char *prefix, uint32_t shard, uint32_t shards, struct buf *out)
{
	buf_printf(out, "%s.data-%05u-of-%05u", prefix, shard, shards);
	add_nul(out);
}

bool bundle_parse_shard_name(const char *name, size_t *ret_prefix_n, uint32_t *ret_shard,
			     uint32_t *ret_shards)
{
	char again[64];
	const char *tail = NULL;
	unsigned shard, shards;

	for (const char *p = name; (p = strstr(p, ".data-")); p++)
		tail = p;
	if (!tail || sscanf(tail, ".data-%9u-of-%9u", &shard, &shards) != 2)
		return false;
	snprintf(again, sizeof(again), ".data-%05u-of-%05u", shard, shards);
	if (strcmp(again, tail) != 0)
		return false;
	*ret_prefix_n = (size_t)(tail - name);
	*ret_shard = shard;
	*ret_shards = shards;
	return true;
}
