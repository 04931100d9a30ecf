/*
 * The tensor bundle: one V2 checkpoint, PREFIX.index and its shards
 * (upstream: core/util/tensor_bundle/{tensor_bundle,naming}.cc, core/protobuf/tensor_bundle.proto).
 *
 * Here are the entries of the index and the names of the files; which of them make a model is
 * format_bundle.c's and format_saved_model.c's business.
 */
#ifndef CODEC_BUNDLE_BUNDLE_H
#define CODEC_BUNDLE_BUNDLE_H

#include "codec/base/mem.h"
#include "codec/tensor/tensor.h"

/* The checkpoint key of the object graph. */
#define BUNDLE_GRAPH_KEY "_CHECKPOINTABLE_OBJECT_GRAPH"

/* More shards are in no use; the count is part of file names and of nothing that we allocate. */
enum { BUNDLE_SHARDS_MAX = 100000 };

/* The value under the empty key. */
struct bundle_header {
	uint32_t shards;
	bool big_endian;
	int32_t producer; /* version of the format */
};

/*
 * The header of an index. -EBADMSG: no message, a version that TensorFlow would refuse too, or
 * more shards than BUNDLE_SHARDS_MAX.
 */
int bundle_decode_header(struct span value, struct bundle_header *ret, struct error *err);
/* The same header with another number of shards; whatever else it holds stays as it is. */
int bundle_encode_header(struct span value, uint32_t shards, struct buf *out);

/* An entry of the index as it stands there. */
struct bundle_entry {
	uint32_t dtype;
	struct shape shape;
	struct extent extent; /* extent.shard is the number in the entry */
	/* A partitioned variable has slices instead of an extent; start, length and full hold
	 * shape.rank numbers for each of them. */
	size_t slices;
	int64_t *start, *length;
	bool *full;
};

/*
 * Decodes an entry; what it points to lives in arena. -EBADMSG: no message, dtype that cannot be
 * stored, shape that TensorFlow refuses, a size that does not fit dtype and shape, negative
 * numbers, a shard that the header does not count.
 */
int bundle_decode_entry(struct span value, const struct bundle_header *header, struct arena *arena,
			struct bundle_entry *ret, struct error *err);

/*
 * The value with another extent: spliced, so that all else keeps its bytes and its order. out is
 * emptied first. -EBADMSG (it was decoded before, so that is a bug), -ENOMEM.
 */
int bundle_move_entry(struct span value, const struct extent *extent, struct buf *out);

/* The canonical bytes of an entry, as TensorFlow writes them. */
void bundle_encode_entry(const struct bundle_entry *entry, struct buf *out);

/* What the name of an index has behind the prefix. */
#define BUNDLE_INDEX ".index"

/* PREFIX.index and PREFIX.data-00000-of-00001, added to out with a NUL behind (not counted). */
void bundle_index_name(const char *prefix, struct buf *out);
void bundle_shard_name(const char *prefix, uint32_t shard, uint32_t shards, struct buf *out);
/* True if name is PREFIX.index; the first *ret_prefix_n characters are its prefix. */
bool bundle_parse_index_name(const char *name, size_t *ret_prefix_n);
/*
 * True if name is PREFIX.data-SSSSS-of-NNNNN as printf writes it; the first *ret_prefix_n
 * characters are its prefix.
 */
bool bundle_parse_shard_name(const char *name, size_t *ret_prefix_n, uint32_t *ret_shard,
			     uint32_t *ret_shards);

struct place;

/* True if the folder of the place has the index of that prefix. */
bool bundle_has_index(const struct place *place, const char *prefix);
/*
 * True if the one checkpoint in the folder of the place is one whose prefix ends in a slash, as
 * save_weights("DIR/") makes it: its files are .index and .data-00000-of-00001. Other files whose
 * names begin with a dot do not count.
 */
bool bundle_is_nameless(const struct place *place);

#endif
