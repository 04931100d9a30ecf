/*
 * The view: the tree of a mount, and the models in it. Floor 3 of the house: what the user sees,
 * without FUSE; weightctl uses it as well.
 *
 * A model hangs in the tree as a branch. A mount of one model has one branch, at the root.
 */
#ifndef FS_VIEW_VIEW_H
#define FS_VIEW_VIEW_H

#include <sys/queue.h>
#include <sys/stat.h>

#include "codec/save/recover.h"
#include "codec/work/edits.h"
#include "fs/view/branch.h"
#include "fs/view/kind.h"
#include "fs/view/tree.h"

/* Of a folder, the kind says: the object of a member is the affair of fs/view/folder.h. */
enum folder_kind { FOLDER_PLAIN, FOLDER_MEMBER };

struct view {
	struct tree *tree;
	struct branch *_Atomic *branches; /* BRANCHES_MAX of them; branches come, and none goes */
	_Atomic size_t n_branches;
	const struct root_ops *root; /* fs/view/root.h */
	struct root_folder *folder;  /* of a folder of checkpoints, which alone looks at it */
	const struct place *place;   /* of the model, or of the folder */
	uid_t uid;
	gid_t gid;
	mode_t umask;
	struct timespec mounted;
	struct recovery recovery;
	_Atomic bool
		lost_drafts;	 /* of an earlier mount, and who unmounts has not heard of it yet */
	pthread_mutex_t growing; /* folders that are made when somebody looks */
	pthread_mutex_t lock;	 /* all below */
	size_t changes;		 /* how often a text became another one */
	LIST_HEAD(opened_list, opened) opened[256]; /* files, by node (fs/view/opened.h) */
	struct buf dropped;	/* drafts that were not accepted: path NUL why NUL */
	struct buf last_commit; /* when and how it went; empty: there was none */
	bool commit_failed;	/* the last one */
	_Atomic bool over;	/* unmounted: nobody can look into it any more */
};

/* An empty view. NULL without memory. */
struct view *view_new(void);
struct view *view_free(struct view *v);

/*
 * The branches that are complete, one after the other: *i is 0 at first. NULL behind the last one.
 * Others may add branches meanwhile.
 */
struct branch *view_next_branch(const struct view *v, size_t *i);
/* The branch of a file's node. */
struct branch *view_branch(const struct view *v, const struct node *n);
/* The tensor whose bytes a node shows, or NULL. */
struct tensor *view_tensor(const struct view *v, const struct node *n);
/* The node's path from the root of the mount, added with a NUL behind. */
void view_path(const struct view *v, node_id id, struct buf *out);
/* Puts a file together, as its kind does. -EPERM: it is none. Errors of the kind. */
int view_compose(struct view *v, const struct node *n, struct pieces *out, struct error *err);

/* Another file that shows the same tensor. */
struct twin {
	node_id node;
	bool shifted;  /* the bytes of the tensor lie in both files, ... */
	int64_t shift; /* ... and in this one so much further behind */
};
/* One after the other: *kind is 0 at first. False behind the last one. */
bool view_next_twin(struct view *v, const struct node *n, uint8_t *kind, struct twin *ret);
/* A file has another text, and so another size, now. */
void view_forget_size(struct view *v, node_id id);

/* Notes the drafts of the branch with which an earlier mount died. */
void view_note_lost_drafts(struct view *v, const struct branch *b);
/* Notes a draft that was dropped, for the status and the log. */
void view_note_dropped(struct view *v, node_id id, const char *why);

#endif
