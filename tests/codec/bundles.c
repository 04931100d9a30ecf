#include "bundles.h"

#include <stdio.h>

#include "codec/base/crc32c.h"
#include "codec/bundle/bundle.h"
#include "codec/container/sstable.h"
#include "codec/open.h"
#include "codec/tensor/slices.h"

enum { ENTRIES = 64 };

/* What an index will say. */
struct making {
	struct buf shard;
	struct {
		struct buf key, value;
	} entries[ENTRIES];
	size_t n;
};

size_t made_size(const struct made_tensor *t)
{
	size_t size = dtype_size(t->dtype);

	for (uint32_t i = 0; i < t->rank; i++)
		size *= (size_t)t->dims[i];
	return size;
}

static struct extent add_bytes(struct making *k, struct span bytes)
{
	struct extent e = {.crc = crc32c_masked(bytes), .offset = k->shard.n, .size = bytes.n};

	buf_add(&k->shard, bytes);
	return e;
}

/* Adds an entry; the key is taken over. */
static void add_entry(struct making *k, struct buf *key, const struct bundle_entry *e)
{
	assert_true(k->n < ENTRIES);
	k->entries[k->n].key = *key;
	bundle_encode_entry(e, &k->entries[k->n++].value);
	*key = (struct buf){0};
}

/* The rows and columns of a slice, out of the bytes of the whole. */
static void gather(const struct made_tensor *t, const int64_t *start, const int64_t *length,
		   const uint8_t *whole, struct buf *out)
{
	size_t size = dtype_size(t->dtype), row = (size_t)t->dims[1] * size;

	for (int64_t i = start[0]; i < start[0] + length[0]; i++)
		buf_add(out, span_of(whole + (size_t)i * row + (size_t)start[1] * size,
				     (size_t)length[1] * size));
}

/* A slice of a partitioned variable; how it is described goes to the place in `whole`. */
static void add_slice(struct making *k, const struct made_tensor *t, const int64_t *start,
		      const int64_t *length, const uint8_t *content, struct bundle_entry *whole)
{
	struct bundle_entry e = {.dtype = t->dtype, .shape = {2, length}};
	cleanup_buf struct buf key = {0}, bytes = {0};
	size_t at = 2 * whole->slices++;

	for (size_t d = 0; d < 2; d++) {
		whole->start[at + d] = start[d];
		whole->length[at + d] = length[d];
		whole->full[at + d] = length[d] == t->dims[d];
	}
	gather(t, start, length, content, &bytes);
	e.extent = add_bytes(k, buf_span(&bytes));
	slice_key(span_str(t->key), 2, start, length, whole->full + at, &key);
	add_entry(k, &key, &e);
}

static void add_sliced(struct making *k, const struct made_tensor *t, const uint8_t *content)
{
	int64_t starts[2 * MADE_CUTS * MADE_CUTS], lengths[2 * MADE_CUTS * MADE_CUTS];
	bool full[2 * MADE_CUTS * MADE_CUTS];
	struct bundle_entry whole = {.dtype = t->dtype,
				     .shape = {2, t->dims},
				     .start = starts,
				     .length = lengths,
				     .full = full};
	int64_t start[2] = {0, 0}, length[2];
	cleanup_buf struct buf key = {0};

	for (size_t i = 0; (length[0] = t->cuts[0][i]); start[0] += length[0], i++) {
		start[1] = 0;
		for (size_t j = 0; (length[1] = t->cuts[1][j]); start[1] += length[1], j++)
			add_slice(k, t, start, length, content, &whole);
	}
	buf_add_str(&key, t->key);
	add_entry(k, &key, &whole);
}

/* A length, its checksum, the bytes; the entry's checksum takes the length as a 32-bit number. */
static struct extent add_string(struct making *k, struct span text)
{
	cleanup_buf struct buf summed = {0}, stored = {0};
	uint32_t crc;

	buf_add_le32(&summed, (uint32_t)text.n);
	crc = crc32c_masked(buf_span(&summed));
	buf_add_le32(&summed, crc);
	buf_add(&summed, text);
	buf_add_varint(&stored, text.n);
	buf_add(&stored, span_skip(buf_span(&summed), 4));
	add_bytes(k, buf_span(&stored));
	return (struct extent){.crc = crc32c_masked(buf_span(&summed)),
			       .offset = k->shard.n - stored.n,
			       .size = stored.n};
}

static void add_plain(struct making *k, const struct made_tensor *t, const uint8_t *content)
{
	struct bundle_entry e = {.dtype = t->dtype, .shape = {t->rank, t->dims}};
	cleanup_buf struct buf key = {0};

	if (t->missing)
		e.extent = (struct extent){.shard = 1, .size = made_size(t)};
	else if (t->dtype == DTYPE_STRING)
		e.extent = add_string(k, span_str((const char *)content));
	else
		e.extent = add_bytes(k, span_of(content, made_size(t)));
	buf_add_str(&key, t->key);
	add_entry(k, &key, &e);
}

static int compare_entries(const void *a, const void *b)
{
	return span_compare(buf_span(a), buf_span(b)); /* the key stands first */
}

static void write_index(struct making *k, const struct folder *f, const char *prefix,
			uint8_t shards)
{
	const uint8_t header[] = {0x08, shards, 0x1a, 2, 0x08, 1}; /* version 1 */
	struct sstable_writer w = {0};
	char name[64];

	qsort(k->entries, k->n, sizeof(k->entries[0]), compare_entries);
	assert_int_equal(sstable_add(&w, span_str(""), span_of(header, sizeof(header))), 0);
	for (size_t i = 0; i < k->n; i++)
		assert_int_equal(sstable_add(&w, buf_span(&k->entries[i].key),
					     buf_span(&k->entries[i].value)),
				 0);
	assert_int_equal(sstable_finish(&w), 0);
	snprintf(name, sizeof(name), "%s.index", prefix);
	folder_write(f, name, buf_span(&w.file));
	sstable_writer_release(&w);
	snprintf(name, sizeof(name), "%s.data-00000-of-%05u", prefix, shards);
	folder_write(f, name, buf_span(&k->shard));
}

void bundle_make(const struct folder *f, const char *prefix, const struct made_tensor *tensors,
		 uint8_t *const *contents, size_t n)
{
	struct making k = {0};
	uint8_t shards = 1;

	for (size_t i = 0; i < n; i++) {
		shards = tensors[i].missing ? 2 : shards;
		if (tensors[i].cuts[0][0])
			add_sliced(&k, &tensors[i], contents[i]);
		else
			add_plain(&k, &tensors[i], contents[i]);
	}
	write_index(&k, f, prefix, shards);
	for (size_t i = 0; i < k.n; i++) {
		buf_release(&k.entries[i].key);
		buf_release(&k.entries[i].value);
	}
	buf_release(&k.shard);
}

struct model *open_model_in(const char *folder, const char *name)
{
	cleanup_buf struct buf path = {0};
	struct model *m = NULL;
	struct error err = {""};

	buf_printf(&path, "%s/%s%c", folder, name, 0);
	if (model_open((const char *)path.p, &m, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}

struct model *open_to_edit(const char *folder, const char *name, enum edits_mode mode)
{
	struct model *m = open_model_in(folder, name);
	struct error err = {""};

	if (edits_open(m, mode, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}
