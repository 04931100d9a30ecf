#include "fs/view/change.h"

#include "fs/view/grow.h"
#include "fs/view/root.h"

static int refuse(const struct view *v, const struct spot *at, const char *what, struct error *err)
{
	const char *things = at->folder == NODE_ROOT ? v->root->things : root_of_model.things;

	return error_set(err, -EPERM, "%s '%s': the set of %s cannot be changed yet", what,
			 quote(at->name), things);
}

int change_create(struct view *v, const struct spot *at, struct error *err)
{
	return refuse(v, at, "create", err);
}

int change_mkdir(struct view *v, const struct spot *at, struct error *err)
{
	return refuse(v, at, "create", err);
}

int change_symlink(struct view *v, const struct spot *at, const char *target, struct error *err)
{
	(void)target;
	return refuse(v, at, "create", err);
}

int change_link(struct view *v, const struct spot *at, node_id node, struct error *err)
{
	(void)node;
	return refuse(v, at, "link", err);
}

int change_unlink(struct view *v, const struct spot *at, struct error *err)
{
	return refuse(v, at, "remove", err);
}

int change_rmdir(struct view *v, const struct spot *at, struct error *err)
{
	return refuse(v, at, "remove", err);
}

int change_rename(struct view *v, const struct spot *from, const struct spot *to, unsigned flags,
		  struct error *err)
{
	(void)to;
	(void)flags;
	return refuse(v, from, "rename", err);
}

int change_type(struct view *v, node_id node, const char *attribute, struct span now,
		struct span wanted, struct error *err)
{
	(void)v;
	(void)node;
	(void)wanted;
	return error_set(err, -EPERM, "%s is %.*s and cannot be changed yet", attribute, (int)now.n,
			 now.p);
}

int change_refresh(struct view *v, struct branch *b, enum thing of, uint32_t object)
{
	int r;

	pthread_mutex_lock(&v->growing);
	r = grow_again(v, b, of, object);
	pthread_mutex_unlock(&v->growing);
	return r;
}
