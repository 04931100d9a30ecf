/* What a commit of a bundle is made of, for save_bundle.c and save_index.c. */
#ifndef CODEC_BUNDLE_SAVE_STATE_H
#define CODEC_BUNDLE_SAVE_STATE_H

#include "codec/save/stage.h"

enum { SAVER_PART = 1 << 20 }; /* bytes that are copied at once */

/* Where a tensor of the model lies after the commit. */
struct move {
	bool moved;
	struct extent to;
};

struct saver {
	struct model *m;
	struct stage *stage;
	struct move *moves; /* by tensor */
	uint32_t *order;    /* tensors by shard and offset */
	uint32_t count;	    /* of the new shards' names */
	uint32_t usual;	    /* 1: the shard ends under the name of that count; 0: as it is */
	uint8_t *part;
	int fd;					  /* of the shard that was opened last */
	uint32_t shard;				  /* which one that is */
	uint64_t done, all;			  /* bytes read and written, for who watches */
	struct staged *fresh_shard, *fresh_index; /* of a bundle that goes elsewhere */
	struct error *err;
};

/* ---- save_index.c ---- */

bool saver_shard_exists(const struct saver *s, uint32_t shard);
/* PREFIX.data-SSSSS-of-NNNNN, relative to the model's folder, into ret. */
int saver_shard_name(const struct saver *s, uint32_t shard, uint32_t count, struct buf *ret);
/* Sets s->count: the smallest one for `needed` shards of which no file exists. */
int saver_choose_count(struct saver *s, uint32_t needed);
/* A staged file becomes a shard of the new count. */
int saver_add_shard_name(struct saver *s, struct staged *f, uint32_t shard);
/* Names of the new count that no shard needs, from that number on, are empty files. */
int saver_add_empty_names(struct saver *s, uint32_t from, const char *like);
/*
 * Stages everything behind the shards: the index, or both of them, and what goes then. shard: the
 * one that ends under its usual name, if s->usual says so.
 */
int saver_stage_indexes(struct saver *s, struct staged *shard);

/* Stages the index that counts so many shards, without saying what becomes of it. */
int saver_write_index(struct saver *s, uint32_t count, struct staged *ret);

/* ---- save_data.c ---- */

/* True if the tensor is stored as one run of bytes. */
bool saver_has_extent(const struct tensor *t);
/* True if the entry's bytes were edited: the tensor's own, or those of the variable it is a slice
 * of. */
bool saver_is_edited(const struct saver *s, const struct tensor *t);
/* The bytes that it takes in a data file now. */
uint64_t saver_size(const struct saver *s, const struct tensor *t);
/* A descriptor of an old shard, which stays open until another one is asked for. */
int saver_old_shard(struct saver *s, uint32_t shard);
/*
 * The stored bytes are what the index says. Whatever is copied is verified: damage is never
 * sealed with a fresh checksum. -EIO.
 */
int saver_verify_base(struct saver *s, const struct tensor *t);
/* Writes a tensor as it is now at at->offset; at->crc follows. */
int saver_write_tensor(struct saver *s, const struct tensor *t, int to, struct extent *at);
/* Writes all tensors one behind the other, syncs, reads them again and checks them. */
int saver_write_all(struct saver *s, int to);
/* Puts the tensor's key before the error, if r is one. */
int saver_tensor_error(struct saver *s, const struct tensor *t, int r);
/* So many bytes more are done. */
void saver_progress(struct saver *s, uint64_t bytes);

/* ---- save_append.c ---- */

/* True if a shard is one of ours: appended by an earlier commit, or empty. */
bool saver_is_appended(struct saver *s, uint32_t shard);
/* Marks the edited tensors as moved; the bytes of them. */
uint64_t saver_mark_edited(struct saver *s);
/* Stages data.N as one shard more. */
int saver_append(struct saver *s);

#endif
