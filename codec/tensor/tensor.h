/*
 * What a tensor is: a key, a dtype, a shape, and where its bytes lie.
 */
#ifndef CODEC_TENSOR_TENSOR_H
#define CODEC_TENSOR_TENSOR_H

#include "codec/base/buf.h"
#include "codec/tensor/dtype.h"
#include "codec/base/error.h"

/*
 * What names a tensor within a mount: given when it is loaded or created, never used again. Nodes,
 * layers, the journal and commits speak of it.
 */
typedef uint32_t tensor_id;

enum { RANK_MAX = 254 }; /* TensorShape of TensorFlow holds no more */

struct shape {
	uint32_t rank;
	const int64_t *dims; /* each >= 0 */
};

/* The number of elements. -EBADMSG: the product (zeros left out) passes 2^63, as in TensorFlow. */
int shape_elements(const struct shape *shape, uint64_t *ret);
/* Adds "[784, 64]". */
void shape_print(const struct shape *shape, struct buf *out);

/* A run of bytes in a shard, and their checksum as the index has it. */
struct extent {
	uint32_t shard; /* index into the model's shards */
	uint32_t crc;	/* masked CRC-32C, of the form that the dtype has in a bundle */
	uint64_t offset, size;
};

enum storage_type {
	STORED_NOWHERE, /* nobody knows where: the tensor is damaged */
	STORED_EXTENT,	/* as one run of bytes */
	STORED_SLICES,	/* as the slices of a partitioned variable, each a run of bytes */
	STORED_DECODED, /* in no run of bytes: its format makes them (codec/model/format.h) */
};

/* Where a tensor lies on disk, and how. */
struct storage {
	uint8_t type;	   /* enum storage_type */
	bool big_endian;   /* elements are in the byte order of another machine */
	bool has_checksum; /* what is read can be compared with it */
	union {
		struct extent extent;  /* STORED_EXTENT */
		struct slices *slices; /* STORED_SLICES (codec/tensor/slices.h) */
	};
};

/* One tensor of a model: a variable, all of it, whatever it is stored in. It never moves. */
struct tensor {
	struct span key;      /* the exact bytes of its checkpoint key; a NUL follows them */
	struct span base_key; /* its key on disk: the same bytes, unless it was renamed */
	struct span variable; /* the variable's own name; empty if nothing says it */
	struct shape shape;
	struct storage storage;
	const char *damage;	 /* why it cannot be read: its entry makes no sense; or NULL */
	struct content *content; /* NULL until it is opened or edited (codec/content/content.h) */
	tensor_id id;
	uint32_t dtype;
	uint32_t node; /* of the object graph, which holds the variable; where it has one */
	bool used;     /* a function of a SavedModel works with this variable */
	bool verified; /* its checksum was right; under the model's contents lock */
};

/*
 * The bytes that the tensor's own content has: elements x element size for a fixed-size dtype,
 * the stored size for any other.
 */
uint64_t tensor_size(const struct tensor *t);
/* True if its content is exactly its elements, one behind the other. */
bool tensor_is_raw(const struct tensor *t);

#endif
