/* Numbers that the reader and the writer of tables share (see sstable.h for their sources). */
#ifndef CODEC_CONTAINER_SSTABLE_FORMAT_H
#define CODEC_CONTAINER_SSTABLE_FORMAT_H

#define SSTABLE_MAGIC 0xdb4775248b80fb57ull

enum {
	SSTABLE_FOOTER = 48, /* two handles, padded to 40 bytes, and the magic */
	SSTABLE_TRAILER = 5, /* behind each block: its type, its checksum */
	SSTABLE_BLOCK = 262144,
	SSTABLE_RESTART = 16, /* each 16th key of a data block stands whole */
	SSTABLE_RAW = 0,
	SSTABLE_SNAPPY = 1,
};

#endif
