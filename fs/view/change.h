/*
 * The door through which names change. Whoever wants to create, remove, rename or retype something
 * by its path asks here, be it the kernel (fs/fuse/ops_tree.c) or a command: what stands at the
 * path is found, its model is asked, and then all that shows it moves (change_refresh()).
 *
 * No model can be asked yet: every function but change_refresh() returns -EPERM, with a sentence
 * that says so, and has changed nothing.
 */
#ifndef FS_VIEW_CHANGE_H
#define FS_VIEW_CHANGE_H

#include "fs/view/view.h"

/* A name, and the folder that it stands in, or is to stand in. */
struct spot {
	node_id folder;
	struct span name;
};

int change_create(struct view *v, const struct spot *at, struct error *err);
int change_mkdir(struct view *v, const struct spot *at, struct error *err);
int change_symlink(struct view *v, const struct spot *at, const char *target, struct error *err);
/* Another name for what `node` is. */
int change_link(struct view *v, const struct spot *at, node_id node, struct error *err);
int change_unlink(struct view *v, const struct spot *at, struct error *err);
int change_rmdir(struct view *v, const struct spot *at, struct error *err);
/* flags: of renameat2(2). */
int change_rename(struct view *v, const struct spot *from, const struct spot *to, unsigned flags,
		  struct error *err);
/* Gives a tensor another dtype or shape, which an attribute says (xattrs.h): it is `now`. */
int change_type(struct view *v, node_id node, const char *attribute, struct span now,
		struct span wanted, struct error *err);

/*
 * A thing of a model has another name or type than before: every kind that shows it, or could, is
 * asked for its path again, and its node moves there, with its number; or comes, or goes. Links
 * lead to nodes, and follow them. -ENOMEM. Only tests call it, until there is such a change.
 */
int change_refresh(struct view *v, struct branch *b, enum thing of, uint32_t object);

#endif
