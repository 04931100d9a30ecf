#include "codec/base/crc32c.h"
#include "codec/container/sstable_format.h"
#include "fuzz.h"

static void put_crc(uint8_t *to, struct span checked)
{
	uint32_t crc = crc32c_masked(checked);

	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(crc >> (8 * i));
}

/* The contents of the block that a handle names, sealed; false if it is not in the file. */
static bool seal_block(struct buf *file, struct span *handle, struct span *ret)
{
	uint64_t offset, size;
	struct span block;

	if (span_take_varint64(handle, &offset) < 0 || span_take_varint64(handle, &size) < 0 ||
	    size > file->n ||
	    span_slice(buf_span(file), offset, size + SSTABLE_TRAILER, &block) < 0)
		return false;
	put_crc(file->p + offset + size + 1, span_first(block, (size_t)size + 1));
	*ret = span_first(block, (size_t)size);
	return true;
}

/* The blocks that the entries of an index block name. */
static void seal_blocks(struct buf *file, struct span index)
{
	uint32_t shared, own, size;
	struct span key, value, block;

	while (span_take_varint32(&index, &shared) == 0 && span_take_varint32(&index, &own) == 0 &&
	       span_take_varint32(&index, &size) == 0 && span_take(&index, own, &key) == 0 &&
	       span_take(&index, size, &value) == 0)
		(void)seal_block(file, &value, &block);
}

void reseal_table(struct buf *file)
{
	struct span footer, index;
	uint64_t skipped;

	if (file->n < SSTABLE_FOOTER)
		return;
	for (int i = 0; i < 8; i++)
		file->p[file->n - 8 + (size_t)i] = (uint8_t)(SSTABLE_MAGIC >> (8 * i));
	footer = span_skip(buf_span(file), file->n - SSTABLE_FOOTER);
	if (span_take_varint64(&footer, &skipped) < 0 ||
	    span_take_varint64(&footer, &skipped) < 0 || !seal_block(file, &footer, &index))
		return;
	seal_blocks(file, index);
	/* A data block may lie over the index block: that one counts. */
	footer = span_skip(buf_span(file), file->n - SSTABLE_FOOTER);
	(void)span_take_varint64(&footer, &skipped);
	(void)span_take_varint64(&footer, &skipped);
	(void)seal_block(file, &footer, &index);
}

void reseal_frames(struct buf *journal, size_t start)
{
	while (start < journal->n && journal->n - start >= 16) {
		uint8_t *frame = journal->p + start;
		uint64_t n = le64_at(frame);

		put_crc(frame + 8, span_of(frame, 8));
		if (n > journal->n - start - 16)
			return;
		put_crc(frame + 12 + n, span_of(frame + 12, (size_t)n));
		start += 16 + (size_t)n;
	}
}
