/* What a commit of a bundle is made of, for save_*.c. */
#ifndef CODEC_BUNDLE_SAVE_STATE_H
#define CODEC_BUNDLE_SAVE_STATE_H

#include "codec/bundle/own.h"
#include "codec/save/stage.h"

enum { SAVER_PART = 1 << 20 }; /* bytes that are copied at once */

/* An entry of the index, and where its bytes lie after the commit. */
struct saver_entry {
	struct tensor *tensor;	     /* the variable that it is, or is a slice of; or NULL */
	const struct own_entry *own; /* NULL: it is the whole variable */
	bool moved;
	struct extent to; /* if it was moved */
};

struct saver {
	struct model *m;
	struct stage *stage;
	struct saver_entry *entries; /* tensors by their ids, then the bundle's own */
	uint32_t *order;	     /* of the entries: by shard and offset */
	size_t n;		     /* of both */
	uint32_t count;		     /* of the new shards' names */
	uint32_t usual; /* 1: the shard ends under the name of that count; 0: as it is */
	uint8_t *part;
	int fd;					  /* of the shard that was opened last */
	uint32_t shard;				  /* which one that is */
	uint64_t done, all;			  /* bytes read and written, for who watches */
	struct staged *fresh_shard, *fresh_index; /* of a bundle that goes elsewhere */
	struct error *err;
};

/* ---- save_bundle.c ---- */

/* Stages all of a bundle, as edited, as one shard and its index, for another place. */
int bundle_write_fresh(struct model *m, struct stage *stage, struct staged *ret_shard,
		       struct staged *ret_index, struct error *err);

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

/* True if the entry is one run of bytes, and makes sense. */
bool saver_has_run(const struct saver_entry *e);
struct stored_run saver_run(const struct saver_entry *e);
/* True if its bytes were edited, by an edit of the variable. */
bool saver_is_edited(const struct saver *s, const struct saver_entry *e);
/* The bytes that it will take in a data file. */
uint64_t saver_size(const struct saver *s, const struct saver_entry *e);
/* A descriptor of an old shard, which stays open until another one is asked for. */
int saver_old_shard(struct saver *s, uint32_t shard);
/*
 * The stored bytes are what the index says. Whatever is copied is verified: damage is never
 * sealed with a fresh checksum. -EIO.
 */
int saver_verify_base(struct saver *s, const struct saver_entry *e);
/* Writes the bytes of an entry as they are now to e->to.offset; e->to.crc follows. */
int saver_write_entry(struct saver *s, struct saver_entry *e, int to);
/* Writes all entries one behind the other, syncs, reads them again and checks them. */
int saver_write_all(struct saver *s, int to);
/* Puts the key of the entry before the error, if r is one. */
int saver_entry_error(struct saver *s, const struct saver_entry *e, int r);
/* So many bytes more are done. */
void saver_progress(struct saver *s, uint64_t bytes);

/* ---- save_append.c ---- */

/* True if a shard is one of ours: appended by an earlier commit, or empty. */
bool saver_is_appended(struct saver *s, uint32_t shard);
/* Marks the edited entries as moved; the bytes of them. */
uint64_t saver_mark_edited(struct saver *s);
/* Stages data.N as one shard more. */
int saver_append(struct saver *s);

#endif
