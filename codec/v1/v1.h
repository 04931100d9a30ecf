/*
 * The files of a V1 checkpoint: each is a table that holds the values too (upstream:
 * core/util/{tensor_slice_writer,tensor_slice_reader,saved_tensor_slice_util}.cc,
 * core/util/saved_tensor_slice.proto). Which tensors they make is format_v1.c's business.
 *
 *	""			what is in this file: names, shapes, dtypes, slices
 *	slice_key(NAME, SLICE)	the values of one slice, in the typed field of a TensorProto
 */
#ifndef CODEC_V1_V1_H
#define CODEC_V1_V1_H

#include "codec/model/format.h"
#include "codec/container/sstable.h"

/* What an argument means: the file called `prefix`, or the shards of that prefix. */
struct v1_files {
	char *prefix;
	uint32_t shards; /* 0: one file */
	uint32_t others; /* there are shards of two counts, and this is the other one; or 0 */
};

/*
 * False if the argument can mean no V1 checkpoint (or without memory). It may be the name of one
 * file, the pattern of all of them, or what their names begin with. Where there is PREFIX.index
 * PREFIX is a bundle, as in TensorFlow; a shard that is named is meant, whatever lies beside it.
 */
bool v1_find_files(const struct place *place, struct v1_files *ret);
/*
 * The number of shards, if name is PREFIX-SSSSS-of-NNNNN as printf writes it, or the pattern
 * PREFIX-?????-of-NNNNN; else 0. Only then *ret_prefix_n characters are its prefix.
 */
uint32_t v1_parse_shard_name(const char *name, size_t *ret_prefix_n);
/* True if the file has the end of a table. */
bool v1_is_table(const struct place *place, const char *name);
/* True if one of the files is a table. */
bool v1_any_table(const struct place *place, const struct v1_files *f);
/* The name of a file, and a NUL, added to out. */
void v1_file_name(const struct v1_files *f, uint32_t shard, struct buf *out);
void v1_files_release(struct v1_files *f);

/* One block of a table, read alone. */
struct v1_block {
	uint64_t offset;	       /* in the file, for messages */
	struct buf bytes, entry;       /* as it lies in the file; what says so to the reader */
	struct sstable_reader entries; /* those still to come */
};

/*
 * A table that is read a block at a time, and in one direction: such a file may be larger than
 * our memory. Memory: the index block, one data block (and its uncompressed form).
 */
struct v1_table {
	const char *name; /* of the file, for messages */
	int fd;
	uint64_t size; /* of the file without its footer */
	uint64_t metaindex, metaindex_size;
	struct v1_block index, block;
	uint64_t next, next_size; /* the data block at hand ... */
	struct span separator;	  /* ... none of its keys is greater than this */
	bool begun, loaded;	  /* there is a data block at hand; it was read */
	bool taken;		  /* key and value: an entry that was read and not passed over */
	struct span key, value;
	int failed; /* of the block at hand: what was wrong with it */
	struct error why;
};

/*
 * Opens a file and reads its index block. -EIO, -ESTALE: as shard_open(). -EBADMSG: no table. The
 * shard must outlive it. To be released in either case.
 */
int v1_open(struct v1_table *t, struct shard *shard, int rootfd, struct error *err);
void v1_release(struct v1_table *t);

/* Goes to the next data block, which is not read yet: 1; 0 behind the last one; -EBADMSG. */
int v1_next_block(struct v1_table *t, struct error *err);
/*
 * The value of a key, in the block at hand only: 1, or 0 if it is not there. Keys are asked for
 * in ascending order. -EBADMSG, -EIO: the block is damaged (for as long as it is at hand). The
 * value lives until the next call.
 */
int v1_find_here(struct v1_table *t, struct span key, struct span *ret, struct error *err);
/* As v1_find_here(), but goes on to the block that has the key. */
int v1_find(struct v1_table *t, struct span key, struct span *ret, struct error *err);
/* Reads what is left of the block at hand, for its faults alone. */
int v1_drain(struct v1_table *t, struct error *err);
/* Reads the block that nobody needs, for its faults alone. */
int v1_check_metaindex(struct v1_table *t, struct error *err);

/* True if tensors of that dtype can be in a V1 checkpoint. */
bool v1_dtype(uint32_t dtype);
/*
 * Adds the elements in a record: as raw bytes, little-endian; of strings, in their stored form
 * (codec/tensor/stored.h). -EBADMSG: no record, or another number of elements; nothing is allocated
 * before that is known.
 */
int v1_values(struct span record, uint32_t dtype, uint64_t elements, struct buf *out,
	      struct error *err);

/* The values of a slice of a variable, or of all of it. */
struct v1_record {
	struct span key; /* where they are in a file */
	uint32_t shard;	 /* which file that is */
	uint32_t slice;	 /* which slice of the variable */
	tensor_id tensor;
	const int64_t *start, *length; /* of the slice; shape.rank numbers */
};

/* m->own of a V1 checkpoint: all records, those of one variable together. */
struct v1_own {
	struct v1_record *records;
	size_t n, capacity;
	/* By tensor: its records are those from first[id] to first[id + 1]; of a damaged one there
	 * are none. */
	uint32_t *first;
};

/* struct format's (codec/model/format.h), for a model that format_v1.c has loaded. */
int v1_decode(struct model *m, const struct tensor *t, struct buf *out, struct error *err);
int v1_decode_all(struct model *m, decoded_visitor *visit, void *context);

#endif
