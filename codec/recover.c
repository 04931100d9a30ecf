/*
 * What an earlier mount left behind: its journal is read once to see how far it may be believed,
 * and then replayed.
 *
 * Records written in another boot count only up to the last `synced` (or intent) among them:
 * after a power cut a record may be there whose bytes are not.
 */
#include <fcntl.h>

#include "codec/content.h"
#include "codec/edits_state.h"
#include "codec/intent.h"
#include "codec/pbwire.h"
#include "codec/steps.h"
#include "codec/work.h"

/* A region of the journal. */
struct slot {
	struct tensor *tensor; /* NULL: dropped, or never there */
	struct region *region;
	bool draft;
};

struct replay {
	struct edits *edits;
	struct slot *slots; /* by region id */
	size_t n_slots, capacity;
	struct timespec mtime;
	struct recovery found;
	/* Of the last commit that was begun: */
	struct buf stage, intent; /* the packed records; empty: none, or taken back */
	bool foreign;		  /* the edits were made for another state of the model */
	struct error *err;
};

static int damaged(struct replay *p, const char *what)
{
	return error_set(p->err, -EBADMSG, "journal: %s", what);
}

static struct slot *slot_of(struct replay *p, uint32_t id)
{
	return id < p->n_slots && p->slots[id].region ? &p->slots[id] : NULL;
}

static int replay_begin(struct replay *p, const Weightfs__Begin *b)
{
	const struct model *m = p->edits->model;

	p->foreign = b->n_files != m->n_base;
	for (size_t i = 0; i < b->n_files && !p->foreign; i++) {
		const Weightfs__Begin__File *f = b->files[i];

		p->foreign = !f->content || !span_is(pb_span(f->name), m->base[i].name) ||
			     f->content->size != m->base[i].id.size ||
			     f->content->crc32c != m->base[i].crc;
	}
	return 0;
}

/* The data file of that number; regions of one journal are nearly always in one. */
static int open_data(struct replay *p, uint32_t number)
{
	struct edits *e = p->edits;

	if (e->data && e->data->number == number)
		return 0;
	data_file_unref(e->data);
	e->data = NULL;
	return data_file_open(e->workfd, number, &e->data, p->err);
}

