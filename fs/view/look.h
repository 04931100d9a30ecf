/* Looking into folders, some of which are filled by that; and walking along paths. */
#ifndef FS_VIEW_LOOK_H
#define FS_VIEW_LOOK_H

#include "fs/view/view.h"

/*
 * Fills a folder that is made when somebody looks, if that was not done yet; of a folder of
 * checkpoints, looks again. To be called before its names are asked for. -EIO: a checkpoint that
 * cannot be loaded. -ENOENT: one that is gone.
 */
int view_look(struct view *v, node_id folder);
/* True if others than we make and remove names in the folder. */
bool view_is_shared(const struct view *v, node_id folder);
/* True if somebody else than we may take the node out of its folder, or put another one there. */
bool view_is_fleeting(const struct view *v, node_id id, const struct node *n);
/* The node at a path from the root of the mount, or NODE_NONE. Links are followed. */
node_id view_walk(struct view *v, struct span path);

#endif
