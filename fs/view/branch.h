/*
 * A branch: a model as it hangs in the tree of a view. A mount of one model has one branch, at the
 * root; in a folder of checkpoints each gets one, once somebody has looked into it.
 */
#ifndef FS_VIEW_BRANCH_H
#define FS_VIEW_BRANCH_H

#include "codec/model/model.h"
#include "fs/view/tree.h"

struct view;

/* The numbers of branches have 16 bits. */
enum { BRANCHES_MAX = 65535 };

struct branch {
	struct model *model;
	uint16_t number;    /* in the view */
	_Atomic bool shown; /* all below is there */
	node_id root;
	node_id *tensor_nodes; /* by tensor_id; NODE_NONE: not shown */
	node_id *npy_nodes;    /* likewise, below npy/; all NODE_NONE until somebody looks there */
	char **files;	       /* paths of assets, relative to the model's root */
	size_t n_files, files_capacity;
	uint64_t *sizes; /* of rendered texts, and 1, by node from first on; 0: not known yet. NULL
			  * at first */
	size_t n_sizes;
	node_id first; /* below the root there is none before it */
};

/* Frees it and its model. */
void branch_free(struct branch *b);

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
 * The branches that are complete, one after the other: *i is 0 at first. NULL behind the last one.
 * Others may add branches meanwhile.
 */
struct branch *view_next_branch(const struct view *v, size_t *i);
/* The branch and the kind of a file's node. */
struct branch *view_branch(const struct view *v, const struct node *n);

#endif
