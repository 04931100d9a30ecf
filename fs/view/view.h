/*
 * The view: the tree of a mount, and the models in it. Floor 3 of the house: what the user sees,
 * without FUSE; weightctl uses it as well.
 *
 * A model hangs in the tree as a branch. A mount of one model has one branch, at the root.
 */
#ifndef FS_VIEW_VIEW_H
#define FS_VIEW_VIEW_H

#include <sys/stat.h>

#include "codec/work/edits.h"
#include "codec/model/model.h"
#include "fs/view/kind.h"
#include "fs/view/tree.h"

struct branch {
	struct model *model;
	uint16_t number;    /* in the view */
	_Atomic bool shown; /* all below is there */
	node_id root;
	node_id *tensor_nodes; /* of model->tensors[i]; NODE_NONE: not shown */
	node_id *npy_nodes;    /* likewise, below npy/; all NODE_NONE until somebody looks there */
	char **files;	       /* paths of assets, relative to the model's root */
	size_t n_files, files_capacity;
	uint64_t *sizes; /* of rendered texts, and 1, by node from first on; 0: not known yet. NULL
			  * at first */
	size_t n_sizes;
	node_id first; /* below the root there is none before it */
};

/* Of a folder, the kind says: the object of a member is the affair of fs/view/members.h. */
enum folder_kind { FOLDER_PLAIN, FOLDER_MEMBER };

/* The numbers of branches have 16 bits. */
enum { BRANCHES_MAX = 65535 };

struct view {
	struct tree *tree;
	struct branch *_Atomic *branches; /* BRANCHES_MAX of them; branches come, and none goes */
	_Atomic size_t n_branches;
	struct members *members;   /* of a folder of checkpoints (fs/view/members.h); or NULL */
	const struct place *place; /* of the model, or of the folder */
	uid_t uid;
	gid_t gid;
	mode_t umask;
	struct timespec mounted;
	struct recovery recovery;
	_Atomic bool
		lost_drafts;	 /* of an earlier mount, and who unmounts has not heard of it yet */
	pthread_mutex_t growing; /* folders that are made when somebody looks */
	pthread_mutex_t lock;	 /* all below, and the branches' sizes */
	size_t changes;		 /* how often a text became another one */
	struct text *texts;	 /* that are open (fs/view/text.h) */
	struct buf dropped;	 /* drafts that were not accepted: path NUL why NUL */
	struct buf last_commit;	 /* when and how it went; empty: there was none */
	bool commit_failed;	 /* the last one */
	_Atomic bool over;	 /* unmounted: nobody can look into it any more */
};

/* An empty view. NULL without memory. */
struct view *view_new(void);
struct view *view_free(struct view *v);
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
/* True if the file of a tensor or document can be edited. */
bool view_is_editable(const struct view *v, const struct node *n);
/* False if nothing of it can ever be edited. */
bool view_can_be_edited(const struct view *v);
/* Adds the folder .weightfs. -ENOMEM. */
int view_add_control(struct view *v);

/* What stat(2) says of a node. False: there is none. */
bool view_stat(struct view *v, node_id id, struct stat *ret);
/* False if a document would have to be rendered to say its size, which may take a while. */
bool view_stat_is_quick(struct view *v, node_id id);
/*
 * Fills a folder that is made when somebody looks, if that was not done yet; of a folder of
 * checkpoints, looks again. To be called before its names are asked for. -EIO: a checkpoint that
 * cannot be loaded. -ENOENT: one that is gone.
 */
int view_look(struct view *v, node_id folder);
/* True if somebody else than we may take the node out of its folder, or put another one there. */
bool view_is_fleeting(const struct view *v, node_id id, const struct node *n);
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
/* Notes the drafts of the branch with which an earlier mount died. */
void view_note_lost_drafts(struct view *v, const struct branch *b);
/* Notes a draft that was dropped, for the status and the log. */
void view_note_dropped(struct view *v, node_id id, const char *why);

#endif