static int add_slot(struct replay *p, uint32_t id, struct slot slot)
{
	while (p->n_slots <= id) {
		struct slot *grown =
			vector_grow(p->slots, p->n_slots, &p->capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		p->slots = grown;
		p->slots[p->n_slots++] = (struct slot){0};
	}
	p->slots[id] = slot;
	return 0;
}

static int replay_region(struct replay *p, const Weightfs__Region *body)
{
	struct tensor *t = model_find(p->edits->model, pb_span(body->key));
	struct slot slot = {.tensor = t, .draft = body->draft};
	int r;

	if (p->foreign)
		return 0; /* a decided commit may follow; if not, nothing is used */
	if (!t || content_editable(p->edits->model, t, NULL) < 0 || body->size != tensor_size(t))
		return damaged(p, "a region of no tensor of this model");
	if (body->id != (p->n_slots ? p->n_slots : 1))
		return damaged(p, "regions out of order");
	r = open_data(p, body->data);
	if (r == 0 && data_file_adopt(p->edits->data, body->offset, body->size) < 0)
		r = damaged(p, "a region outside its data file");
	if (r < 0)
		return r;
	slot.region = region_new(body->id, data_file_ref(p->edits->data), body->offset, body->size);
	if (!slot.region)
		return -ENOMEM;
	return add_slot(p, body->id, slot);
}

static int replay_blocks(struct replay *p, const Weightfs__Blocks *body)
{
	struct slot *s = slot_of(p, body->id);

	if (p->foreign)
		return 0;
	if (!s || body->first > region_blocks(s->region) ||
	    body->count > region_blocks(s->region) - body->first)
		return damaged(p, "blocks of no region");
	region_set(s->region, body->first, body->count);
	return 0;
}

static int replay_accept(struct replay *p, const Weightfs__Accept *body)
{
	struct slot *s = slot_of(p, body->id);

	if (p->foreign)
		return 0;
	if (!s)
		return damaged(p, "a draft that was not begun");
	region_set_all(s->region);
	s->draft = false;
	return 0;
}

static void replay_drop(struct replay *p, const Weightfs__Drop *body)
{
	struct slot *s = slot_of(p, body->id);

	if (s) {
		region_free(s->region);
		*s = (struct slot){0};
	}
}

static void keep_record(struct buf *to, const ProtobufCMessage *body)
{
	buf_reset(to);
	pb_pack(body, to);
}

static int replay_record(struct replay *p, const Weightfs__Record *record)
{
	switch (record->kind_case) {
	case WEIGHTFS__RECORD__KIND_BEGIN: return replay_begin(p, record->begin);
	case WEIGHTFS__RECORD__KIND_REGION: return replay_region(p, record->region);
	case WEIGHTFS__RECORD__KIND_BLOCKS: return replay_blocks(p, record->blocks);
	case WEIGHTFS__RECORD__KIND_ACCEPT: return replay_accept(p, record->accept);
	case WEIGHTFS__RECORD__KIND_DROP: replay_drop(p, record->drop); return 0;
	case WEIGHTFS__RECORD__KIND_STAGE:
		keep_record(&p->stage, &record->stage->base);
		buf_reset(&p->intent);
		return buf_error(&p->stage);
	case WEIGHTFS__RECORD__KIND_INTENT:
		keep_record(&p->intent, &record->intent->base);
		return buf_error(&p->intent);
	case WEIGHTFS__RECORD__KIND_ABORT:
		buf_reset(&p->stage);
		buf_reset(&p->intent);
		return 0;
	default: return 0; /* boot, synced: how_far() has seen them */
	}
}

/* How many bytes of the frames may be believed. */
static int how_far(struct span frames, size_t *ret, struct error *err)
{
	struct boot_id now = boot_id();
	struct span rest = frames;
	bool this_boot = false;
	size_t synced = 0;
	int r;

	do {
		struct arena arena = {0};
		Weightfs__Record *record;

		r = journal_next(&rest, &arena, &record, err);
		if (r > 0 && record->kind_case == WEIGHTFS__RECORD__KIND_BEGIN)
			this_boot = span_is(pb_span(record->begin->boot_id), now.text);
		else if (r > 0 && record->kind_case == WEIGHTFS__RECORD__KIND_BOOT)
			this_boot = span_is(pb_span(record->boot->boot_id), now.text);
		else if (r > 0 && (record->kind_case == WEIGHTFS__RECORD__KIND_SYNCED ||
				   record->kind_case == WEIGHTFS__RECORD__KIND_INTENT))
			synced = frames.n - rest.n;
		arena_release(&arena);
	} while (r > 0);
	*ret = this_boot ? frames.n : synced;
	return r;
}

static int replay_frames(struct replay *p, struct span frames)
{
	int r;

	do {
		struct arena arena = {0};
		Weightfs__Record *record;

		r = journal_next(&frames, &arena, &record, p->err);
		if (r > 0 && replay_record(p, record) < 0)
			r = -EBADMSG;
		arena_release(&arena);
	} while (r > 0);
	return r;
}

/* ---- what follows from it ---- */

/* Carries a decided commit through. */
static int finish(struct replay *p)
{
	struct model *m = p->edits->model;
	struct arena arena = {0};
	struct stage s;
	struct steps steps = {
		.rootfd = m->place.rootfd,
		.workfd = p->edits->workfd,
		.locked = m->base[m->n_base - 1].name,
		.lockfd = &p->edits->lockfd,
	};
	Weightfs__Intent *intent =
		pb_unpack(&weightfs__intent__descriptor, buf_span(&p->intent), &arena, p->err);
	int r;

	stage_init(&s, m, p->edits->workfd);
	r = intent ? intent_read(intent, &s, p->err) : -EBADMSG;
	steps.step = s.steps;
	steps.n = s.n_steps;
	if (r == 0)
		r = steps_run(&steps, p->err);
	p->found.finished = r == 0;
	stage_release(&s);
	arena_release(&arena);
	return r;
}

/* Sweeps up after a commit that was begun and not decided. */
static int sweep(struct replay *p)
{
	struct arena arena = {0};
	Weightfs__Stage *stage =
		pb_unpack(&weightfs__stage__descriptor, buf_span(&p->stage), &arena, p->err);

	if (stage)
		intent_sweep_record(p->edits->model, stage);
	intent_sweep_staged(p->edits->workfd);
	arena_release(&arena);
	return stage ? intent_append_abort(&p->edits->journal, p->err) : -EBADMSG;
}

/* Overlays become pending edits again; nobody is left to complete a draft. */
static int adopt(struct replay *p)
{
	for (size_t i = 0; i < p->n_slots; i++) {
		struct slot *s = &p->slots[i];
		struct region *region = steal_pointer(s->region);

		if (region && s->draft) {
			p->found.dropped++;
			edits_drop(p->edits->model, region);
		} else if (region &&
			   content_adopt(p->edits->model, s->tensor, region, &p->mtime) < 0) {
			return -ENOMEM;
		}
	}
	for (size_t i = 0; i < p->edits->model->n_tensors; i++) {
		const struct content *c = p->edits->model->tensors[i].content;

		p->found.tensors += c && c->overlay;
	}
	return 0;
}

static int settle(struct replay *p)
{
	struct edits *e = p->edits;
	int r;

	if (p->intent.n) {
		r = finish(p);
		if (r == 0)
			edits_remove(e->model);
		return r;
	}
	if (p->foreign)
		return error_set(p->err, -ESTALE,
				 "%s/%s holds edits that were made for another state of the "
				 "model; 'weightctl discard' drops them, -o ro shows the model "
				 "as it is",
				 e->model->place.root, e->model->work);
	e->next_region = p->n_slots ? (uint32_t)p->n_slots : 1;
	r = p->stage.n ? sweep(p) : 0;
	if (r == 0)
		r = adopt(p);
	if (r == 0 && !p->found.tensors)
		edits_remove(e->model);
	return r;
}

/* Records that are not believed are cut off; what follows is of this boot. */
static int cut(struct replay *p, struct span frames, size_t n)
{
	struct boot_id now = boot_id();
	Weightfs__Boot body = WEIGHTFS__BOOT__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	int r = journal_cut(&p->edits->journal, n, p->err);

	if (r < 0 || n == frames.n)
		return r;
	p->found.lost++;
	body.boot_id = pb_data(span_str(now.text));
	record.kind_case = WEIGHTFS__RECORD__KIND_BOOT;
	record.boot = &body;
	return journal_append(&p->edits->journal, &record, p->err);
}

static void note_time(struct replay *p)
{
	struct stat st;

	if (fstat(p->edits->journal.fd, &st) == 0)
		p->mtime = st.st_mtim;
}

static int recover(struct replay *p)
{
	struct edits *e = p->edits;
	cleanup_buf struct buf frames = {0};
	size_t believed = 0;
	int r = journal_open(e->workfd, &e->journal, &frames, p->err);

	if (r == -ENOENT || (r == 0 && !frames.n)) {
		edits_remove(e->model); /* killed before there was any edit */
		return 0;
	}
	if (r == 0) {
		note_time(p);
		r = how_far(buf_span(&frames), &believed, p->err);
	}
	if (r == 0)
		r = replay_frames(p, span_first(buf_span(&frames), believed));
	if (r == 0 && !p->foreign)
		r = cut(p, buf_span(&frames), believed);
	return r < 0 ? r : settle(p);
}

int edits_recover(struct model *m, struct recovery *ret, struct error *err)
{
	struct replay p = {.edits = m->edits, .err = err};
	struct error none;
	int r;

	*ret = (struct recovery){0};
	m->edits->workfd = work_open(m, &none);
	if (m->edits->workfd == -ENOENT) {
		m->edits->workfd = -1;
		return 0;
	}
	if (m->edits->workfd < 0) {
		r = m->edits->workfd;
		m->edits->workfd = -1;
		return error_set(err, r, "%s", none.text);
	}
	r = recover(&p);
	if (r == 0)
		*ret = p.found;
	for (size_t i = 0; i < p.n_slots; i++)
		region_free(p.slots[i].region);
	free(p.slots);
	buf_release(&p.stage);
	buf_release(&p.intent);
	return r;
}
