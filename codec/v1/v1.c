#include "codec/v1/v1.h"

#include "codec/tensor/dtype.h"
#include "codec/container/pbwire.h"
#include "codec/container/sstable_format.h"
#include "codec/tensor/stored.h"

/* A record is a message, of 2 GiB at most; a block has one of those, or a few small ones. */
static const uint64_t block_max = (2ull << 30) + (1 << 20);

/* Nothing that has no block's separator above it has a greater key: all begin with a NUL. */
static const char last_key[] = "\xff\xff\xff\xff\xff\xff\xff\xff";

/* Fields of saved_tensor_slice.proto. */
enum { SLICES_DATA = 2, SLICE_DATA = 3 };

/* ---- blocks ---- */

/* The reader counts offsets from the beginning of its one block: here they are the file's. */
static int tell(const struct v1_table *t, uint64_t offset, int r, const struct error *why,
		struct error *err)
{
	static const char own[] = "block at offset 0: ";
	const char *what = why->text;

	if (strncmp(what, own, sizeof(own) - 1) == 0)
		what += sizeof(own) - 1;
	return error_set(err, r, "%s: block at offset %llu: %s", t->name,
			 (unsigned long long)offset, what);
}

static void block_release(struct v1_block *b)
{
	sstable_release(&b->entries);
	buf_release(&b->bytes);
	buf_release(&b->entry);
	*b = (struct v1_block){0};
}

/*
 * Reads a block and makes it a table of its own, of which the reader checks what it checks of
 * any: that takes an index, which is written here.
 */
static int block_open(const struct v1_table *t, struct v1_block *b, uint64_t offset, uint64_t size,
		      struct span ceiling, struct error *err)
{
	cleanup_buf struct buf handle = {0};
	uint8_t *p;
	int r;

	block_release(b);
	if (offset > t->size || size > block_max || size + SSTABLE_TRAILER > t->size - offset)
		return error_set(err, -EBADMSG,
				 "%s: block at offset %llu, size %llu: lies outside the file",
				 t->name, (unsigned long long)offset, (unsigned long long)size);
	p = buf_extend(&b->bytes, (size_t)size + SSTABLE_TRAILER);
	if (!p)
		return -ENOMEM;
	r = read_at(t->fd, p, b->bytes.n, offset);
	if (r < 0)
		return error_set(err, -EIO, "%s: block at offset %llu: %s", t->name,
				 (unsigned long long)offset, strerror(-r));
	buf_add_varint(&handle, 0);
	buf_add_varint(&handle, size);
	buf_add_varint(&b->entry, 0);
	buf_add_varint(&b->entry, ceiling.n);
	buf_add_varint(&b->entry, handle.n);
	buf_add(&b->entry, ceiling);
	buf_add(&b->entry, buf_span(&handle));
	b->offset = offset;
	b->entries.blocks = buf_span(&b->bytes);
	b->entries.index = buf_span(&b->entry);
	return handle.failed ? -ENOMEM : buf_error(&b->entry);
}

static int block_next(const struct v1_table *t, struct v1_block *b, struct span *ret_key,
		      struct span *ret_value, struct error *err)
{
	struct error why = {""};
	int r = sstable_next(&b->entries, ret_key, ret_value, &why);

	return r < 0 && r != -ENOMEM ? tell(t, b->offset, r, &why, err) : r;
}

/* Reads it to its end. */
static int block_drain(const struct v1_table *t, struct v1_block *b, struct error *err)
{
	struct span key, value;
	int r;

	while ((r = block_next(t, b, &key, &value, err)) > 0)
		;
	return r;
}

/* ---- the table ---- */

static int take_handle(struct span *s, uint64_t *ret_offset, uint64_t *ret_size)
{
	if (span_take_varint64(s, ret_offset) < 0 || span_take_varint64(s, ret_size) < 0)
		return -EBADMSG;
	return 0;
}

static int open_index(struct v1_table *t, uint64_t size, struct error *err)
{
	uint8_t bytes[SSTABLE_FOOTER];
	struct span footer = span_of(bytes, sizeof(bytes));
	uint64_t offset, n;
	int r;

	if (size < SSTABLE_FOOTER)
		return error_set(err, -EBADMSG, "%s: %llu bytes are too few for a table", t->name,
				 (unsigned long long)size);
	t->size = size - SSTABLE_FOOTER;
	r = read_at(t->fd, bytes, sizeof(bytes), t->size);
	if (r < 0)
		return error_set(err, -EIO, "%s: %s", t->name, strerror(-r));
	if (!sstable_magic(footer))
		return error_set(err, -EBADMSG, "%s: no table: bad magic number at offset %llu",
				 t->name, (unsigned long long)size - 8);
	footer = span_first(footer, SSTABLE_FOOTER - 8);
	if (take_handle(&footer, &t->metaindex, &t->metaindex_size) < 0 ||
	    take_handle(&footer, &offset, &n) < 0)
		return error_set(err, -EBADMSG,
				 "%s: bad block handles in the footer at offset %llu", t->name,
				 (unsigned long long)t->size);
	return block_open(t, &t->index, offset, n, span_str(last_key), err);
}

