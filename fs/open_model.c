#include "fs/open_model.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "codec/output.h"

/* Renames happen in the folder of the index and in the model's own. */
static bool can_be_written(const struct model *m)
{
	char folder[4096];
	const char *index = m->n_base ? m->base[m->n_base - 1].name : "";

	return faccessat(m->place.rootfd, folder_of(index, folder, sizeof(folder)), W_OK,
			 AT_EACCESS) == 0 &&
	       faccessat(m->place.rootfd, ".", W_OK, AT_EACCESS) == 0;
}

static void check_writable(struct model *m)
{
	if (m->read_only || m->output || can_be_written(m))
		return;
	m->read_only = -EROFS;
	snprintf(m->why_read_only, sizeof(m->why_read_only),
		 "the model's folder cannot be written");
}

static int prepare(struct model *m, const struct open_options *o, struct recovery *found,
		   struct error *err)
{
	int r = o->output ? output_choose(m, o->output, err) : 0;

	if (r == 0 && o->workdir)
		r = model_set_workdir(m, o->workdir);
	if (r < 0)
		return r;
	check_writable(m);
	if (m->read_only)
		return 0;
	r = edits_init(m, err);
	return r < 0 ? r : edits_recover(m, found, err);
}

int open_model(const char *argument, const struct open_options *options, struct model **ret,
	       struct recovery *ret_found, struct error *err)
{
	struct recovery found = {0}, again;
	cleanup_model struct model *m = NULL;
	int r = model_open(argument, &m, err);

	if (r == 0 && !options->read_only)
		r = prepare(m, options, &found, err);
	if (r == 0 && found.finished) {
		/* What was decided is done; the model on disk is another one now. */
		m = model_free(m);
		r = model_open(argument, &m, err);
		if (r == 0)
			r = prepare(m, options, &again, err);
	}
	if (r < 0)
		return r;
	m->verify = options->verify;
	*ret = steal_pointer(m);
	*ret_found = found;
	return 0;
}
