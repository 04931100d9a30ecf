/* How the tree of a view grows out of a model: each kind says where it shows what. */
#ifndef FS_VIEW_GROW_H
#define FS_VIEW_GROW_H

#include "fs/view/view.h"

/* Adds all that is to be seen of the branch's model. -ENOMEM. */
int grow_branch(struct view *v, struct branch *b);
/*
 * Fills a folder that is made when somebody looks, if that was not done yet. The view's `growing`
 * is locked. -ENOMEM.
 */
int grow_folder(struct view *v, node_id folder);
/*
 * Asks the kinds that show a thing of a model, or could, for its path again: its nodes move, come
 * or go. The view's `growing` is locked. -ENOMEM.
 */
int grow_again(struct view *v, struct branch *b, enum thing of, uint32_t object);
/* Adds the folder .weightfs. -ENOMEM. */
int grow_mount(struct view *v);

#endif