int v1_open(struct v1_table *t, struct shard *shard, int rootfd, struct error *err)
{
	*t = (struct v1_table){.name = shard->name};
	t->fd = shard_open(shard, rootfd, err);
	if (t->fd < 0)
		return t->fd;
	/* Its checksums are in the file itself: of another file they are right, too. */
	if (shard->doubted)
		return error_set(err, -ESTALE, "%s: changed since the mount", shard->name);
	return open_index(t, shard->id.size, err);
}

void v1_release(struct v1_table *t)
{
	block_release(&t->index);
	block_release(&t->block);
	close_pointer(&t->fd);
}

int v1_next_block(struct v1_table *t, struct error *err)
{
	struct span handle;
	int r;

	t->begun = t->loaded = t->taken = false;
	t->failed = 0;
	r = block_next(t, &t->index, &t->separator, &handle, err);
	if (r <= 0)
		return r;
	if (take_handle(&handle, &t->next, &t->next_size) < 0)
		return error_set(err, -EBADMSG, "%s: block at offset %llu: an entry is no handle",
				 t->name, (unsigned long long)t->index.offset);
	t->begun = true;
	return 1;
}

/* What is wrong with the block at hand is so for all that is asked of it. */
static int fail(struct v1_table *t, int r)
{
	t->taken = false;
	t->failed = r;
	return r;
}

/* The next entry of the block at hand: 1, 0, or what is wrong with the block. */
static int take(struct v1_table *t)
{
	int r = t->failed;

	if (r < 0 || t->taken)
		return r < 0 ? r : 1;
	if (!t->loaded) {
		r = block_open(t, &t->block, t->next, t->next_size, t->separator, &t->why);
		t->loaded = true;
	}
	if (r == 0)
		r = block_next(t, &t->block, &t->key, &t->value, &t->why);
	t->taken = r > 0;
	return r < 0 ? fail(t, r) : r;
}

int v1_find_here(struct v1_table *t, struct span key, struct span *ret, struct error *err)
{
	int r, order;

	while ((r = take(t)) > 0) {
		order = span_compare(t->key, key);
		if (order == 0)
			*ret = t->value;
		if (order >= 0)
			return order == 0;
		t->taken = false;
	}
	return r < 0 ? error_set(err, r, "%s", t->why.text) : 0;
}

int v1_find(struct v1_table *t, struct span key, struct span *ret, struct error *err)
{
	while (!t->begun || span_compare(key, t->separator) > 0) {
		int r = v1_next_block(t, err);

		if (r <= 0)
			return r;
	}
	return v1_find_here(t, key, ret, err);
}

int v1_drain(struct v1_table *t, struct error *err)
{
	int r;

	while ((r = take(t)) > 0)
		t->taken = false;
	return r < 0 ? error_set(err, r, "%s", t->why.text) : 0;
}

int v1_check_metaindex(struct v1_table *t, struct error *err)
{
	struct v1_block b = {0};
	int r = block_open(t, &b, t->metaindex, t->metaindex_size, span_str(last_key), err);

	if (r == 0)
		r = block_drain(t, &b, err);
	block_release(&b);
	return r;
}

/* ---- values ---- */

/* Where a TensorProto has the values of a dtype, and how many of them an element is. */
struct typed {
	uint8_t field, per_element;
	enum pb_type type;
};

static const struct typed *typed_of(uint32_t dtype)
{
	static const struct typed types[] = {
		[1] = {5, 1, PB_FIXED32},   /* float32 */
		[2] = {6, 1, PB_FIXED64},   /* float64 */
		[3] = {7, 1, PB_VARINT},    /* int32, and what else is in int_val: */
		[4] = {7, 1, PB_VARINT},    /* uint8 */
		[5] = {7, 1, PB_VARINT},    /* int16 */
		[6] = {7, 1, PB_VARINT},    /* int8 */
		[7] = {8, 1, PB_BYTES},	    /* string */
		[8] = {9, 2, PB_FIXED32},   /* complex64 */
		[9] = {10, 1, PB_VARINT},   /* int64 */
		[10] = {11, 1, PB_VARINT},  /* bool */
		[11] = {7, 1, PB_VARINT},   /* qint8 */
		[12] = {7, 1, PB_VARINT},   /* quint8 */
		[13] = {7, 1, PB_VARINT},   /* qint32 */
		[15] = {7, 1, PB_VARINT},   /* qint16 */
		[16] = {7, 1, PB_VARINT},   /* quint16 */
		[17] = {7, 1, PB_VARINT},   /* uint16 */
		[18] = {12, 2, PB_FIXED64}, /* complex128 */
		[19] = {13, 1, PB_VARINT},  /* float16: the bit pattern */
	};

	return dtype < ARRAY_SIZE(types) && types[dtype].field ? &types[dtype] : NULL;
}

