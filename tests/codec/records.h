/*
 * Journals that tests and fuzzers write record by record: the one place among them that knows what
 * the records of today look like (proto/journal.proto, codec/work/journal.h). Each function adds to
 * the bytes of a journal.
 */
#ifndef TESTS_CODEC_RECORDS_H
#define TESTS_CODEC_RECORDS_H

#include "codec/base/buf.h"

/* What a journal begins with. */
extern const char records_magic[];

/* A frame whose checksums are right, whatever its payload is. */
void record_frame(struct buf *journal, struct span payload);

/* Edits of a model of which `index` is the file of that name, in the boot of that id. */
void record_begin(struct buf *journal, const char *name, struct span index, const char *boot);
/* What follows was written in that boot. */
void record_boot(struct buf *journal, const char *boot);

/* The tensor of that key is called by that number from now on. Numbers count up from 1. */
void record_object(struct buf *journal, uint32_t id, const char *key);
/* A region of data.0 for an object. Numbers of regions and drafts count up from 1. */
void record_region(struct buf *journal, uint32_t id, uint32_t object, bool draft, uint64_t offset,
		   uint64_t size);
/* A draft that lies in no region: of a text. */
void record_draft(struct buf *journal, uint32_t id, uint32_t object);
void record_blocks(struct buf *journal, uint32_t id, uint64_t first, uint64_t count);
/* holes: what blocks did not name shows the base. */
void record_accept(struct buf *journal, uint32_t id, bool holes);
void record_drop(struct buf *journal, uint32_t id);
void record_synced(struct buf *journal);

/* A commit makes a name; is decided; is taken back. */
void record_stage(struct buf *journal, const char *name, uint64_t inode);
/* stage.0 takes the place of a file, and another file goes, by way of stage.1; NULL: none does. */
void record_intent(struct buf *journal, const char *name, struct span before, struct span after,
		   const char *removed);
void record_abort(struct buf *journal, bool swept);

#endif
