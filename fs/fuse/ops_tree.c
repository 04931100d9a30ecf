/*
 * Changes of the tree: CREATE, MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR, RENAME. None is possible
 * yet; each says so in the log and loses nothing.
 */
#include "fs/fuse/ops.h"
#include "fs/fuse/reply.h"

static void refuse(fuse_req_t req, fuse_ino_t parent, const char *what, const char *name)
{
	bool member = session_of(req)->view->members && parent == NODE_ROOT;
	struct error err;

	error_set(&err, -EPERM, "%s '%s': the set of %s cannot be changed yet", what,
		  quote(span_str(name)), member ? "checkpoints" : "tensors and documents");
	reply_error(req, (node_id)parent, -EPERM, &err);
}

static void create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		   struct fuse_file_info *fi)
{
	(void)mode;
	(void)fi;
	refuse(req, parent, "create", name);
}

static void mknod_(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	(void)mode;
	(void)dev;
	refuse(req, parent, "create", name);
}

static void mkdir_(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)mode;
	refuse(req, parent, "create", name);
}

static void symlink_(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	refuse(req, parent, "create", name);
}

static void link_(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	refuse(req, parent, "link", name);
}

static void unlink_(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	refuse(req, parent, "remove", name);
}

static void rename_(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		    const char *new_name, unsigned flags)
{
	(void)new_parent;
	(void)new_name;
	(void)flags;
	refuse(req, parent, "rename", name);
}

void ops_fill_tree(struct fuse_lowlevel_ops *ops)
{
	ops->create = create;
	ops->mknod = mknod_;
	ops->mkdir = mkdir_;
	ops->symlink = symlink_;
	ops->link = link_;
	ops->unlink = unlink_;
	ops->rmdir = unlink_;
	ops->rename = rename_;
}