bool v1_dtype(uint32_t dtype)
{
	return typed_of(dtype) != NULL;
}

/* Each varint ends in a byte below 0x80. */
static uint64_t count_varints(struct span s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] < 0x80;
	return n;
}

/* How many values one field of the message has; a list of numbers is packed or is not. */
static int count_field(const struct typed *how, const struct pb_field *f, uint64_t *n)
{
	size_t width = how->type == PB_FIXED64 ? 8 : 4;

	if (f->number != how->field)
		return 0;
	if (f->type == how->type)
		*n += 1;
	else if (f->type != PB_BYTES)
		return -EBADMSG;
	else if (how->type == PB_VARINT)
		*n += count_varints(f->bytes);
	else if (f->bytes.n % width)
		return -EBADMSG;
	else
		*n += f->bytes.n / width;
	return 0;
}

static int count_values(struct span tensor, const struct typed *how, uint64_t *ret)
{
	struct pb_field f;
	uint64_t n = 0;
	int r;

	while ((r = pb_next(&tensor, &f)) > 0)
		if (count_field(how, &f, &n) < 0)
			return -EBADMSG;
	*ret = n;
	return r;
}

/* Where values go: as many bytes each as `size` says. */
struct sink {
	uint8_t *p;
	uint32_t size;
	bool is_bool;
};

static void put(struct sink *to, uint64_t value)
{
	if (to->is_bool)
		value = value != 0;
	for (uint32_t i = 0; i < to->size; i++)
		*to->p++ = (uint8_t)(value >> (8 * i));
}

/* Numbers of a fixed width are on the wire what they are in a tensor. */
static int put_field(struct sink *to, const struct typed *how, const struct pb_field *f)
{
	struct span s = f->bytes;
	uint64_t value;

	if (f->number != how->field)
		return 0;
	if (f->type == how->type) {
		put(to, f->value);
		return 0;
	}
	if (how->type != PB_VARINT) {
		if (s.n)
			memcpy(to->p, s.p, s.n);
		to->p += s.n;
		return 0;
	}
	while (s.n) {
		if (span_take_varint64(&s, &value) < 0)
			return -EBADMSG;
		put(to, value);
	}
	return 0;
}

/* n values, which were counted. */
static int add_numbers(struct span tensor, uint32_t dtype, uint64_t n, struct buf *out)
{
	const struct typed *how = typed_of(dtype);
	uint32_t size = dtype_size(dtype) / how->per_element;
	struct sink to = {buf_extend(out, (size_t)(n * size)), size, how->field == 11};
	struct pb_field f;

	if (!to.p)
		return -ENOMEM;
	while (pb_next(&tensor, &f) > 0)
		if (put_field(&to, how, &f) < 0)
			return -EBADMSG;
	return 0;
}

/* n strings, which were counted. */
static int add_strings(struct span tensor, uint64_t n, struct buf *out)
{
	const struct typed *how = typed_of(DTYPE_STRING);
	cleanup_buf struct buf lengths = {0}, bytes = {0};
	struct pb_field f;

	while (pb_next(&tensor, &f) > 0) {
		if (f.number != how->field)
			continue;
		buf_add_varint(&lengths, f.bytes.n);
		buf_add(&bytes, f.bytes);
	}
	if (lengths.failed || bytes.failed)
		return -ENOMEM;
	return strings_store(buf_span(&lengths), buf_span(&bytes), n, out);
}

int v1_values(struct span record, uint32_t dtype, uint64_t elements, struct buf *out,
	      struct error *err)
{
	const struct typed *how = typed_of(dtype);
	struct span slice, tensor = {0};
	uint64_t n;
	int r;

	if (!how)
		return error_set(err, -ENOTSUP, "dtype %s", dtype_name(dtype).text);
	if (pb_find(record, SLICES_DATA, &slice) <= 0 || pb_find(slice, SLICE_DATA, &tensor) < 0 ||
	    count_values(tensor, how, &n) < 0)
		return error_set(err, -EBADMSG, "not a valid SavedTensorSlices (%zu bytes)",
				 record.n);
	if (n % how->per_element || n / how->per_element != elements)
		return error_set(err, -EBADMSG, "%llu values instead of %llu",
				 (unsigned long long)(n / how->per_element),
				 (unsigned long long)elements);
	r = dtype == DTYPE_STRING ? add_strings(tensor, n, out)
				  : add_numbers(tensor, dtype, n, out);
	return r == -EBADMSG ? error_set(err, r, "a number is longer than 64 bits") : r;
}
