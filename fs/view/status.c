#include "fs/view/status.h"

#include <unistd.h>

#include "codec/base/json_write.h"
#include "codec/work/edits.h"
#include "codec/work/ledger.h"

/* {"path": ..., "KEY": ...}, as an element of an array. */
static void add_pair(struct json_write *w, struct span path, const char *key, struct span value)
{
	json_write_object(w, NULL);
	json_write_text(w, "path", path);
	json_write_text(w, key, value);
	json_write_close(w);
}

/* The node of what was edited next in the branch; *at is {0} at first. NODE_NONE behind the last.
 */
static node_id next_pending(const struct branch *b, struct object *at)
{
	node_id node = NODE_NONE;
	struct change c;

	while (!node && edits_unsaved(b->model) && ledger_next(b->model, at, &c))
		node = branch_object_node(b, c.object);
	return node;
}

static bool any_pending(const struct view *v)
{
	struct branch *b;

	for (size_t i = 0; (b = view_next_branch(v, &i));) {
		struct object first = {0};

		if (next_pending(b, &first))
			return true;
	}
	return false;
}

static void add_pending(const struct view *v, struct json_write *w)
{
	struct branch *b;
	node_id node;

	json_write_array(w, "pending");
	for (size_t i = 0; (b = view_next_branch(v, &i));) {
		struct object at = {0};

		while ((node = next_pending(b, &at))) {
			cleanup_buf struct buf path = {0};

			view_path(v, node, &path);
			w->failed |= path.failed;
			add_pair(w, buf_span(&path), "change", span_str("edited"));
		}
	}
	json_write_close(w);
}

static void add_dropped(const struct view *v, struct json_write *w)
{
	struct span rest = buf_span(&v->dropped);

	json_write_array(w, "dropped");
	while (rest.n) {
		struct span path = span_str((const char *)rest.p), why;

		rest = span_skip(rest, path.n + 1);
		why = span_str((const char *)rest.p);
		rest = span_skip(rest, why.n + 1);
		add_pair(w, path, "why", why);
	}
	json_write_close(w);
}

int status_json(const struct view *v, struct buf *out)
{
	struct view *lockable = (struct view *)(uintptr_t)v;
	bool edited = any_pending(v);
	struct json_write w;

	json_write_begin(&w);
	json_write_text(&w, "state",
			span_str(v->commit_failed ? "failed"
				 : edited	  ? "edited"
						  : "clean"));
	json_write_number(&w, "pid", (uint64_t)getpid());
	json_write_text(&w, "model", span_str(v->place->path));
	add_pending(v, &w);
	json_write_array(&w, "unplaced");
	json_write_close(&w);
	pthread_mutex_lock(&lockable->lock);
	add_dropped(v, &w);
	if (v->last_commit.n)
		json_write_text(&w, "last_commit", buf_span(&v->last_commit));
	else
		json_write_null(&w, "last_commit");
	pthread_mutex_unlock(&lockable->lock);
	return json_write_end(&w, JSON_BY_LINES, out);
}
