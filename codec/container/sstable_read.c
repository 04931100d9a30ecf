/*
 * Reading tables.
 *
 * Nothing but the entries is used: a reader that goes from the first to the last needs no
 * restart points. They are still checked, because TensorFlow trusts them when it searches, and
 * a model that it cannot read must not look whole here.
 */
#include "codec/container/sstable.h"

#include <snappy-c.h>

#include "codec/base/crc32c.h"
#include "codec/container/sstable_format.h"

/* A compressed byte yields at most 22 (a copy of 64 in 3), and some slack for tiny blocks. */
enum { SNAPPY_RATIO = 22, SNAPPY_SLACK = 64, KEY_MAX = 1 << 20 };

struct handle {
	uint64_t offset, size;
};

static int take_handle(struct span *s, struct handle *ret)
{
	struct handle h;

	if (span_take_varint64(s, &h.offset) < 0 || span_take_varint64(s, &h.size) < 0)
		return -EBADMSG;
	*ret = h;
	return 0;
}

bool sstable_magic(struct span file)
{
	return file.n >= SSTABLE_FOOTER && le64_at(file.p + file.n - 8) == SSTABLE_MAGIC;
}

static int uncompress(struct span stored, uint64_t offset, struct buf *memory, struct span *ret,
		      struct error *err)
{
	size_t n;
	uint8_t *p;

	if (snappy_uncompressed_length((const char *)stored.p, stored.n, &n) != SNAPPY_OK ||
	    n > stored.n * SNAPPY_RATIO + SNAPPY_SLACK)
		return error_set(err, -EBADMSG,
				 "block at offset %llu: its Snappy length is impossible",
				 (unsigned long long)offset);
	buf_reset(memory);
	p = buf_extend(memory, n);
	if (!p)
		return -ENOMEM;
	if (snappy_uncompress((const char *)stored.p, stored.n, (char *)p, &n) != SNAPPY_OK)
		return error_set(err, -EBADMSG, "block at offset %llu: corrupt Snappy data",
				 (unsigned long long)offset);
	*ret = span_of(p, n);
	return 0;
}

/* The entries of a block's contents, without the restart points behind them. */
static int cut_restarts(struct span contents, struct span *ret)
{
	struct span entries, restarts;
	uint32_t count, offset = 0;

	if (contents.n < 4)
		return -EBADMSG;
	count = le32_at(contents.p + contents.n - 4);
	if (count > (contents.n - 4) / 4)
		return -EBADMSG;
	entries = span_first(contents, contents.n - 4 - 4 * (size_t)count);
	restarts = span_of(contents.p + entries.n, 4 * (size_t)count);
	if (count == 0 && entries.n)
		return -EBADMSG;
	while (restarts.n) {
		(void)span_take_le32(&restarts, &offset);
		if (offset > entries.n || (offset == entries.n && offset > 0))
			return -EBADMSG;
	}
	*ret = entries;
	return 0;
}

/* Checks the block that h names and hands out its entries. */
static int open_block(struct span file, struct handle h, struct buf *memory, struct span *ret,
		      struct error *err)
{
	unsigned long long at = h.offset;
	struct span stored, contents = {0}, checked;
	uint8_t type;
	int r;

	/* The trailer must fit as well; both numbers are whatever the file says. */
	if (h.size > file.n || span_slice(file, h.offset, h.size + SSTABLE_TRAILER, &checked) < 0)
		return error_set(
			err, -EBADMSG,
			"block at offset %llu, size %llu: lies outside the file of %zu bytes", at,
			(unsigned long long)h.size, file.n);
	stored = span_first(checked, (size_t)h.size);
	type = checked.p[h.size];
	if (crc32c_masked(span_first(checked, checked.n - 4)) != le32_at(checked.p + checked.n - 4))
		return error_set(err, -EBADMSG, "block at offset %llu: checksum mismatch", at);
	if (type == SSTABLE_RAW) {
		contents = stored;
	} else if (type == SSTABLE_SNAPPY) {
		r = uncompress(stored, h.offset, memory, &contents, err);
		if (r < 0)
			return r;
	} else {
		return error_set(err, -EBADMSG, "block at offset %llu: unknown type %u", at, type);
	}
	if (cut_restarts(contents, ret) < 0)
		return error_set(err, -EBADMSG, "block at offset %llu: bad restart points", at);
	return 0;
}

