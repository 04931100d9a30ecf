/* What follows from the journal that an earlier mount left behind. */
#include "codec/save/recover.h"

#include <fcntl.h>

#include "codec/save/intent.h"
#include "codec/container/pbwire.h"
#include "codec/save/replay.h"
#include "codec/save/steps.h"
#include "codec/work/work.h"

/* Carries a decided commit through; the work folder goes. */
static int finish(struct replay *p)
{
	struct model *m = p->edits->model;
	struct arena arena = {0};
	struct stage s;
	struct steps steps = {
		.rootfd = m->place.rootfd,
		.workfd = p->edits->stagefd,
		.locked = m->base[m->n_base - 1].name,
		.lockfd = &p->edits->lockfd,
	};
	Weightfs__Intent *intent =
		pb_unpack(&weightfs__intent__descriptor, buf_span(&p->intent), &arena, p->err);
	int r;

	stage_init(&s, m, p->edits->stagefd);
	r = intent ? intent_read(intent, &s, p->err) : -EBADMSG;
	steps.step = s.steps;
	steps.n = s.n_steps;
	/* It may have been killed before the record was durable; what follows from it would be. The
	 * folder, into which files were exchanged, must not be synced before the model's. */
	if (r == 0)
		r = file_sync(p->edits->journal.fd, &p->edits->journal.adrift);
	if (r == 0)
		r = steps_resume(&steps, p->err);
	/* Somebody else has saved to a name that was to be made yet; what we made has others. */
	if (r == -ESTALE && steps_suffice(&steps))
		r = 0;
	stage_release(&s);
	arena_release(&arena);
	return r < 0 ? r : edits_remove(m, p->err);
}

/*
 * Sweeps up after a commit that was begun and not decided: the names that it made, and what it
 * had staged, of which there may be no record yet.
 */
static int sweep(struct replay *p)
{
	struct arena arena = {0};
	Weightfs__Stage *stage;
	int r = 0;

	work_sweep_staged(p->edits->stagefd);
	if (!p->stage.n)
		return 0;
	stage = pb_unpack(&weightfs__stage__descriptor, buf_span(&p->stage), &arena, p->err);
	if (!stage)
		r = -EBADMSG;
	else if (!intent_sweep_record(p->edits->model, p->edits->stagefd, stage))
		r = error_set(p->err, -EIO,
			      "%s: what a save that was not finished left there cannot be removed",
			      p->edits->model->place.root);
	arena_release(&arena);
	return r;
}

/* An edit is pending again. */
static int take_up(struct replay *p, struct slot *s)
{
	const struct change c = {s->object, CHANGE_BYTES, s->region};
	int r;

	s->region->when = p->mtime;
	r = ledger_replay(p->edits->model, &c);
	if (r == 0)
		s->region = NULL;
	return r;
}

/* Nobody is left to complete a draft. */
static int drop_draft(struct replay *p, uint32_t number)
{
	struct edits *e = p->edits;
	struct slot *s = &p->slots[number];
	int r;

	pthread_mutex_lock(&e->lock);
	r = ledger_add_lost(e, s->object);
	edits_append_drop(e, number);
	pthread_mutex_unlock(&e->lock);
	return r;
}

static int adopt(struct replay *p, struct recovery *found)
{
	int r = 0;

	for (size_t i = 0; i < p->n_objects && r == 0; i++)
		r = ledger_adopt_number(p->edits, p->objects[i], (uint32_t)i + 1);
	for (size_t i = 0; i < p->n_slots && r == 0; i++) {
		struct slot *s = &p->slots[i];

		if (!s->there)
			continue;
		found->dropped += s->draft;
		r = s->draft ? drop_draft(p, (uint32_t)i) : take_up(p, s);
	}
	found->tensors = (unsigned)ledger_count(p->edits->model);
	return r;
}

/* Records that are not believed are cut off; what follows is of this boot. */
static int cut(struct replay *p, struct recovery *found)
{
	struct boot_id now = boot_id();
	Weightfs__Boot body = WEIGHTFS__BOOT__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	int r = journal_cut(&p->edits->journal, p->believed, p->err);

	if (r < 0 || p->this_boot)
		return r;
	found->lost = p->edited > p->believed;
	body.boot_id = pb_data(span_str(now.text));
	record.kind_case = WEIGHTFS__RECORD__KIND_BOOT;
	record.boot = &body;
	return journal_append(&p->edits->journal, &record, p->err);
}

static int foreign(const struct replay *p)
{
	const struct model *m = p->edits->model;

	return error_set(p->err, -ESTALE,
			 "%s holds edits that were made for another state of the model; "
			 "'weightctl discard %s' drops them, and -o ro shows the model as it is",
			 m->work_path, m->place.argument);
}

