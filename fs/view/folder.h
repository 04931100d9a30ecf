/*
 * The members of a folder of checkpoints (codec/checkpoints/collection.h): one folder of the tree
 * each, and the link `latest`.
 *
 * A member is loaded when somebody first looks into it, and becomes a branch of the view then, for
 * good. The folder on disk is looked at again whenever somebody asks for names in the root: what
 * came is added, what went is taken out, and what was replaced is both. A member that is taken out
 * stays usable for who has it open. One with edits that was replaced stays in its place: its
 * commit will say that the model changed.
 *
 * It is opened for editing and not locked before somebody edits (EDITS_LOCK_LATER): a training
 * run beside us takes no lock and is not disturbed, and two mounts of one folder disturb each
 * other only where both edit one checkpoint.
 */
#ifndef FS_VIEW_FOLDER_H
#define FS_VIEW_FOLDER_H

#include "fs/view/open_model.h"
#include "fs/view/view.h"

/*
 * Shows the members of the folder at the root of the view, which owns what becomes of it; the place
 * is taken over, whatever is returned. Those that have edits of an earlier mount are loaded.
 * -ENOENT: there is no checkpoint. -EINVAL: an option that one model only can have.
 */
int folder_open(struct view *v, struct place *place, const struct open_options *options,
		struct error *err);

#endif
