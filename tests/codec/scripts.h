/*
 * Journals that an earlier daemon has left behind, written as scripts: lists of records in words.
 * And the small model that they are for, with three tensors.
 */
#ifndef TESTS_CODEC_SCRIPTS_H
#define TESTS_CODEC_SCRIPTS_H

#include "bundles.h"

#include "codec/save/recover.h"

enum { A, GRID, WORDS, TENSORS, LARGEST = 16384, DATA = 1 << 16 };

extern const struct made_tensor tensors[TENSORS];
extern struct folder folder;
extern struct model *model; /* open after recover(), discard() or inspect(); NULL after clear() */
extern uint8_t base[TENSORS][LARGEST]; /* what is in the model */
extern uint8_t data[DATA];	       /* data.0 */
extern struct buf index_now, index_staged,
	index_other;	       /* the model's; what a commit makes of it; another one */
extern const char made_name[]; /* a data file that a commit has made beside the model */

enum { RECORDS = 16 };

/*
 * One record, with that of its object before it where that comes up first: "overlay ID KEY", "draft
 * ID KEY", "replace ID KEY SIZE", "text ID KEY", "blocks ID FIRST COUNT", "accept ID", "holes ID"
 * (accepts too, and what was not named shows the base), "drop ID", "synced", "boot", "stage" (of
 * made_name), "intent" (m.index gives way to index_staged), "abort", "swept". KEY is "?" for an
 * object of which nothing was said. "object ID KEY" says something of one. A region is as large as
 * its tensor and lies behind those before it; "short ID KEY" is an overlay that lacks a byte.
 */
struct record {
	char word[10], what[24];
	uint32_t id, count;
	size_t tensor;	     /* TENSORS: none of ours */
	size_t offset, size; /* of a region, in data */
	size_t end;	     /* of its frame in the journal */
};

struct script {
	const char *text;
	bool this_boot;
	struct record records[RECORDS];
	size_t n;
	char objects[TENSORS + 1][24]; /* keys, by their numbers in the journal minus 1 */
	uint32_t n_objects;
	struct buf journal;
	size_t begun; /* end of its first frame, which says what the edits are for */
};

/* A journal of edits to the model whose index that is, begun in this boot or in another one. */
void script_read(struct script *s, const char *text, bool this_boot, struct span index);
void script_release(struct script *s);
bool record_is(const struct record *r, const char *word);
bool record_has_region(const struct record *r);

/* Makes folder and model, for a group of tests; and takes them away. */
int scripts_setup(void **state);
int scripts_teardown(void **state);

/* Makes a work folder with that journal, data.0, and index_staged as stage.0. */
void leave(struct span journal);
/* Fails unless all of that is there, as it was left. */
void assert_untouched(struct span journal);
/* All is as before leave(). */
void clear(void);
/* Puts made_name there, if it is not, with the inode that scripts know. */
void restore_made_name(void);
/* A name in the folder. */
bool exists(const char *name);
void assert_file(const char *name, struct span expected);

/* The next daemon; somebody who discards; somebody who only looks. Each opens the model anew. */
int recover(struct recovery *ret, struct error *err);
int discard(struct recovery *ret, struct error *err);
int inspect(struct summary *ret, struct error *err);

#endif
