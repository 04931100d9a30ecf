#include "fs/view/saving.h"

#include <time.h>

#include "codec/content/content.h"
#include "codec/save/settle.h"
#include "fs/view/failures.h"
#include "fs/view/log.h"
#include "fs/view/opened.h"
#include "fs/view/sizes.h"

/* A file that is put back must have the name by which the new index asks for it. */
static void add_missing(struct buf *line, const struct model *m, const struct commit_report *done)
{
	const struct shard *first = &m->shards[done->first_missing];

	if (done->missing && first->was)
		buf_printf(line, "; the data file %s is missing, and is called %s from now on",
			   first->was, first->name);
	if (done->missing > 1)
		buf_printf(line, " (as are %u more, of which the counts in their names changed)",
			   done->missing - 1);
}

static enum exit_code report(struct buf *line, const struct model *m,
			     const struct commit_report *done)
{
	buf_printf(line, "saved %s: %u tensor%s written", m->output ? m->output : m->place.path,
		   done->tensors, done->tensors == 1 ? "" : "s");
	if (done->copied)
		buf_printf(line, "; %llu bytes were copied, because hard links cannot be made here",
			   (unsigned long long)done->copied);
	add_missing(line, m, done);
	if (!done->unread.text[0])
		return EXIT_FINE;
	buf_printf(line,
		   "; but it cannot be read again: %s. Somebody else may have changed or removed "
		   "it since; mount it again to see what is there",
		   done->unread.text);
	return EXIT_LEFT_OVER;
}

static void add_where_edits_are(struct buf *line, const struct view *v, const struct model *m)
{
	if (edits_exist(m))
		buf_printf(line, "; the edits are kept in %s", m->work_path);
	else if (edits_unsaved(m) && v->over)
		buf_printf(line, "; the edits are lost, because %s is gone", m->work_path);
	else if (edits_unsaved(m))
		buf_printf(line,
			   "; the edits are NOT on disk, because %s is gone: they are only in "
			   "this mount now, so copy them out of it before you unmount it",
			   m->work_path);
}

static enum exit_code report_failure(struct buf *line, const struct view *v, const struct model *m,
				     int r, const struct error *err)
{
	buf_printf(line, "NOT saved: %s: %s", m->place.path, err->text);
	add_where_edits_are(line, v, m);
	if (r == -ESTALE && v->over)
		buf_add_str(line, " (the model was changed by somebody else: put its old files "
				  "back and mount it again, or drop the edits with 'weightctl "
				  "discard')");
	else if (r == -ESTALE)
		buf_printf(line,
			   " (the model was changed by somebody else: copy what you edited "
			   "out of the mount, as 'weightctl status' lists it%s; then 'weightctl "
			   "discard' drops the edits)",
			   v->folder ? ", where what was removed is shown again once its old "
				       "files are back"
				     : "");
	return r == -ESTALE ? EXIT_CHANGED : EXIT_SAVE_FAILED;
}

/* Notes for the status what was said: a line for each model, here behind one another. */
static void note(struct view *v, const struct buf *lines, bool failed)
{
	char stamp[32];
	struct tm tm;
	time_t now = time(NULL);

	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S ", localtime_r(&now, &tm));
	pthread_mutex_lock(&v->lock);
	buf_reset(&v->last_commit);
	buf_add_str(&v->last_commit, stamp);
	for (size_t i = 0; i + 1 < lines->n; i++) {
		if (lines->p[i] == '\n')
			buf_add_u8(&v->last_commit, ';');
		buf_add_u8(&v->last_commit, lines->p[i] == '\n' ? ' ' : lines->p[i]);
	}
	v->commit_failed = failed;
	pthread_mutex_unlock(&v->lock);
}

static enum exit_code save_one(const struct view *v, struct model *m,
			       const struct commit_options *options, struct failures *failures,
			       struct buf *out, int *ret_error)
{
	const char *name = strrchr(m->place.path, '/');
	cleanup_buf struct buf line = {0};
	struct commit_report done = {0};
	struct error err = {""};
	enum exit_code code;
	int r;

	if (!m->edits)
		return EXIT_FINE;
	r = commit_model(m, options, &done, &err);
	if (r == 0 && !done.rewritten)
		return EXIT_FINE;
	if (r < 0 && !err.text[0])
		error_set(&err, r, "%s", strerror(-r));
	code = r == 0 ? report(&line, m, &done) : report_failure(&line, v, m, r, &err);
	if (r < 0 && !*ret_error)
		*ret_error = r;
	log_clean((char *)line.p, line.n);
	log_line("%.*s", (int)line.n, line.p);
	if (r < 0 && !failures_add(failures, err.text, span_str(name ? name + 1 : m->place.path)))
		return code;
	buf_add(out, buf_span(&line));
	buf_add_u8(out, '\n');
	return code;
}

enum exit_code save_all(struct view *v, const struct commit_options *options, struct buf *out,
			int *ret_error)
{
	enum exit_code worst = EXIT_FINE;
	cleanup_buf struct buf lines = {0};
	cleanup_failures struct failures failures = {0};
	struct branch *b;

	*ret_error = 0;
	for (size_t i = 0; (b = view_next_branch(v, &i));) {
		enum exit_code code = save_one(v, b->model, options, &failures, &lines, ret_error);

		worst = exit_worse(worst, code);
	}
	failures_sum_up(&failures, &lines);
	if (lines.n)
		note(v, &lines, *ret_error < 0);
	buf_add(out, buf_span(&lines));
	return worst;
}

/* The nodes that a discard changes. */
struct changed {
	struct view *view;
	const struct branch *branch;
	node_id *nodes;
	size_t n, capacity;
};

static void add_changed(void *context, struct object o)
{
	struct changed *c = context;
	node_id node = branch_object_node(c->branch, o);
	node_id *grown = vector_grow(c->nodes, c->n, &c->capacity, sizeof(*grown));

	view_forget_size(c->view, node);
	opened_reshow(c->view, node);
	if (!grown)
		return;
	c->nodes = grown;
	grown[c->n++] = node;
}

static int discard_one(struct changed *changed, struct error *err)
{
	struct model *m = changed->branch->model;
	int r = commit_discard(m, err);

	if (r > 0)
		log_line("%s: a save had stopped half way, and was finished", m->place.path);
	if (r >= 0)
		settle_dropped(m, add_changed, changed);
	return r;
}

int discard_all(struct view *v, node_id **ret_changed, size_t *ret_n, struct error *err)
{
	struct changed changed = {.view = v};
	struct branch *b;
	int worst = 0;

	for (size_t i = 0; (b = view_next_branch(v, &i));) {
		int r;

		changed.branch = b;
		r = b->model->edits ? discard_one(&changed, worst ? NULL : err) : 0;
		if (r < 0 && !worst)
			worst = r;
	}
	*ret_changed = changed.nodes;
	*ret_n = changed.n;
	pthread_mutex_lock(&v->lock);
	v->commit_failed = worst < 0;
	pthread_mutex_unlock(&v->lock);
	log_line("discarded the edits of %zu tensors%s%s", *ret_n, worst ? "; NOT all: " : "",
		 worst ? err->text : "");
	return worst;
}
