/*
 * The work folder of a model: DIR/.weightfs of a SavedModel, PREFIX.weightfs beside a checkpoint.
 *
 * It is reached by the descriptor of the model's folder and never through a link; it must be the
 * invoking user's own, for what stands in it is believed.
 */
#ifndef CODEC_WORK_H
#define CODEC_WORK_H

#include "codec/model.h"

/* Which run of the machine this is: a power cut lies between two different ones. */
struct boot_id {
	char text[40];
};

struct boot_id boot_id(void);

/* Makes the folder, or takes an empty one over. A descriptor, or -errno (-EACCES: not ours). */
int work_create(struct model *m, struct error *err);
/* Opens it. -ENOENT: there is none. -EACCES: another user's. */
int work_open(const struct model *m, struct error *err);
/*
 * The folder in which a commit stages: the work folder, or, where that is in a place of its own, a
 * folder beside the model, which then says where the edits are. A descriptor, or -errno.
 */
int work_stage(struct model *m, int workfd, struct error *err);
/*
 * -EACCES if there are edits in another place than the one that the user named: elsewhere, as the
 * usual folder says, or in the usual folder.
 */
int work_check_place(const struct model *m, struct error *err);
/* True if there is a journal, in the place that the user chose or in the usual one. */
bool work_has_journal(const struct model *m, bool chosen);
/* fsync of the folder that holds the work folder. */
int work_sync(const struct model *m, struct error *err);
/* Removes all that we ever put there, the journal last, and the folder, if it is empty then. */
void work_remove(const struct model *m, int workfd);

#endif
