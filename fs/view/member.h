/*
 * A member: one checkpoint of a folder of them (folder.h), as the tree shows it or did. It is
 * loaded when somebody first looks into it, and becomes a branch of the view then, for good.
 */
#ifndef FS_VIEW_MEMBER_H
#define FS_VIEW_MEMBER_H

#include "codec/model/place.h"
#include "fs/view/open_model.h"
#include "fs/view/view.h"

struct member; /* as a look at the folder finds it (codec/checkpoints/collection.h) */

/* What all members of a folder share. */
struct siblings {
	struct view *view;
	struct place place; /* the folder */
	struct open_options options;
	pthread_mutex_t loading; /* one at a time, which may take long */
};

struct slot {
	char *name;
	node_id node;
	bool v1;
	/* Under the view's lock: */
	struct file_id id;     /* as it was seen last */
	struct branch *branch; /* NULL: not loaded */
	bool gone;	       /* it is not in the tree any more */
	/* Of who loads: */
	int failed;		  /* why it cannot be loaded ... */
	struct file_id failed_id; /* ... in that state */
	/* Of who looks: */
	bool seen;   /* at the look that is under way */
	bool let_go; /* it is gone, and nothing of it is mapped */
	bool stale;  /* replaced, but there are edits: this was said */
};

/* What was found just now, without a node. NULL without memory. */
struct slot *member_new(const struct member *found);
struct slot *member_free(struct slot *s);

/* Its model, or NULL: it is not loaded. */
struct model *member_model(const struct siblings *all, const struct slot *s);
/*
 * Loads it, if that was not done yet. -EIO: it cannot be, and the log says why. -ENOENT: it is
 * gone. -EMFILE: so many were looked at that there are no numbers left. -ENOMEM.
 */
int member_load(struct siblings *all, struct slot *s);
/*
 * True if the slot still is, or is to stay, what shows the member that was found. One with edits
 * stays though it was replaced, which is logged once: its commit will say that it changed.
 */
bool member_is_same(const struct siblings *all, struct slot *s, const struct member *found);

#endif
