/*
 * The tree that the user sees: folders, files and links by name.
 *
 * A node is known by its number, which is the inode number that the kernel gets; the root is 1.
 * Numbers are not reused within a mount. What a file *is* stands in three small numbers that the
 * tree only carries: a kind (fs/view/kind.h), a branch (one model of the mount, fs/view/branch.h)
 * and an object (which tensor, which document).
 *
 * The object of a link is the number of the node that it leads to. What readlink(2) says of it is
 * made from where the two stand, so it stays right whatever is renamed.
 *
 * Children keep the order in which they were added. Each has a position in its folder that no
 * other child of it ever gets, so a listing can go on behind any position, whatever was added
 * or removed in between.
 *
 * All functions lock the tree by themselves; what they return are copies. Names are valid as long
 * as the tree.
 */
#ifndef FS_VIEW_TREE_H
#define FS_VIEW_TREE_H

#include <stdint.h>

#include "codec/base/buf.h"

typedef uint32_t node_id;

enum { NODE_NONE = 0, NODE_ROOT = 1 };

enum node_type { NODE_FOLDER, NODE_FILE, NODE_LINK };

struct node {
	const char *name;
	node_id parent;
	node_id first, last; /* children of a folder, in order */
	node_id prev, next;  /* in the same folder */
	node_id hash_next;
	uint32_t position; /* in its folder; from 1 on; 0: it was taken out */
	uint32_t object;
	uint32_t known; /* how often the kernel looked it up and has not forgotten it */
	uint16_t branch;
	uint8_t type; /* enum node_type */
	uint8_t kind;
};

struct tree;

/* A tree with an empty root. NULL without memory. */
struct tree *tree_new(void);
struct tree *tree_free(struct tree *t);

/*
 * Adds a node at the end of a folder. The name is copied; it is not there yet. NODE_NONE without
 * memory.
 */
node_id tree_add(struct tree *t, node_id folder, struct span name, const struct node *like);
/* The child of that name, or NODE_NONE. */
node_id tree_find(struct tree *t, node_id folder, struct span name);
/* A copy of the node; false if there is none of that number. */
bool tree_get(struct tree *t, node_id id, struct node *ret);
/*
 * Gives a node another name, which is not there yet; in another folder it goes to the end. -ENOMEM.
 */
int tree_move(struct tree *t, node_id id, node_id folder, struct span name);
void tree_set_object(struct tree *t, node_id id, uint32_t object);
/*
 * Takes a node out of its folder, where its name is free then. It and what is below it stay what
 * they are for those who know their numbers, and keep their paths.
 */
void tree_remove(struct tree *t, node_id id);
/* The child that comes next behind a position (0: the first), or NODE_NONE. */
node_id tree_next(struct tree *t, node_id folder, uint32_t position, struct node *ret);
/* Adds the path below the node `from`, without a slash in front; "" for itself. */
void tree_path(struct tree *t, node_id from, node_id id, struct buf *out);
/*
 * Adds what a link says: the relative path from its folder to the node that it leads to, as
 * "../../variables/w".
 */
void tree_link_path(struct tree *t, node_id link, struct buf *out);

/* The kernel has looked a node up n times more, or forgotten it n times. */
void tree_remember(struct tree *t, node_id id, uint32_t n);
void tree_forget(struct tree *t, node_id id, uint64_t n);

#endif
