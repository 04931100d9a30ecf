/*
 * The work folder of a model: DIR/.weightfs of a SavedModel, PREFIX.weightfs beside a checkpoint.
 *
 * It is reached by the descriptor of the model's folder and never through a link; it must be the
 * invoking user's own, for what stands in it is believed.
 */
#ifndef CODEC_WORK_WORK_H
#define CODEC_WORK_WORK_H

#include "codec/model/model.h"

/* Which run of the machine this is: a power cut lies between two different ones. */
struct boot_id {
	char text[40];
};

struct boot_id boot_id(void);

/* A file or a folder that a save makes whole, in the folder where it stages, before it shows it. */
#define STAGE_NEW "stage.new"
/* Bytes of the name of any other file that a save makes there: stage.N, and the NUL behind it. */
enum { STAGE_NAME = 21 };

/* True if it is stage.N, which leads nowhere else. */
bool work_is_staged(struct span name);
/* Removes stage.N and stage.new. */
void work_sweep_staged(int stagefd);

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
/* True if there is a folder, whatever is in it, in the place where it usually is. */
bool work_exists(const struct model *m);
/* True if there is a journal, in the place that the user chose or in the usual one. */
bool work_has_journal(const struct model *m, bool chosen);
/* fsync of what holds the work folder, and the one in which a commit stages. */
int work_sync(const struct model *m, struct error *err);
/* A journal is about to be made: removes what others of ours, that are gone, left behind. */
void work_clean(const struct model *m, int workfd);
/* Removes what lies there without a journal, if it tells of none elsewhere; and the folder. */
void work_sweep(const struct model *m, int workfd);
/* There are no edits in the place that the user chose: nor is anything to be staged. */
void work_drop_stage(const struct model *m);
/*
 * Removes all that we ever put there, the journal first: what is left without one is litter, and
 * goes another time. The folder goes if it is empty then. False: it is there still, because of a
 * file of somebody else's, or of one that is open.
 */
bool work_remove(const struct model *m, int workfd, int stagefd);
/* The folder alone, if it is empty. False: it is not. */
bool work_remove_folder(const struct model *m);

#endif
