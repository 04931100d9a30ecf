/*
 * The view: the tree of a mount, and the models in it. Floor 3 of the house: what the user sees,
 * without FUSE; weightctl uses it as well.
 *
 * A model hangs in the tree as a branch. A mount of one model has one branch, at the root.
 */
#ifndef FS_VIEW_H
#define FS_VIEW_H

#include <sys/stat.h>

#include "codec/edits.h"
#include "codec/model.h"
#include "fs/kind.h"
#include "fs/tree.h"

struct branch {
	struct model *model;
	uint16_t number; /* in the view */
	node_id root;
	node_id *tensor_nodes; /* of model->tensors[i]; NODE_NONE: not shown */
	node_id *npy_nodes;    /* likewise, below npy/; all NODE_NONE until somebody looks there */
	char **files;	       /* paths of assets, relative to the model's root */
	size_t n_files, files_capacity;
	uint64_t *sizes; /* of rendered texts, and 1, by node; 0: not known yet. NULL at first */
	size_t n_sizes;
};

struct view {
	struct tree *tree;
	struct branch **branches;
	size_t n_branches;
	uid_t uid;
	gid_t gid;
	mode_t umask;
	struct timespec mounted;
	struct recovery recovery;
	bool lost_drafts;	 /* of an earlier mount, and who unmounts has not heard of it yet */
	pthread_mutex_t growing; /* folders that are made when somebody looks */
	pthread_mutex_t lock;	 /* all below, and the branches' sizes */
	struct text *texts;	 /* that are open (fs/text.h) */
	struct buf dropped;	 /* drafts that were not accepted: path NUL why NUL */
	struct buf last_commit;	 /* when and how it went; empty: there was none */
	bool commit_failed;	 /* the last one */
};

/* An empty view. NULL without memory. */
struct view *view_new(void);
struct view *view_free(struct view *v);
/*
 * Hangs a model at the root; the view owns it from now on, whatever is returned. What cannot be
 * shown is logged. -ENOMEM.
 */
int view_add_model(struct view *v, struct model *model);
/* Adds the folder .weightfs. -ENOMEM. */
int view_add_control(struct view *v);

/* What stat(2) says of a node. False: there is none. */
bool view_stat(struct view *v, node_id id, struct stat *ret);
/*
 * Fills a folder that is made when somebody looks, if that was not done yet. To be called before
 * its names are asked for.
 */
void view_look(struct view *v, node_id folder);
/* The node at a path from the root of the mount, or NODE_NONE. Links are followed. */
node_id view_walk(struct view *v, struct span path);
/*
 * The other file that shows the bytes of a tensor's node, and how much further behind they begin
 * there; NODE_NONE if there is none.
 */
node_id view_twin(struct view *v, node_id id, int64_t *ret_shift);
/* The branch and the kind of a file's node. */
struct branch *view_branch(const struct view *v, const struct node *n);
/* The tensor whose bytes a node shows, or NULL. */
struct tensor *view_tensor(const struct view *v, const struct node *n);
/* The node's path from the root of the mount, added with a NUL behind. */
void view_path(const struct view *v, node_id id, struct buf *out);
/* Renders the text of a node; its kind has a render function. */
int view_render(struct view *v, const struct node *n, struct buf *out, struct error *err);
/* The text of a node has another size now. */
void view_forget_size(struct view *v, node_id id);
/* Gives up all drafts, whoever has them open; each is noted. */
void view_drop_drafts(struct view *v);
/* Notes the drafts with which an earlier mount died. */
void view_note_lost_drafts(struct view *v);
/* Notes a draft that was dropped, for the status and the log. */
void view_note_dropped(struct view *v, node_id id, const char *why);

#endif
