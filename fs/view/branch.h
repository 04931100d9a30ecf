/*
 * A branch: a model as it hangs in the tree of a view. A mount of one model has one branch, at the
 * root; in a folder of checkpoints each gets one, once somebody has looked into it.
 */
#ifndef FS_VIEW_BRANCH_H
#define FS_VIEW_BRANCH_H

#include "codec/model/object.h"
#include "fs/view/assets.h"
#include "fs/view/kind.h"
#include "fs/view/tree.h"

/* The numbers of branches have 16 bits. */
enum { BRANCHES_MAX = 65535 };

struct branch {
	struct model *model;
	uint16_t number;       /* in the view */
	_Atomic bool complete; /* all of it is in the tree */
	node_id root;
	struct assets assets;
	struct shown *shown; /* private: which nodes show what */
};

/* With nothing in it. NULL without memory. */
struct branch *branch_new(void);
/* Frees it and its model. */
void branch_free(struct branch *b);

/* The node in which a kind shows an object; NODE_NONE: it does not, or nobody has looked yet. */
node_id branch_node(const struct branch *b, uint8_t kind, uint32_t object);
/* The one that is there from the start: of the first kind of that sort that shows the object. */
node_id branch_main_node(const struct branch *b, enum thing of, uint32_t object);
/* The one of what can be edited. */
node_id branch_object_node(const struct branch *b, struct object o);
/* -ENOMEM. */
int branch_set_node(const struct branch *b, uint8_t kind, uint32_t object, node_id node);
/*
 * The size of what a kind composes of an object, as it was kept; false: it was not. Without memory
 * nothing is kept.
 */
bool branch_kept_size(const struct branch *b, uint8_t kind, uint32_t object, uint64_t *ret);
void branch_keep_size(const struct branch *b, uint8_t kind, uint32_t object, uint64_t size);
void branch_forget_size(const struct branch *b, uint8_t kind, uint32_t object);

#endif
