/*
 * A model: its tensors and documents, whatever format they came from, and the edits to them.
 *
 * Floor 2 of the house. It is opened and closed by codec/open.h.
 */
#ifndef CODEC_MODEL_MODEL_H
#define CODEC_MODEL_MODEL_H

#include "codec/base/file.h"
#include "codec/model/document.h"
#include "codec/model/place.h"
#include "codec/model/shard.h"
#include "codec/tensor/tensor.h"

enum { TENSORS_FIRST = 32, TENSOR_BLOCKS = 27 };

/* Why nothing of a model can be edited. It lives, unchanged, as long as the model. */
struct read_only {
	int r; /* what an edit fails with: -EROFS and the like */
	struct read_only *before;
	char why[];
};

struct model {
	const struct format *format; /* codec/model/format.h */
	struct place place;
	struct arena arena; /* keys, names, shapes, documents */

	char *stem; /* what the names of its files begin with, relative to the root; NULL: it is a
		       folder */
	char *work; /* of the work folder, relative to the root */
	char *workdir;	   /* absolute: another place for it, as the user chose; or NULL */
	char *work_path;   /* absolute path of the work folder, for messages */
	char *output;	   /* absolute: where saves go instead (codec/save/output.h); or NULL */
	bool object_based; /* keys are paths in an object graph, as TensorFlow 2 makes them */
	bool has_layers;   /* model_layers() may find some (codec/model/format.h) */
	/* Times and inode numbers do not last in its file system: its files are known by their
	 * bytes. */
	_Atomic bool by_content;
	bool verify; /* checksums are to be verified before tensors are read (content_verify()) */
	void *own;   /* what its format knows beside all this: that wing's own affair */

	/* Tensors by id: block i has room for TENSORS_FIRST << i of them, and never moves. */
	struct tensor *blocks[TENSOR_BLOCKS];
	size_t n_ids;	   /* ids that were given: 0 to n-1 */
	tensor_id *by_key; /* the tensors that the model has, in the order of their keys */
	size_t n_tensors, by_key_capacity;
	struct shard *shards;
	uint32_t n_shards; /* 0 to n-1 are in use by some entry, or might be */

	struct document *documents;
	size_t n_documents;
	/* Why there is no document of a type; NULL where there is one. */
	const char *absent[DOCUMENT_TYPES];
	const char *folders[3]; /* of files that are shown as they are; NULL behind the last one */

	/* Documents may be in groups, each with a name: the MetaGraphDefs of a SavedModel. */
	struct span *groups;
	size_t n_groups, served; /* served: the group that is shown as that of the model */

	const char *kind; /* what saved it, in words; NULL: unknown. Likewise its versions */
	struct span tensorflow_version, keras_version;

	/* The files that say what the model is, as they were at load: the base of all edits. The
	 * last one is what is locked (codec/work/lock.h): the index, where there is one. */
	struct base_file {
		char *name; /* relative to the root */
		struct file_id id;
		uint32_t crc; /* of a large saved_model.pb: of the parts that were read */
	} * base;
	size_t n_base;

	struct buf notes;   /* faults of it that cost a part of what is shown, a line each */
	struct buf remarks; /* what else the user should know, a line each */
	bool leads_out;	    /* files of it are links that lead out of it: this was remarked */
	const struct read_only *_Atomic read_only; /* why nothing can be edited; NULL: it can */
	struct read_only *reasons;		   /* all that were ever given */
	struct edits *edits;	  /* NULL: opened for reading only (codec/work/edits.h) */
	pthread_mutex_t contents; /* the content of each tensor, and how often it is open */
	/* Where tensors lie: their storage, and the shards. Read by whoever looks at bytes, written
	 * when a commit has moved them. Taken before any other lock of the model. */
	pthread_rwlock_t layout;
};

/* An empty model, for formats and tests. NULL without memory. */
struct model *model_new(void);
struct model *model_free(struct model *m);
static inline void model_free_pointer(struct model **m)
{
	model_free(*m);
}
#define cleanup_model __attribute__((cleanup(model_free_pointer)))

/*
 * Tensors are numbered in the order in which they are added: that is their id, which no other
 * tensor gets while the model is loaded. A struct tensor is neither moved nor freed before the
 * model is, so pointers to it stay good.
 *
 * model_add_tensor() adds a copy of `like`; its base_key, where it has none, is its key. Nobody
 * else may use the model meanwhile. -ENOMEM; -EEXIST: there is a tensor of that key.
 */
int model_add_tensor(struct model *m, const struct tensor *like, tensor_id *ret);
/* The tensor of that id. */
static inline struct tensor *model_tensor(const struct model *m, tensor_id id)
{
	uint32_t q = id / TENSORS_FIRST + 1, block = 31 - (uint32_t)__builtin_clz(q);

	return &m->blocks[block][id - TENSORS_FIRST * ((1u << block) - 1)];
}
/* The tensors in the order of their keys: *i is 0 at first. NULL behind the last one. */
static inline struct tensor *model_next(const struct model *m, size_t *i)
{
	return *i < m->n_tensors ? model_tensor(m, m->by_key[(*i)++]) : NULL;
}
/* The tensor of that key, or NULL. */
struct tensor *model_find(const struct model *m, struct span key);
/* The tensor that has that key on disk, or NULL. */
struct tensor *model_find_base(const struct model *m, struct span base_key);
/* Chooses another place for the work folder, before there are edits. -ENOMEM. */
int model_set_workdir(struct model *m, const char *path);
/*
 * From now on nothing of the model can be edited, for that reason. One thread at a time sets
 * m->read_only; any thread may look at it, which may change between two looks.
 */
void model_set_read_only(struct model *m, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* 0, or m->read_only->r with its sentence. */
int model_check_editable(const struct model *m, struct error *err);
/* Adds a line to the model's notes, or to its remarks. */
void model_note(struct model *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
void model_remark(struct model *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * Unmaps the data files of a model of which nothing is open or being looked at: of files that were
 * removed the space is free then. True if that could be done. Not for a model with edits, which may
 * show the bytes in these files through their holes.
 */
bool model_unmap(struct model *m);
/* True if that path, relative to the root, is in a folder in which files of the model are. */
bool model_lies_in(const struct model *m, const char *path);
/*
 * -ESTALE if a file of the base, or a shard, is not what it was at load, or the model's folder is
 * another one.
 */
int model_check_base(struct model *m, struct error *err);
/*
 * As model_check_base(), for who locks what was loaded. Where nothing but times and inode numbers
 * has changed, they change of themselves: that is noted in m->by_content, and no error.
 */
int model_check_loaded(struct model *m, struct error *err);

#endif
