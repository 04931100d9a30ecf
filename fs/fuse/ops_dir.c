/*
 * Folders and names: LOOKUP, FORGET, READDIR, READLINK.
 *
 * Names and attributes are given to the kernel for a day: they change by our own doing only, and
 * then it is told. Not so the names of the checkpoints in a folder of them, which others make and
 * remove: they are given for a moment, and looked for again in each listing. A listing needs no
 * state: its offset is the position of the last child, behind
 * "." and "..", which are ordinary entries at offsets 1 and 2.
 */
#include <limits.h>

#include "fs/fuse/entry.h"
#include "fs/fuse/ops.h"
#include "fs/view/look.h"
#include "fs/view/sizes.h"

static void lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct view *v = session_of(req)->view;
	/* What is not there may come, where others put it. */
	bool fleeting = view_is_shared(v, (node_id)parent);
	struct fuse_entry_param e = {.entry_timeout = fleeting ? 0 : forever};
	node_id id;
	int r = strlen(name) > NAME_MAX ? -ENAMETOOLONG : view_look(v, (node_id)parent);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	id = tree_find(v->tree, (node_id)parent, span_str(name));
	if (id && entry_fill(v, id, &e))
		tree_remember(v->tree, id, 1);
	fuse_reply_entry(req, &e); /* inode 0: the name is not there, and that is kept too */
}

static void forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	tree_forget(session_of(req)->view->tree, (node_id)ino, n);
	fuse_reply_none(req);
}

static void forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < n; i++)
		tree_forget(session_of(req)->view->tree, (node_id)forgets[i].ino,
			    forgets[i].nlookup);
	fuse_reply_none(req);
}

static void opendir_(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct view *v = session_of(req)->view;
	bool fleeting = view_is_shared(v, (node_id)ino);
	struct node n;
	int r = view_look(v, (node_id)ino);

	if (r == 0 && !tree_get(v->tree, (node_id)ino, &n))
		r = -ENOENT;
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	fi->cache_readdir = !fleeting;
	fi->keep_cache = !fleeting;
	fuse_reply_open(req, fi);
}

/* One listing as it fills the kernel's buffer. */
struct listing {
	fuse_req_t req;
	struct view *view;
	node_id folder;
	bool plus;
	char *buffer;
	size_t used, size;
};

enum { DOT = 1, DOT_DOT = 2 };

/* Adds one entry, whose successor is asked for by offset `next`. False: there is no room. */
static bool add_entry(struct listing *l, node_id id, const char *name, off_t next)
{
	struct fuse_entry_param e = {.entry_timeout = forever};
	char *at = l->buffer + l->used;
	size_t left = l->size - l->used, n;
	/* Inode 0: whoever wants to know more than the name asks for it. */
	bool real = next > DOT_DOT && (!l->plus || view_stat_is_quick(l->view, id));

	if (next > DOT_DOT && !real)
		e.attr = (struct stat){.st_ino = id, .st_mode = S_IFREG};
	else if (!entry_fill(l->view, id, &e))
		return true; /* gone meanwhile */
	if (l->plus)
		n = fuse_add_direntry_plus(l->req, at, left, name, &e, next);
	else
		n = fuse_add_direntry(l->req, at, left, name, &e.attr, next);
	if (n > left)
		return false;
	if (l->plus && real)
		tree_remember(l->view->tree, id, 1);
	l->used += n;
	return true;
}

static void fill(struct listing *l, off_t offset)
{
	struct node n = {0};
	node_id id;

	if (!tree_get(l->view->tree, l->folder, &n))
		return;
	if (offset < DOT && !add_entry(l, l->folder, ".", DOT))
		return;
	if (offset < DOT_DOT && !add_entry(l, n.parent, "..", DOT_DOT))
		return;
	n.position = offset > DOT_DOT ? (uint32_t)(offset - DOT_DOT) : 0;
	while ((id = tree_next(l->view->tree, l->folder, n.position, &n)))
		if (!add_entry(l, id, n.name, (off_t)n.position + DOT_DOT))
			return;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
	cleanup_free char *buffer = malloc(size);
	struct listing l = {.req = req,
			    .view = session_of(req)->view,
			    .folder = (node_id)ino,
			    .plus = plus,
			    .buffer = buffer,
			    .size = size};

	if (!buffer) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fill(&l, offset);
	fuse_reply_buf(req, buffer, l.used);
}

static void readdir_(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, offset, false);
}

static void readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
			struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, offset, true);
}

/* The kernel takes less than a page. */
static void readlink_(fuse_req_t req, fuse_ino_t ino)
{
	struct tree *t = session_of(req)->view->tree;
	cleanup_buf struct buf target = {0};
	struct node n;

	if (!tree_get(t, (node_id)ino, &n) || n.type != NODE_LINK) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	tree_link_path(t, (node_id)ino, &target);
	buf_add_u8(&target, 0);
	if (target.failed)
		fuse_reply_err(req, ENOMEM);
	else if (target.n > PATH_MAX)
		fuse_reply_err(req, ENAMETOOLONG);
	else
		fuse_reply_readlink(req, (const char *)target.p);
}

void ops_fill_folders(struct fuse_lowlevel_ops *ops)
{
	ops->lookup = lookup;
	ops->forget = forget;
	ops->forget_multi = forget_multi;
	ops->opendir = opendir_;
	ops->readdir = readdir_;
	ops->readdirplus = readdirplus;
	ops->readlink = readlink_;
}
