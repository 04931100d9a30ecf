/* How the tree of a view grows out of a model: each kind says where it shows what. */
#ifndef FS_VIEW_GROW_H
#define FS_VIEW_GROW_H

#include "fs/view/view.h"

/*
 * Hangs a model at the root; the view owns it from now on, whatever is returned. What cannot be
 * shown is logged. -ENOMEM.
 */
int view_add_model(struct view *v, struct model *model);
/*
 * The same in a folder of the tree. -EMFILE: there are as many as there can be. The branch may be
 * used by others as soon as this returns 0.
 */
int view_add_branch(struct view *v, struct model *model, node_id root, struct branch **ret);
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
