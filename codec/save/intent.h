/*
 * The records of a commit in the journal: which names it makes, what it has decided, that it was
 * taken back; and the sweeping up after one that did not come about.
 */
#ifndef CODEC_SAVE_INTENT_H
#define CODEC_SAVE_INTENT_H

#include "codec/work/journal.h"
#include "codec/save/stage.h"

int intent_append_stage(struct journal *j, const struct stage *s, struct error *err);
int intent_append(struct journal *j, const struct stage *s, struct error *err);
int intent_append_abort(struct journal *j, bool swept, struct error *err);

/*
 * The steps of a record, into an empty stage. A journal may come with a model from anywhere: a
 * name that leads out of the model's folder, or is none of those that a commit makes, is
 * -EBADMSG.
 */
int intent_read(const Weightfs__Intent *intent, struct stage *ret, struct error *err);

/*
 * Removes names that a stage made, where the inode agrees, durably. False: some are there still, or
 * may come back. They go by way of the work folder, which was swept before.
 */
bool intent_sweep_names(const struct model *m, int workfd, const struct stage_name *names,
			size_t n);
/* Removes those of a record, but none that the index on disk mentions. */
bool intent_sweep_record(const struct model *m, int workfd, const Weightfs__Stage *stage);

#endif
