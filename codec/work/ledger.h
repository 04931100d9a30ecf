/*
 * The ledger: every edit of a model that is not in it yet. Nothing else is asked what is pending:
 * a status lists the ledger, a commit takes what it says, a discard empties it, and the work folder
 * goes when nothing is in it and no draft is open.
 *
 * An edit is a struct change. ledger_apply() asks the format whether it may be, journals it, and
 * notes it in memory; when the next mount reads the journal, ledger_replay() only notes it. The
 * ledger keeps one change an object: what is done to an object later is added to it, or takes the
 * place of what was done before.
 *
 * Everything here may be called by several threads; m->edits is there (codec/work/edits.h), or
 * nothing is pending.
 */
#ifndef CODEC_WORK_LEDGER_H
#define CODEC_WORK_LEDGER_H

#include "codec/model/object.h"
#include "codec/work/region.h"

/* What happened to an object: a bit each. */
enum change_how {
	CHANGE_BYTES = 1 << 0, /* a tensor has other bytes: those of `region`, and the base in its
				  holes */
};

struct change {
	struct object object;
	unsigned how;
	/*
	 * In the ledger it is the ledger's, and stays until another change of its tensor, a
	 * discard, or a commit; who looks into it has locked the tensor's content, or closed the
	 * gate. NULL in a change that is to be applied: ledger_apply() makes an empty one, as large
	 * as the tensor.
	 */
	struct region *region;
};

/*
 * Takes a change in. On success its region is the ledger's; one that it replaces is freed. On
 * failure nothing has changed. Errors of the format's allows() (codec/model/format.h), of
 * edits_begin(), and -ENOSPC and the like.
 */
int ledger_apply(struct model *m, const struct change *c, struct error *err);
/* The same for a change that the journal knows of. -ENOMEM. */
int ledger_replay(struct model *m, const struct change *c);
/* Drops what is pending of an object, for the journal too; false: nothing was. */
bool ledger_forget(struct model *m, struct object o);
/* All of it is in the model now, and the journal knows: only memory is to forget it. */
void ledger_clear(struct model *m);

/* What is pending of an object; false: nothing. ret: NULL, if that is all that one wants to know.
 */
bool ledger_find(struct model *m, struct object o, struct change *ret);
/* The edited bytes of a tensor, or NULL. */
struct region *ledger_region(struct model *m, tensor_id id);
/*
 * All changes, in the order of the objects' numbers: *at is {0} at first. Others may apply changes
 * meanwhile.
 */
bool ledger_next(struct model *m, struct object *at, struct change *ret);
/* How many objects have changes. */
size_t ledger_count(struct model *m);
/* True if no object has, and no draft is open. */
bool ledger_empty(struct model *m);

/* The drafts with which an earlier mount died: *i is 0 at first. */
bool ledger_next_lost(const struct model *m, size_t *i, struct object *ret);

#endif
