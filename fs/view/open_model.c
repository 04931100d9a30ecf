#include "fs/view/open_model.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "codec/save/output.h"
#include "codec/work/work.h"
#include "codec/open.h"
#include "fs/view/log.h"

/*
 * Renames happen in the folder of the index and in the model's own. A folder that a link leads to
 * is not written to: what is saved takes the link's place.
 */
static bool can_be_written(const struct model *m)
{
	char path[4096];
	const char *index = m->n_base ? m->base[m->n_base - 1].name : "";
	const char *folder = folder_of(index, path, sizeof(path));

	return (place_has_link(&m->place, folder) ||
		faccessat(m->place.rootfd, folder, W_OK, AT_EACCESS) == 0) &&
	       faccessat(m->place.rootfd, ".", W_OK, AT_EACCESS) == 0;
}

static void check_writable(struct model *m)
{
	if (m->read_only || m->output || can_be_written(m))
		return;
	model_set_read_only(m, -EROFS, "the model's folder cannot be written");
}

/* *ret_stale: it was changed since it was loaded, by a daemon that has ended meanwhile. */
static int prepare(struct model *m, const struct open_options *o, struct recovery *found,
		   bool *ret_stale, struct error *err)
{
	int r = o->output ? output_choose(m, o->output, err) : 0;

	if (r == 0 && o->workdir)
		r = model_set_workdir(m, o->workdir);
	if (r < 0)
		return r;
	check_writable(m);
	if (m->read_only)
		return 0;
	if (o->folder && !work_exists(m))
		return edits_open(m, EDITS_LOCK_LATER, err);
	r = edits_open(m, EDITS_LOCK, err);
	*ret_stale = r == -ESTALE;
	return r < 0 ? r : recover_edits(m, found, err);
}

static int load(const char *argument, const struct open_options *o, struct model **ret,
		struct error *err)
{
	return o->folder ? model_open_within(o->folder, argument, ret, err)
			 : model_open(argument, ret, err);
}

/* One of many is shown as it is on disk, and says why it cannot be edited. */
static int load_plain(const char *argument, const struct open_options *o, int why,
		      struct model **ret, struct error *err)
{
	struct error reason = *err;
	int r = load(argument, o, ret, err);

	if (r < 0)
		return r;
	model_set_read_only(*ret, why, "%s", reason.text[0] ? reason.text : strerror(-why));
	return 0;
}

int open_model(const char *argument, const struct open_options *options, struct model **ret,
	       struct recovery *ret_found, struct error *err)
{
	enum { TRIES = 3 };
	struct recovery found = {0};
	cleanup_open_model struct model *m = NULL;
	bool again = true;
	int r = 0;

	for (int i = 0; again && i < TRIES; i++) {
		struct recovery now = {0};

		again = false;
		m = model_close(m);
		r = load(argument, options, &m, err);
		if (r == 0 && !options->read_only)
			r = prepare(m, options, &now, &again, err);
		/* What was decided is done; the model on disk is another one now. */
		again |= r == 0 && now.finished;
		if (!found.finished)
			found = now;
	}
	if (r < 0 && r != -ENOMEM && m && options->folder) {
		m = model_close(m);
		r = load_plain(argument, options, r, &m, err);
	}
	if (r < 0)
		return r;
	m->verify = options->verify;
	*ret = steal_pointer(m);
	*ret_found = found;
	return 0;
}

static void add_recovery(struct buf *out, const struct recovery *found)
{
	if (found->finished)
		buf_add_str(out, "finished saving what an earlier mount had begun to save\n");
	if (found->tensors)
		buf_printf(out, "edits of an earlier mount are pending: %u tensor%s\n",
			   found->tensors, found->tensors == 1 ? "" : "s");
	if (found->dropped)
		buf_printf(out, "%u unfinished draft%s of an earlier mount dropped\n",
			   found->dropped, found->dropped == 1 ? " was" : "s were");
	if (found->lost)
		buf_add_str(out, "edits that were not synced before the machine went down are "
				 "lost\n");
}

void open_model_report(const struct model *m, const char *name, const struct recovery *found)
{
	cleanup_buf struct buf lines = {0};

	buf_add(&lines, buf_span(&m->notes));
	buf_add(&lines, buf_span(&m->remarks));
	add_recovery(&lines, found);
	if (m->read_only)
		buf_printf(&lines, "read-only: %s\n", m->read_only->why);
	if (!m->edits && m->work && edits_exist(m))
		buf_printf(&lines,
			   "edits are pending in %s; what is shown is the model as it is on disk\n",
			   m->work_path);
	buf_add_u8(&lines, 0);
	if (lines.failed)
		return;
	for (char *line, *rest = (char *)lines.p; (line = strsep(&rest, "\n"));)
		if (*line)
			log_line("%s%s%s", name ? quote(span_str(name)) : "", name ? ": " : "",
				 line);
}
