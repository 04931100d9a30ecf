#include "fs/view/status.h"

#include <unistd.h>

#include "codec/content/content.h"
#include "codec/base/json.h"

static void add_member(struct buf *out, const char *key, struct span value)
{
	buf_printf(out, "  \"%s\": ", key);
	json_add_string(out, value);
	buf_add_str(out, ",\n");
}

/* {"path": ..., "KEY": ...}, as an element of an array. */
static void add_pair(struct buf *out, bool first, struct span path, const char *key,
		     struct span value)
{
	buf_add_str(out, first ? "\n    {\"path\": " : ",\n    {\"path\": ");
	json_add_string(out, path);
	buf_printf(out, ", \"%s\": ", key);
	json_add_string(out, value);
	buf_add_u8(out, '}');
}

static void end_array(struct buf *out, bool empty)
{
	buf_add_str(out, empty ? "],\n" : "\n  ],\n");
}

/* Paths of the branch's edited tensors; true if any was added. */
static bool add_pending(const struct view *v, const struct branch *b, bool first, struct buf *out)
{
	struct model *m = b->model;
	const struct tensor *t;
	bool any = false;

	for (size_t i = 0; (t = model_next(m, &i));) {
		node_id node = branch_main_node(b, THING_TENSOR, t->id);
		cleanup_buf struct buf path = {0};

		if (!edits_unsaved(m) || !node || !content_edited(m, t))
			continue;
		view_path(v, node, &path);
		add_pair(out, first && !any, buf_span(&path), "change", span_str("edited"));
		any = true;
	}
	return any;
}

static void add_dropped(struct view *v, struct buf *out)
{
	struct span rest;
	bool first = true;

	pthread_mutex_lock(&v->lock);
	rest = buf_span(&v->dropped);
	buf_add_str(out, "  \"dropped\": [");
	while (rest.n) {
		struct span path = span_str((const char *)rest.p), why;

		rest = span_skip(rest, path.n + 1);
		why = span_str((const char *)rest.p);
		rest = span_skip(rest, why.n + 1);
		add_pair(out, first, path, "why", why);
		first = false;
	}
	pthread_mutex_unlock(&v->lock);
	end_array(out, first);
}

int status_json(const struct view *v, struct buf *out)
{
	cleanup_buf struct buf pending = {0};
	struct view *lockable = (struct view *)(uintptr_t)v;
	struct branch *b;
	bool any = false;

	for (size_t i = 0; (b = view_next_branch(v, &i));)
		any |= add_pending(v, b, !any, &pending);
	buf_add_str(out, "{\n");
	add_member(out, "state", span_str(v->commit_failed ? "failed" : any ? "edited" : "clean"));
	buf_printf(out, "  \"pid\": %d,\n", getpid());
	add_member(out, "model", span_str(v->place->path));
	buf_add_str(out, "  \"pending\": [");
	buf_add(out, buf_span(&pending));
	end_array(out, !any);
	buf_add_str(out, "  \"unplaced\": [],\n");
	add_dropped(lockable, out);
	buf_add_str(out, "  \"last_commit\": ");
	pthread_mutex_lock(&lockable->lock);
	if (v->last_commit.n)
		json_add_string(out, buf_span(&v->last_commit));
	else
		buf_add_str(out, "null");
	pthread_mutex_unlock(&lockable->lock);
	buf_add_str(out, "\n}\n");
	return pending.failed ? -ENOMEM : buf_error(out);
}