/* What is the matter with the work folder, and the way out. */
static int cannot_use(const struct model *m, int r, struct error *err)
{
	struct error why;

	if (!err || r == -ENOMEM || r == -ESTALE) /* which foreign() has explained */
		return r;
	why = *err;
	error_set(err, r, "%s: %s; ", m->work_path, why.text[0] ? why.text : strerror(-r));
	if (r == -ENOTSUP)
		return error_add(err, r, "-o ro shows the model as it is");
	return error_add(err, r,
			 "'weightctl discard %s' drops the edits that are there, and -o ro shows "
			 "the model as it is",
			 m->place.argument);
}

static int recover(struct replay *p, struct recovery *found)
{
	struct edits *e = p->edits;
	int r;

	if (p->intent.n) {
		r = finish(p);
		found->finished = r == 0;
		return r == -ESTALE ? foreign(p) : r;
	}
	if (p->foreign && !p->believed) { /* nothing was ever synced, and the power was cut */
		found->lost = p->edited > 0;
		return edits_remove(e->model, p->err);
	}
	if (p->foreign && !p->edited && !p->stage.n) /* nor was anything edited */
		return edits_remove(e->model, p->err);
	if (p->foreign)
		return foreign(p);
	e->next_number = p->n_slots ? (uint32_t)p->n_slots : 1;
	r = sweep(p); /* while its record is there */
	if (r == 0)
		r = cut(p, found);
	/* What was cut off may have said that the names of an earlier commit are gone. */
	if (r == 0 && (p->stage.n || (p->staged && !p->this_boot)))
		r = intent_append_abort(&e->journal, true, p->err);
	if (r == 0)
		r = adopt(p, found);
	if (r == 0 && ledger_empty(e->model))
		r = edits_remove(e->model, p->err);
	return r;
}

/* 1 if there is a work folder of ours, which is open then; 0 if there is none. */
static int open_work(struct model *m, struct error *err)
{
	struct error why = {""};
	int fd, r = work_check_place(m, err);

	if (r < 0)
		return r;
	fd = work_open(m, &why);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return error_set(err, fd, "%s", why.text);
	m->edits->workfd = fd;
	fd = work_stage(m, fd, err);
	if (fd < 0)
		return fd;
	m->edits->stagefd = fd;
	return 1;
}

int recover_edits(struct model *m, struct recovery *ret, struct error *err)
{
	struct recovery found = {0};
	struct replay p;
	int r = open_work(m, err);

	*ret = found;
	if (r == 0)
		work_drop_stage(m);
	if (r <= 0)
		return r;
	r = replay_read(&p, m->edits, err);
	if (r == -ENOENT) {
		r = edits_remove(m, err);
	} else if (r == 0) {
		r = recover(&p, &found);
	}
	if (r == 0)
		*ret = found;
	replay_release(&p);
	return r < 0 ? cannot_use(m, r, err) : 0;
}

/* A decided commit is carried through. If that is not possible, what it has made goes. */
static int give_up_commit(struct replay *p, struct recovery *found)
{
	int r = finish(p);

	found->finished = r == 0;
	if (r == 0 || (p->foreign && r != -ESTALE))
		return r;
	return sweep(p);
}

int recover_discard(struct model *m, struct recovery *ret, struct error *err)
{
	struct replay p;
	int r = open_work(m, err);

	*ret = (struct recovery){0};
	if (r == 0)
		work_drop_stage(m);
	if (r <= 0)
		return r;
	r = replay_read(&p, m->edits, err);
	if (r == 0 && p.intent.n)
		r = give_up_commit(&p, ret);
	else if (r == 0)
		r = sweep(&p);
	replay_release(&p);
	if (ret->finished)
		return 0;
	if (r < 0 && r != -EBADMSG && r != -ENOENT) /* -ENOTSUP: a newer version knows its stage */
		return error_prefix(err, r, "%s", m->work_path);
	return edits_remove(m, err);
}

int recover_inspect(struct model *m, struct summary *ret, struct error *err)
{
	struct summary found = {0};
	struct replay p;
	int r = open_work(m, err);

	*ret = found;
	if (r <= 0)
		return r;
	r = replay_read(&p, m->edits, err);
	found.decided = r == 0 && p.intent.n;
	found.foreign = r == 0 && p.foreign && !found.decided;
	for (size_t i = 0; r == 0 && i < p.n_slots; i++) {
		found.drafts += p.slots[i].there && p.slots[i].draft;
		if (p.slots[i].there && !p.slots[i].draft)
			r = take_up(&p, &p.slots[i]);
	}
	replay_release(&p);
	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		*ret = found;
	return r < 0 ? cannot_use(m, r, err) : 0;
}
