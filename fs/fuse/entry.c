#include "fs/fuse/entry.h"

#include "fs/view/look.h"
#include "fs/view/stat.h"

const double forever = 86400.0;
static const double a_moment = 1.0;

static double attr_timeout(const struct node *n)
{
	if (n->type == NODE_FOLDER && n->kind == FOLDER_MEMBER)
		return a_moment;
	return n->type == NODE_FILE && kinds[n->kind]->live ? 0 : forever;
}

/*
 * Who puts another checkpoint in the place of one may expect to see it soon, and another `latest`
 * at once; but to ask for the folder at each step of each path would cost as much as the step.
 */
static double entry_timeout(const struct view *v, node_id id, const struct node *n)
{
	if (!view_is_fleeting(v, id, n))
		return forever;
	return n->type == NODE_LINK ? 0 : a_moment;
}

bool entry_fill(struct view *v, node_id id, struct fuse_entry_param *ret)
{
	struct node n;

	if (!tree_get(v->tree, id, &n) || !view_stat(v, id, &ret->attr))
		return false;
	ret->ino = id;
	ret->entry_timeout = entry_timeout(v, id, &n);
	ret->attr_timeout = attr_timeout(&n);
	return true;
}
