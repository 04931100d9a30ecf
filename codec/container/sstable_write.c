#include "codec/container/sstable.h"

#include "codec/base/crc32c.h"
#include "codec/container/sstable_format.h"

static size_t common_prefix(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n, i = 0;

	while (i < n && a.p[i] == b.p[i])
		i++;
	return i;
}

static void add_entry(struct buf *block, size_t shared, struct span key, struct span value)
{
	buf_add_varint(block, shared);
	buf_add_varint(block, key.n - shared);
	buf_add_varint(block, value.n);
	buf_add(block, span_skip(key, shared));
	buf_add(block, value);
}

/* Writes a block and empties its parts; its handle goes to ret_offset and ret_size. */
static void flush_block(struct buf *file, struct buf *block, struct buf *restarts,
			uint64_t *ret_offset, uint64_t *ret_size)
{
	size_t start = file->n;

	if (!restarts->n)
		buf_add_le32(restarts, 0);
	buf_add(file, buf_span(block));
	buf_add(file, buf_span(restarts));
	buf_add_le32(file, (uint32_t)(restarts->n / 4));
	*ret_offset = start;
	*ret_size = file->n - start;
	buf_add_u8(file, SSTABLE_RAW);
	if (!file->failed)
		buf_add_le32(file, crc32c_masked(span_of(file->p + start, file->n - start)));
	file->failed |= block->failed | restarts->failed;
	buf_reset(block);
	buf_reset(restarts);
}

/* The index block's entry for the flushed block; separator is not below its last key. */
static void add_index_entry(struct sstable_writer *w, struct span separator)
{
	cleanup_buf struct buf handle = {0};

	buf_add_varint(&handle, w->pending_offset);
	buf_add_varint(&handle, w->pending_size);
	buf_add_le32(&w->index_restarts, (uint32_t)w->index.n);
	add_entry(&w->index, 0, separator, buf_span(&handle));
	w->index.failed |= handle.failed;
	w->pending = false;
}

/* The shortest key in [last, next) that FindShortestSeparator finds, made of last in place. */
static struct span shorten_between(struct buf *last, struct span next)
{
	size_t d = common_prefix(buf_span(last), next);

	if (d < last->n && d < next.n && last->p[d] < 0xff && last->p[d] + 1 < next.p[d]) {
		last->p[d]++;
		last->n = d + 1;
	}
	return buf_span(last);
}

/* A short key that is not below last (FindShortSuccessor), made of last in place. */
static struct span shorten_above(struct buf *last)
{
	for (size_t i = 0; i < last->n; i++) {
		if (last->p[i] != 0xff) {
			last->p[i]++;
			last->n = i + 1;
			break;
		}
	}
	return buf_span(last);
}

static void flush_data(struct sstable_writer *w)
{
	if (!w->entries)
		return;
	flush_block(&w->file, &w->block, &w->restarts, &w->pending_offset, &w->pending_size);
	w->pending = true;
	w->entries = 0;
}

int sstable_add(struct sstable_writer *w, struct span key, struct span value)
{
	size_t shared = 0;

	if (w->any && span_compare(buf_span(&w->last_key), key) >= 0)
		return -EINVAL;
	if (w->any && key.n + value.n >= 2 * (size_t)SSTABLE_BLOCK)
		flush_data(w);
	if (w->pending)
		add_index_entry(w, shorten_between(&w->last_key, key));
	if (w->entries % SSTABLE_RESTART == 0)
		buf_add_le32(&w->restarts, (uint32_t)w->block.n);
	else
		shared = common_prefix(buf_span(&w->last_key), key);
	add_entry(&w->block, shared, key, value);
	buf_reset(&w->last_key);
	buf_add(&w->last_key, key);
	w->entries++;
	w->any = true;
	if (w->block.n + w->restarts.n + 4 >= SSTABLE_BLOCK)
		flush_data(w);
	return w->last_key.failed ? -ENOMEM : 0;
}

static void add_footer(struct sstable_writer *w, const uint64_t handles[4])
{
	size_t start = w->file.n;

	for (int i = 0; i < 4; i++)
		buf_add_varint(&w->file, handles[i]);
	while (w->file.n - start < SSTABLE_FOOTER - 8 && !w->file.failed)
		buf_add_u8(&w->file, 0);
	buf_add_le64(&w->file, SSTABLE_MAGIC);
}

int sstable_finish(struct sstable_writer *w)
{
	struct buf nothing = {0};
	cleanup_buf struct buf no_restarts = {0};
	uint64_t handles[4]; /* metaindex: offset, size; index: offset, size */

	flush_data(w);
	flush_block(&w->file, &nothing, &no_restarts, &handles[0], &handles[1]);
	if (w->pending)
		add_index_entry(w, shorten_above(&w->last_key));
	flush_block(&w->file, &w->index, &w->index_restarts, &handles[2], &handles[3]);
	add_footer(w, handles);
	return buf_error(&w->file);
}

void sstable_writer_release(struct sstable_writer *w)
{
	buf_release(&w->file);
	buf_release(&w->block);
	buf_release(&w->restarts);
	buf_release(&w->index);
	buf_release(&w->index_restarts);
	buf_release(&w->last_key);
}
