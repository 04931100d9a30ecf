/*
 * What stands at the root of a mount: one model, or a folder of checkpoints (folder.h). All that
 * differs between the two is in this table; where a function is NULL there is nothing to do.
 */
#ifndef FS_VIEW_ROOT_H
#define FS_VIEW_ROOT_H

#include "codec/base/error.h"
#include "fs/view/tree.h"

struct view;

struct root_ops {
	/* What the names in the root stand for, as a message calls them. */
	const char *things;
	/* False if nothing of it can ever be edited. */
	bool (*can_be_edited)(const struct view *v);
	/*
	 * Somebody is about to ask for names in a folder: sees to it that they are there. 0: it is
	 * none of its own. 1. -EIO: a checkpoint that cannot be loaded. -ENOENT: one that is gone.
	 */
	int (*look)(struct view *v, node_id folder, const struct node *n);
	/* True if others than we make and remove names in the folder. */
	bool (*is_shared)(const struct view *v, node_id folder);
	/* When what one of its folders shows was saved: nanoseconds since 1970. */
	int64_t (*mtime)(const struct view *v, const struct node *folder);
	/*
	 * Takes off the name of a file what says in which model it lies: the root of that model; or
	 * NODE_NONE, and err says why, unless the log does.
	 */
	node_id (*choose)(struct view *v, struct span *name, struct error *err);
	/* True if a mount at that absolute path would hide what has no branch yet. */
	bool (*is_hidden_by)(const struct view *v, const char *mountpoint);
	void (*release)(struct view *v);
};

/* Of one model, which is the branch at the root (view.c). */
extern const struct root_ops root_of_model;

#endif
