/* What an earlier mount left behind in the work folder, taken up, dropped, or looked at. */
#ifndef CODEC_SAVE_RECOVER_H
#define CODEC_SAVE_RECOVER_H

#include "codec/model/model.h"

/* What recover_edits() found. */
struct recovery {
	unsigned tensors; /* with edits, after the recovery */
	unsigned dropped; /* drafts that no program was left to complete */
	bool lost;	  /* edits that were not on stable storage in a power cut */
	bool finished;	  /* a commit that was decided was carried through: the model on
			   * disk is another one, and is to be loaded again */
};

/*
 * Takes up what an earlier mount left in the work folder, if anything: carries a decided commit
 * through, or makes the edits pending again.
 *
 * -ESTALE: edits for another state of the model. -ENOTSUP: written by another version.
 * -EACCES: the folder is another user's. -EBADMSG: damaged. err tells what to do.
 */
int recover_edits(struct model *m, struct recovery *ret, struct error *err);
/*
 * Drops the edits that an earlier mount left behind; a commit that was decided is carried through
 * first, if that is possible. -ENOTSUP: written by another version.
 */
int recover_discard(struct model *m, struct recovery *ret, struct error *err);

/* What the work folder holds. */
struct summary {
	bool decided; /* a commit: the next mount carries it through */
	bool foreign; /* edits for another state of the model */
	unsigned drafts;
};

/*
 * Looks at what an earlier mount left behind and changes nothing on disk; the edits are in
 * the ledger then (codec/work/ledger.h). For a model that was opened with EDITS_LOOK.
 */
int recover_inspect(struct model *m, struct summary *ret, struct error *err);

#endif
