/*
 * The table container of TensorFlow: sorted keys and values in one file (PREFIX.index, and V1
 * checkpoints). LevelDB's format with plain keys, 256 KiB blocks and no filter (upstream:
 * tsl/lib/io/{table,block,table_builder,block_builder,format}.cc, table_options.h).
 *
 *	data block ... data block, metaindex block, index block, footer
 *	block  = contents, type (0 raw, 1 Snappy), masked CRC-32C of both
 *	contents = entries, restart offsets, their count
 *
 * It knows keys and values, and nothing of what they mean.
 */
#ifndef CODEC_CONTAINER_SSTABLE_H
#define CODEC_CONTAINER_SSTABLE_H

#include "codec/base/buf.h"
#include "codec/base/error.h"

/* True if the last bytes of a file are those of a table. */
bool sstable_magic(struct span file);

/*
 * Reads the entries of a table in order. The bytes of the file must outlive the reader; nothing
 * in them is trusted. Memory: one decompressed block, one key.
 */
struct sstable_reader {
	struct span blocks; /* the file without its footer */
	struct span index;  /* entries of the index block that were not read yet */
	struct span block;  /* entries of the data block that were not read yet */
	struct buf index_memory, block_memory; /* where a block was compressed */
	struct buf key;			       /* the last one */
	struct buf ceiling;    /* the index block's key: no key of this block is greater */
	struct buf floor;      /* that of the block before: each key of this block is greater */
	uint64_t block_offset; /* of the block being read, for messages */
	bool any;	       /* an entry was read */
	bool fresh;	       /* no entry of this block was read */
};

/* -EBADMSG: footer or index block are damaged; err names the offset. */
int sstable_open(struct sstable_reader *r, struct span file, struct error *err);
/*
 * 1 and the next entry, 0 at the end, or -EBADMSG: a checksum, a bound, or keys that do not
 * ascend. What ret_key and ret_value point to lives until the next call.
 */
int sstable_next(struct sstable_reader *r, struct span *ret_key, struct span *ret_value,
		 struct error *err);
void sstable_release(struct sstable_reader *r);

/*
 * Writes a table as TensorFlow does, to the byte: uncompressed, flushed at the same entries,
 * with the same shortened separators.
 */
struct sstable_writer {
	struct buf file;  /* finished blocks */
	struct buf block; /* entries of the data block at hand */
	struct buf restarts;
	struct buf index; /* entries of the index block */
	struct buf index_restarts;
	struct buf last_key;
	size_t entries; /* in the block at hand */
	bool pending;	/* a block was flushed; its index entry waits for the next key */
	uint64_t pending_offset, pending_size;
	bool any;
};

/* Keys must come in ascending order; -EINVAL otherwise. A zeroed writer is a new one. */
int sstable_add(struct sstable_writer *w, struct span key, struct span value);
/* The whole file, in w->file until the release. -ENOMEM if memory ran out anywhere. */
int sstable_finish(struct sstable_writer *w);
void sstable_writer_release(struct sstable_writer *w);

#endif
