/*
 * Open files: OPEN, READ, WRITE, FLUSH, RELEASE, FSYNC, FALLOCATE.
 *
 * What is read goes to the kernel as pieces of mapped files; our own code never touches it. The
 * pages stay with the kernel when a file is closed, and it is told when they are wrong.
 */
#include <fcntl.h>

#include "fs/fuse/committer.h"
#include "fs/fuse/conversation.h"
#include "fs/fuse/files.h"
#include "fs/fuse/notify.h"
#include "fs/fuse/ops.h"
#include "fs/fuse/park.h"
#include "fs/fuse/reply.h"

static bool wants_write(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY;
}

static void reply_open(struct edit_call *call, struct open_file *file)
{
	struct session *s = session_of(call->req);
	struct fuse_file_info *fi = &call->fi;
	bool live = file->talk || file->handle->kind->live;

	fi->fh = (uintptr_t)file;
	fi->direct_io = live;
	fi->keep_cache = !live;
	fi->noflush = !wants_write(fi);
	files_add(s, file);
	/* If the program was interrupted nobody will release what was opened. */
	if (fuse_reply_open(call->req, fi) != 0)
		files_close(s, file);
}

static void do_open(struct edit_call *call)
{
	struct session *s = session_of(call->req);
	struct open_file *file = calloc(1, sizeof(*file));
	struct error err = {""};
	int r = file ? handle_open(s->view, (node_id)call->ino, call->fi.flags,
				   fuse_req_ctx(call->req)->pid, &file->handle, &err)
		     : -ENOMEM;

	if (r < 0) {
		free(file);
		reply_error(call->req, (node_id)call->ino, r, &err);
		return;
	}
	reply_open(call, file);
}

static void open_control(struct edit_call *call)
{
	struct open_file *file = calloc(1, sizeof(*file));

	if (file)
		file->talk = conversation_new();
	if (!file || !file->talk) {
		free(file);
		fuse_reply_err(call->req, ENOMEM);
		return;
	}
	reply_open(call, file);
}

static void open_(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct edit_call call = {.run = do_open, .req = req, .ino = ino, .fi = *fi};
	struct node n;

	if (!tree_get(session_of(req)->view->tree, (node_id)ino, &n))
		fuse_reply_err(req, ENOENT);
	else if (n.type == NODE_FILE && !kinds[n.kind]->compose)
		open_control(&call);
	else if (wants_write(fi))
		edit(&call);
	else
		do_open(&call);
}

static void read_(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		  struct fuse_file_info *fi)
{
	struct session *s = session_of(req);
	struct handle *h = open_handle(fi);
	struct error err = {""};
	struct reading reading;
	int n, r;

	if (!h) {
		conversation_read(open_file(fi)->talk, req, size);
		return;
	}
	n = handle_read(h, (uint64_t)offset, size, &reading, &err);
	if (n < 0) {
		reply_error(req, (node_id)ino, n, &err);
		return;
	}
	r = fuse_reply_iov(req, reading.pieces, n);
	handle_read_end(&reading);
	if (r == -EFAULT) /* the kernel has answered EIO */
		log_cut_short(s->view, (node_id)ino);
}

static void do_write(struct edit_call *call)
{
	struct session *s = session_of(call->req);
	struct handle *h = open_handle(&call->fi);
	struct error err = {""};
	ssize_t n = handle_write(h, call->bytes, call->size, (uint64_t)call->offset, &err);

	if (n >= 0) {
		notify_twins(s, (node_id)call->ino, (uint64_t)call->offset, (uint64_t)n);
		fuse_reply_write(call->req, (size_t)n);
		return;
	}
	/* Of a mapped page that is refused the kernel would go on showing what was stored. */
	if (call->fi.writepage)
		notify_changed(s->notifier, (node_id)call->ino);
	reply_error(call->req, (node_id)call->ino, (int)n, &err);
}

