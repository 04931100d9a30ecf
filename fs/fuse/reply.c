#include "fs/fuse/reply.h"

#include "fs/view/log.h"

void log_refusal(const struct view *v, node_id node, const struct error *err)
{
	cleanup_buf struct buf path = {0};

	if (!err->text[0])
		return;
	view_path(v, node, &path);
	log_line("%s: %s", path.n ? quote(buf_span(&path)) : "/", err->text);
}

void log_cut_short(const struct view *v, node_id node)
{
	struct error err = {""};
	struct model *m;
	struct node n;

	if (!tree_get(v->tree, node, &n))
		return;
	m = view_branch(v, &n)->model;
	pthread_rwlock_rdlock(&m->layout);
	if (model_check_base(m, &err) == 0)
		error_set(&err, -EIO, "a file that it lies in was cut short while it was read");
	pthread_rwlock_unlock(&m->layout);
	log_refusal(v, node, &err);
}

void reply_error(fuse_req_t req, node_id node, int code, const struct error *err)
{
	if (code < 0 && err)
		log_refusal(session_of(req)->view, node, err);
	fuse_reply_err(req, -code);
}
