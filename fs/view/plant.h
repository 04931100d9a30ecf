/*
 * Planting: files go into the tree at paths, and folders come with them.
 *
 * A name can be file and folder at once (TF1's w and w/Adam): then the file keeps the name and
 * the folder is called w.d. Which comes first does not matter.
 */
#ifndef FS_VIEW_PLANT_H
#define FS_VIEW_PLANT_H

#include "fs/view/tree.h"

struct plant {
	struct tree *tree;
	uint16_t branch;     /* of the folders */
	size_t folders_left; /* no more are made */
};

/* Adds a folder, whose name is not there yet. NODE_NONE: without memory, or there are too many. */
node_id plant_folder(struct plant *p, node_id folder, struct span name);
/* The folder at a path below a folder, and those that lead to it, made if need be. */
node_id plant_folders(struct plant *p, node_id folder, struct span path);
/*
 * Adds a file or link at a path below the root, or moves the one that there is, `old`, with its
 * number. NODE_NONE also where another file has the name.
 */
node_id plant_file(struct plant *p, node_id root, struct span path, const struct node *like,
		   node_id old);

#endif