static void write_(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	struct edit_call call = {.run = do_write,
				 .req = req,
				 .ino = ino,
				 .fi = *fi,
				 .bytes = bytes,
				 .size = size,
				 .offset = offset};

	if (open_file(fi)->talk)
		committer_take(session_of(req)->committer, open_file(fi)->talk, req,
			       span_of(bytes, size));
	else
		edit(&call);
}

/* Tells the kernel what is wrong in its pages since a draft was judged. */
static void tell_outcome(const struct edit_call *call, enum edit_outcome outcome)
{
	struct session *s = session_of(call->req);

	if (outcome == EDIT_DROPPED || outcome == EDIT_RESHOWN)
		notify_changed(s->notifier, (node_id)call->ino);
	if (outcome == EDIT_TAKEN || outcome == EDIT_RESHOWN)
		notify_twins(s, (node_id)call->ino, 0, 0);
}

static void do_flush(struct edit_call *call)
{
	struct session *s = session_of(call->req);
	struct error err = {""};
	struct handle *h = open_handle(&call->fi);
	int r = handle_flush(h, fuse_req_ctx(call->req)->pid, &err);

	tell_outcome(call, r < 0 ? EDIT_NONE : (enum edit_outcome)r);
	if (r < 0 && r != -EINVAL) /* a draft that is not acceptable is logged when it goes */
		log_refusal(s->view, (node_id)call->ino, &err);
	notify_reply(s->notifier, call->req, r < 0 ? r : 0);
}

static void flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct edit_call call = {.run = do_flush, .req = req, .ino = ino, .fi = *fi};
	struct handle *h = open_handle(fi);

	if (h && h->for_write)
		edit(&call);
	else
		fuse_reply_err(req, 0);
}

static void do_release(struct edit_call *call)
{
	struct session *s = session_of(call->req);
	struct open_file *file = open_file(&call->fi);

	tell_outcome(call, files_close(s, file));
	fuse_reply_err(call->req, 0);
}

static void release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct edit_call call = {.run = do_release, .req = req, .ino = ino, .fi = *fi};
	struct open_file *file = open_file(fi);

	if (file->talk) {
		files_close(session_of(req), file);
		fuse_reply_err(req, 0);
	} else if (file->handle->for_write) {
		edit(&call);
	} else {
		do_release(&call);
	}
}

static void do_fsync(struct edit_call *call)
{
	struct session *s = session_of(call->req);
	enum edit_outcome outcome = EDIT_NONE;
	struct error err = {""};
	struct branch *b;
	int r = 0;

	/* Of a folder: of everything. */
	if (call->fi.fh)
		r = handle_sync(open_handle(&call->fi), &outcome, &err);
	else
		for (size_t i = 0; r == 0 && (b = view_next_branch(s->view, &i));)
			r = edits_sync(b->model, &err);
	tell_outcome(call, outcome);
	if (r < 0)
		reply_error(call->req, (node_id)call->ino, r, &err);
	else
		notify_reply(s->notifier, call->req, 0);
}

static void fsync_(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct edit_call call = {.run = do_fsync, .req = req, .ino = ino, .fi = *fi};

	(void)datasync;
	if (open_handle(fi))
		edit(&call);
	else
		fuse_reply_err(req, 0);
}

static void fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct edit_call call = {.run = do_fsync, .req = req, .ino = ino};

	(void)datasync;
	(void)fi;
	edit(&call);
}

static void fallocate_(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		       struct fuse_file_info *fi)
{
	struct handle *h = open_handle(fi);

	(void)ino;
	if (!h || !h->for_write)
		fuse_reply_err(req, EPERM);
	else if (mode)
		fuse_reply_err(req, EOPNOTSUPP);
	else
		fuse_reply_err(req, -opened_reserve(h->opened, (uint64_t)offset + (uint64_t)length,
						    NULL));
}

void ops_fill_files(struct fuse_lowlevel_ops *ops)
{
	ops->open = open_;
	ops->read = read_;
	ops->write = write_;
	ops->flush = flush;
	ops->release = release;
	ops->fsync = fsync_;
	ops->fsyncdir = fsyncdir;
	ops->fallocate = fallocate_;
}
