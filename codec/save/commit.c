#include "codec/save/commit.h"

#include <fcntl.h>
#include <stdio.h>

#include "codec/save/backup.h"
#include "codec/work/edits_state.h"
#include "codec/model/format.h"
#include "codec/save/intent.h"
#include "codec/save/output.h"
#include "codec/save/rebase.h"
#include "codec/save/resume.h"
#include "codec/save/settle.h"
#include "codec/work/region.h"
#include "codec/save/stage.h"
#include "codec/save/steps.h"
#include "codec/work/work.h"

static int make_name(const struct stage *s, const struct stage_name *n)
{
	int rootfd = s->model->place.rootfd;

	if (renameat2(s->workfd, n->staged, rootfd, n->name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* Some file systems know no flags: the name was free a moment ago. */
	if (faccessat(rootfd, n->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(s->workfd, n->staged, rootfd, n->name) < 0 ? -errno : 0;
}

/* Names of the stage that nothing mentions yet, from the work folder to the model. */
static int make_names(struct stage *s, struct error *err)
{
	char folder[4096];

	for (size_t i = 0; i < s->n_names; i++) {
		const char *name = s->names[i].name;
		int r = make_name(s, &s->names[i]);

		if (r == -EEXIST)
			return error_set(err, -ESTALE, "%s: somebody else has just made it", name);
		if (r < 0)
			return error_set(err, r, "%s: %s", name, strerror(-r));
	}
	if (!s->n_names)
		return 0;
	return sync_folder(s->model->place.rootfd,
			   folder_of(s->names[0].name, folder, sizeof(folder)), err);
}

static int set_stage(struct edits *e, struct stage *s, struct error *err)
{
	int r = intent_append_stage(&e->journal, s, err);

	if (r == 0)
		r = edits_sync_journal(e, err);
	if (r == 0)
		r = make_names(s, err);
	/* In the work folder itself the intent's sync does it. */
	return r < 0 || !e->model->workdir ? r : sync_folder(e->stagefd, NULL, err);
}

/* Decides, and carries the steps out; takes all of it back if that fails. */
static int decide(struct edits *e, struct stage *s, struct error *err)
{
	struct model *m = e->model;
	struct steps steps = {
		.rootfd = m->place.rootfd,
		.workfd = e->stagefd,
		.step = s->steps,
		.n = s->n_steps,
		.locked = m->base[m->n_base - 1].name,
		.lockfd = &e->lockfd,
	};
	struct error undo = {""};
	int r = intent_append(&e->journal, s, err);

	if (r < 0)
		return r;
	r = journal_sync(&e->journal, err);
	if (r == 0)
		r = steps_run(&steps, err);
	if (r == 0)
		return 0;
	if (steps_undo(&steps, &undo) == 0 && intent_append_abort(&e->journal, false, &undo) == 0 &&
	    journal_sync(&e->journal, &undo) == 0)
		return r;
	e->halfway = true;
	/* What the journal says last must stay so. */
	model_set_read_only(m, -EROFS, "a save stopped half way: save again, and it goes on");
	return error_set(err, -EROFS,
			 "%s; it could not be taken back (%s): nothing is lost. Saving again goes "
			 "on with it; so does weightctl recover, or the next mount, when this one "
			 "is detached with weightfs -u --lazy",
			 quote(span_str(err->text)), undo.text);
}

/* What a commit has filled into the holes of a region is in the base too. */
static void punch_holes(const struct region *region)
{
	uint64_t n;

	for (uint64_t at = 0; at < region->size; at += n) {
		bool present;

		n = region_run(region, at, region->size - at, &present);
		if (!present)
			data_file_punch(region->data, region->offset + at, n);
	}
}

/* The space that it took in the data file; there may have been too little. */
static void give_back(struct edits *e, uint64_t end)
{
	struct object at = {0};
	struct change c;

	while (ledger_next(e->model, &at, &c))
		punch_holes(c.region);
	data_file_cut(e->data, end);
}

/* A commit that did not come about leaves nothing behind; or the journal says what. */
static void clear_stage(struct edits *e, const struct stage *s)
{
	work_sweep_staged(e->stagefd);
	if (intent_sweep_names(e->model, e->stagefd, s->names, s->n_names))
		(void)intent_append_abort(&e->journal, true, NULL);
}

static int commit_stage(struct edits *e, struct stage *s, struct error *err)
{
	struct model *m = e->model;
	uint64_t end = e->data->end;
	int r;

	work_sweep_staged(e->stagefd);
	r = s->options->backup ? backup_model(m, err) : 0;
	if (r == 0)
		r = m->format->save(m, s, err);
	if (r == 0) /* what was copied and linked meanwhile is what was loaded */
		r = model_check_base(m, err);
	if (r == 0)
		r = set_stage(e, s, err);
	if (r == 0)
		r = decide(e, s, err);
	if (r < 0 && !m->read_only) {
		clear_stage(e, s);
		give_back(e, end);
	}
	return r;
}

/* What is in the model now is no edit any more, whoever else has changed the model since. */
static void take_up(struct model *m, const struct stage *s, struct commit_report *ret)
{
	int r = model_rebase(m, s, &ret->unread);

	m->edits->unsaved = false;
	if (r == 0) {
		m->read_only = NULL;
		settle_after_commit(m);
		return;
	}
	if (!ret->unread.text[0])
		error_set(&ret->unread, r, "%s", strerror(-r));
	m->edits->overtaken = true;
	model_set_read_only(m, -ESTALE,
			    "saved, but the model could not be read again: mount it again");
	(void)edits_remove(m, NULL);
}

static int commit_edits(struct model *m, const struct commit_options *options,
			struct commit_report *ret, struct error *err)
{
	struct stage s;
	int r;

	stage_init(&s, m, m->edits->stagefd);
	s.options = options;
	r = commit_stage(m->edits, &s, err);
	if (r == 0) {
		ret->rewritten = true;
		ret->copied = s.copied;
		take_up(m, &s, ret);
	}
	stage_release(&s);
	return r;
}

/* Saves elsewhere: the edits stay edits of the original. */
static int commit_elsewhere(struct model *m, struct commit_report *ret, struct error *err)
{
	int r;

	if (!ret->tensors || !edits_unsaved(m))
		return 0;
	r = output_write(m, err);
	if (r == 0)
		m->edits->unsaved = false;
	ret->rewritten = r == 0;
	return r;
}

/* Nobody can put them back under their old names. */
static void note_missing(const struct model *m, struct commit_report *ret)
{
	for (uint32_t i = 0; i < m->n_shards; i++)
		if (m->shards[i].live && !m->shards[i].id.ino && !ret->missing++)
			ret->first_missing = i;
}

static int commit_here(struct model *m, const struct commit_options *options,
		       struct commit_report *ret, struct error *err)
{
	int r;

	if (!ret->tensors && !(options->always && m->n_tensors)) {
		settle_tidy(m);
		return 0;
	}
	r = model_check_base(m, err);
	if (r == 0)
		r = edits_begin(m, err);
	if (r == 0)
		r = commit_edits(m, options, ret, err);
	if (r == 0 && !m->edits->overtaken)
		note_missing(m, ret);
	if (r < 0 && !ret->tensors && !m->read_only)
		settle_tidy(m); /* it was made for this alone */
	return r;
}

/* What stopped half way is done now, on disk. */
static void take_up_resumed(struct model *m, struct commit_report *ret)
{
	m->edits->halfway = false;
	ret->rewritten = true;
	take_up(m, NULL, ret);
}

static int commit_resumed(struct model *m, struct commit_report *ret, struct error *err)
{
	struct recovery found;
	int r = resume(m, recover_edits, &found, err);

	if (r < 0)
		return r;
	if (!found.finished) /* it was taken back after all, only not durably at once */
		return error_set(err, -EROFS,
				 "a save was taken back: detach this mount with weightfs -u "
				 "--lazy; the next one has the edits");
	take_up_resumed(m, ret);
	return 0;
}

int commit_discard(struct model *m, struct error *err)
{
	struct commit_report report = {.tensors = 0};
	struct recovery found;
	int r;

	if (!m->edits->halfway)
		return edits_remove(m, err);
	r = resume(m, recover_discard, &found, err);
	if (r == 0 && found.finished) {
		take_up_resumed(m, &report);
		return 1;
	}
	if (r == 0) {
		m->edits->halfway = false;
		m->read_only = NULL;
	}
	return r;
}

int commit_model(struct model *m, const struct commit_options *options, struct commit_report *ret,
		 struct error *err)
{
	struct commit_report report = {.tensors = (unsigned)ledger_count(m)};
	int r = 0;

	if (m->edits && m->edits->overtaken) { /* all is saved, and nothing was edited since */
		*ret = (struct commit_report){.tensors = 0};
		return 0;
	}
	if (m->edits && m->edits->halfway) {
		r = commit_resumed(m, &report, err);
	} else if (m->read_only) {
		r = model_check_editable(m, err);
	} else if (m->output) {
		r = commit_elsewhere(m, &report, err);
	} else {
		m->edits->saving = true;
		r = commit_here(m, options, &report, err);
		m->edits->saving = false;
	}
	if (r == 0)
		*ret = report;
	return r;
}
