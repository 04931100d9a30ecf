/* Attributes: GETATTR, SETATTR, extended ones, STATFS. */
#include "fs/fuse/entry.h"
#include "fs/fuse/ops.h"
#include "fs/fuse/park.h"
#include "fs/fuse/reply.h"

#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "fs/view/handle.h"
#include "fs/fuse/files.h"
#include "fs/view/xattrs.h"

static void reply_attr(fuse_req_t req, fuse_ino_t ino)
{
	struct view *v = session_of(req)->view;
	struct fuse_entry_param e;

	if (entry_fill(v, (node_id)ino, &e))
		fuse_reply_attr(req, &e.attr, e.attr_timeout);
	else
		fuse_reply_err(req, ENOENT);
}

static void getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	reply_attr(req, ino);
}

/* The size: the only attribute that is more than a label here. */
static void set_size(struct edit_call *call)
{
	struct session *s = session_of(call->req);
	struct handle *h =
		call->what & FUSE_SET_ATTR_SIZE && call->fi.fh ? open_handle(&call->fi) : NULL;
	struct error err = {""};
	int r = handle_truncate(s->view, (node_id)call->ino, h, (uint64_t)call->attr.st_size, &err);

	if (r < 0)
		reply_error(call->req, (node_id)call->ino, r, &err);
	else
		reply_attr(call->req, call->ino);
}

/*
 * chmod, chgrp, touch and the like succeed and do nothing, so that cp -p, rsync -a and editors are
 * content. So does chown, but for a user who could not give a file away on any other disk.
 */
static void setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int what,
		    struct fuse_file_info *fi)
{
	const struct view *v = session_of(req)->view;
	struct edit_call call = {.run = set_size, .req = req, .ino = ino, .attr = *attr};

	if (what & FUSE_SET_ATTR_UID && attr->st_uid != v->uid && fuse_req_ctx(req)->uid != 0) {
		fuse_reply_err(req, EPERM);
		return;
	}
	if (!(what & FUSE_SET_ATTR_SIZE)) {
		reply_attr(req, ino);
		return;
	}
	call.what = what;
	if (fi)
		call.fi = *fi;
	edit(&call);
}

/* A list or a value: its size only, if size is 0. */
static void reply_xattr(fuse_req_t req, const struct buf *value, size_t size)
{
	if (value->failed)
		fuse_reply_err(req, ENOMEM);
	else if (!size)
		fuse_reply_xattr(req, value->n);
	else if (value->n > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, (const char *)value->p, value->n);
}

static void getxattr_(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	cleanup_buf struct buf value = {0};
	int r = xattr_get(session_of(req)->view, (node_id)ino, name, &value);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		reply_xattr(req, &value, size);
}

static void listxattr_(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	cleanup_buf struct buf names = {0};

	xattr_list(session_of(req)->view, (node_id)ino, &names);
	reply_xattr(req, &names, size);
}

static void setxattr_(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		      size_t size, int flags)
{
	struct error err = {""};
	int r = xattr_set(session_of(req)->view, (node_id)ino, name, span_of(value, size), &err);

	(void)flags;
	reply_error(req, (node_id)ino, r, &err);
}

static void removexattr_(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	cleanup_buf struct buf value = {0};
	int r = xattr_get(session_of(req)->view, (node_id)ino, name, &value);

	fuse_reply_err(req, r < 0 ? -r : EPERM);
}

static void statfs_(fuse_req_t req, fuse_ino_t ino)
{
	const struct view *v = session_of(req)->view;
	struct statvfs st;

	(void)ino;
	if (fstatvfs(v->place->rootfd, &st) < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	st.f_namemax = 255;
	fuse_reply_statfs(req, &st);
}

void ops_fill_attributes(struct fuse_lowlevel_ops *ops)
{
	ops->getattr = getattr;
	ops->setattr = setattr;
	ops->getxattr = getxattr_;
	ops->listxattr = listxattr_;
	ops->setxattr = setxattr_;
	ops->removexattr = removexattr_;
	ops->statfs = statfs_;
}
