/* Names: CREATE, MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR, RENAME. */
#include "fs/fuse/ops.h"
#include "fs/fuse/reply.h"
#include "fs/view/change.h"

static struct spot spot(fuse_ino_t folder, const char *name)
{
	return (struct spot){(node_id)folder, span_str(name)};
}

static void create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		   struct fuse_file_info *fi)
{
	struct spot at = spot(parent, name);
	struct error err = {""};

	(void)mode;
	(void)fi;
	reply_error(req, at.folder, change_create(session_of(req)->view, &at, &err), &err);
}

static void mknod_(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	(void)dev;
	create(req, parent, name, mode, NULL);
}

static void mkdir_(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct spot at = spot(parent, name);
	struct error err = {""};

	(void)mode;
	reply_error(req, at.folder, change_mkdir(session_of(req)->view, &at, &err), &err);
}

static void symlink_(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct spot at = spot(parent, name);
	struct error err = {""};

	reply_error(req, at.folder, change_symlink(session_of(req)->view, &at, target, &err), &err);
}

static void link_(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct spot at = spot(parent, name);
	struct error err = {""};

	reply_error(req, at.folder, change_link(session_of(req)->view, &at, (node_id)ino, &err),
		    &err);
}

static void unlink_(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct spot at = spot(parent, name);
	struct error err = {""};

	reply_error(req, at.folder, change_unlink(session_of(req)->view, &at, &err), &err);
}

static void rmdir_(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct spot at = spot(parent, name);
	struct error err = {""};

	reply_error(req, at.folder, change_rmdir(session_of(req)->view, &at, &err), &err);
}

static void rename_(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		    const char *new_name, unsigned flags)
{
	struct spot from = spot(parent, name), to = spot(new_parent, new_name);
	struct error err = {""};

	reply_error(req, from.folder, change_rename(session_of(req)->view, &from, &to, flags, &err),
		    &err);
}

void ops_fill_tree(struct fuse_lowlevel_ops *ops)
{
	ops->create = create;
	ops->mknod = mknod_;
	ops->mkdir = mkdir_;
	ops->symlink = symlink_;
	ops->link = link_;
	ops->unlink = unlink_;
	ops->rmdir = rmdir_;
	ops->rename = rename_;
}