int sstable_open(struct sstable_reader *r, struct span file, struct error *err)
{
	struct span footer;
	struct handle metaindex, index;

	*r = (struct sstable_reader){0};
	if (file.n < SSTABLE_FOOTER)
		return error_set(err, -EBADMSG,
				 "%zu bytes are too few for a table; its footer alone has %d",
				 file.n, SSTABLE_FOOTER);
	if (!sstable_magic(file))
		return error_set(err, -EBADMSG, "no table: bad magic number at offset %zu",
				 file.n - 8);
	footer = span_of(file.p + file.n - SSTABLE_FOOTER, SSTABLE_FOOTER - 8);
	if (take_handle(&footer, &metaindex) < 0 || take_handle(&footer, &index) < 0)
		return error_set(err, -EBADMSG, "bad block handles in the footer at offset %zu",
				 file.n - SSTABLE_FOOTER);
	r->blocks = span_first(file, file.n - SSTABLE_FOOTER);
	r->block_offset = index.offset;
	return open_block(r->blocks, index, &r->index_memory, &r->index, err);
}

/*
 * One entry: its key replaces the one in key, its bytes leave the front of entries. The key may
 * begin like the one before it, but for the first of a block. Keys ascend: as both begin alike,
 * what follows decides.
 */
static int take_entry(struct span *entries, bool first, bool ascend, struct buf *key,
		      struct span *ret_value)
{
	struct span s = *entries, suffix, value;
	uint32_t shared, own, size;

	if (span_take_varint32(&s, &shared) < 0 || span_take_varint32(&s, &own) < 0 ||
	    span_take_varint32(&s, &size) < 0 || span_take(&s, own, &suffix) < 0 ||
	    span_take(&s, size, &value) < 0)
		return -EBADMSG;
	if (shared > (first ? 0 : key->n) || shared > KEY_MAX || own > KEY_MAX - shared)
		return -EBADMSG;
	if (ascend && span_compare(span_skip(buf_span(key), shared), suffix) >= 0)
		return -EBADMSG;
	key->n = shared;
	buf_add(key, suffix);
	if (key->failed)
		return -ENOMEM;
	*entries = s;
	*ret_value = value;
	return 0;
}

static int next_block(struct sstable_reader *r, struct error *err)
{
	bool first = !r->any;
	struct span value;
	struct handle h;
	int res;

	buf_reset(&r->floor);
	buf_add(&r->floor, buf_span(&r->ceiling));
	/* The index block has a restart at each entry: no key begins like another. */
	res = take_entry(&r->index, first, !first, &r->ceiling, &value);
	if (res == -ENOMEM || r->floor.failed)
		return -ENOMEM;
	if (res < 0 || take_handle(&value, &h) < 0)
		return error_set(err, -EBADMSG,
				 "bad entry in the index block, behind the block at offset %llu",
				 (unsigned long long)r->block_offset);
	r->block_offset = h.offset;
	r->fresh = true;
	return open_block(r->blocks, h, &r->block_memory, &r->block, err);
}

/* A search goes by the index block alone: a key outside its block's bounds is never found. */
static bool in_bounds(const struct sstable_reader *r)
{
	bool above =
		!r->fresh || !r->any || span_compare(buf_span(&r->key), buf_span(&r->floor)) > 0;

	return above && span_compare(buf_span(&r->key), buf_span(&r->ceiling)) <= 0;
}

int sstable_next(struct sstable_reader *r, struct span *ret_key, struct span *ret_value,
		 struct error *err)
{
	size_t left;
	int res;

	while (!r->block.n) {
		if (!r->index.n)
			return 0;
		res = next_block(r, err);
		if (res < 0)
			return res;
	}
	left = r->block.n;
	res = take_entry(&r->block, r->fresh, r->any, &r->key, ret_value);
	if (res == -ENOMEM)
		return res;
	if (res < 0 || !in_bounds(r))
		return error_set(
			err, -EBADMSG,
			"block at offset %llu: bad or unsorted entry, %zu bytes before its end",
			(unsigned long long)r->block_offset, left);
	r->any = true;
	r->fresh = false;
	*ret_key = buf_span(&r->key);
	return 1;
}

void sstable_release(struct sstable_reader *r)
{
	buf_release(&r->index_memory);
	buf_release(&r->block_memory);
	buf_release(&r->key);
	buf_release(&r->ceiling);
	buf_release(&r->floor);
}
