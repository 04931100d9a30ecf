/*
 * Records written in another boot count only up to the last `synced` among them, or up to an
 * intent that was not taken back: after a power cut a record may be there whose bytes are not.
 */
#include "codec/save/replay.h"

#include "codec/content/content.h"
#include "codec/container/pbwire.h"
#include "codec/work/work.h"

static int damaged(struct replay *p, const char *what)
{
	return error_set(p->err, -EBADMSG, "journal: %s", what);
}

static struct slot *slot_of(struct replay *p, uint32_t id)
{
	return id < p->n_slots && p->slots[id].region ? &p->slots[id] : NULL;
}

static void take_begin(struct replay *p, const Weightfs__Begin *b)
{
	const struct model *m = p->edits->model;

	p->foreign = b->n_files != m->n_base;
	for (size_t i = 0; i < b->n_files && !p->foreign; i++) {
		const Weightfs__Begin__File *f = b->files[i];

		p->foreign = !f->content || !span_is(pb_span(f->name), m->base[i].name) ||
			     f->content->size != m->base[i].id.size ||
			     f->content->crc32c != m->base[i].crc;
	}
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

/* Strings have as many bytes as the region is long, all of them written before it is accepted. */
static bool fits(const struct model *m, struct object o, const Weightfs__Region *body)
{
	const struct tensor *t = model_tensor(m, o.id);

	return content_editable(m, t, NULL) == 0 &&
	       (tensor_is_raw(t) ? body->size == tensor_size(t) : body->draft);
}

/*
 * Edits for another state of the model are not used. Those of a decided commit are in what it has
 * staged; while it is tidied up after, data files go before the journal does.
 */
static bool is_unused(const struct replay *p)
{
	return p->foreign || p->decided;
}

static bool is_next(const struct replay *p, uint32_t id)
{
	return id == (p->n_slots ? p->n_slots : 1);
}

static int take_object(struct replay *p, const Weightfs__Object *body)
{
	struct object *grown, object;

	if (is_unused(p))
		return 0;
	if (body->id != p->n_objects + 1)
		return damaged(p, "objects out of order");
	if (!object_find(p->edits->model, (enum object_type)body->type, pb_span(body->key),
			 &object))
		return damaged(p, "an object that this model does not have");
	grown = vector_grow(p->objects, p->n_objects, &p->objects_capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->objects = grown;
	grown[p->n_objects++] = object;
	return 0;
}

static bool find_object(const struct replay *p, uint32_t number, struct object *ret)
{
	if (!number || number > p->n_objects)
		return false;
	*ret = p->objects[number - 1];
	return true;
}

static int take_region(struct replay *p, const Weightfs__Region *body)
{
	struct slot slot = {.there = true, .draft = body->draft};
	int r;

	if (is_unused(p))
		return 0;
	if (!find_object(p, body->object, &slot.object) || slot.object.type != OBJECT_TENSOR ||
	    !fits(p->edits->model, slot.object, body))
		return damaged(p, "a region of no tensor of this model");
	if (!is_next(p, body->id))
		return damaged(p, "regions out of order");
	r = open_data(p, body->data);
	if (r < 0)
		return r;
	slot.cut_off = data_file_adopt(p->edits->data, body->offset, body->size) < 0;
	if (slot.cut_off)
		return add_slot(p, body->id, slot);
	slot.region = region_new(body->id, data_file_ref(p->edits->data), body->offset, body->size);
	if (!slot.region)
		return -ENOMEM;
	return add_slot(p, body->id, slot);
}

static int take_draft(struct replay *p, const Weightfs__Draft *body)
{
	struct slot slot = {.there = true, .draft = true};

	if (is_unused(p))
		return 0;
	if (!find_object(p, body->object, &slot.object))
		return damaged(p, "a draft of nothing in this model");
	if (!is_next(p, body->id))
		return damaged(p, "drafts out of order");
	return add_slot(p, body->id, slot);
}

static int take_blocks(struct replay *p, const Weightfs__Blocks *body)
{
	struct slot *s = slot_of(p, body->id);

	if (is_unused(p))
		return 0;
	if (!s || body->first > region_blocks(s->region) ||
	    body->count > region_blocks(s->region) - body->first)
		return damaged(p, "blocks of no region");
	region_set(s->region, body->first, body->count);
	return 0;
}

static int take_accept(struct replay *p, const Weightfs__Accept *body)
{
	struct slot *s = slot_of(p, body->id);

	if (is_unused(p))
		return 0;
	if (!s)
		return damaged(p, "a draft that was not begun");
	if (!body->holes)
		region_set_all(s->region);
	s->draft = false;
	return 0;
}

static void take_drop(struct replay *p, const Weightfs__Drop *body)
{
	if (body->id >= p->n_slots)
		return;
	region_free(p->slots[body->id].region);
	p->slots[body->id] = (struct slot){0};
}

/* What was dropped may be cut off; all else must be there. */
static int check_slots(struct replay *p)
{
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slots[i].cut_off)
			return damaged(p, "a region outside its data file");
	return 0;
}

static void keep_record(struct buf *to, const ProtobufCMessage *body)
{
	buf_reset(to);
	pb_pack(body, to);
}

static int take_record(struct replay *p, const Weightfs__Record *record)
{
	switch (record->kind_case) {
	case WEIGHTFS__RECORD__KIND_OBJECT: return take_object(p, record->object);
	case WEIGHTFS__RECORD__KIND_REGION: return take_region(p, record->region);
	case WEIGHTFS__RECORD__KIND_BLOCKS: return take_blocks(p, record->blocks);
	case WEIGHTFS__RECORD__KIND_ACCEPT: return take_accept(p, record->accept);
	case WEIGHTFS__RECORD__KIND_DRAFT: return take_draft(p, record->draft);
	case WEIGHTFS__RECORD__KIND_DROP: take_drop(p, record->drop); return 0;
	case WEIGHTFS__RECORD__KIND_INTENT:
		keep_record(&p->intent, &record->intent->base);
		return buf_error(&p->intent);
	case WEIGHTFS__RECORD__KIND_ABORT: buf_reset(&p->intent); return 0;
	default: return 0; /* begin, boot, synced, stage: survey() has seen them */
	}
}

/* How far the frames may be believed: the ends of the last records that say so. */
struct belief {
	size_t synced, decided;
};

/*
 * The names of a stage are swept even if its record is not believed: it was synced before they
 * were made, and says which inodes are ours.
 */
static int survey_record(struct replay *p, const Weightfs__Record *record, size_t end,
			 struct belief *ret)
{
	struct boot_id now = boot_id();

	switch (record->kind_case) {
	case WEIGHTFS__RECORD__KIND_BEGIN:
		p->this_boot = span_is(pb_span(record->begin->boot_id), now.text);
		take_begin(p, record->begin);
		return 0;
	case WEIGHTFS__RECORD__KIND_BOOT:
		p->this_boot = span_is(pb_span(record->boot->boot_id), now.text);
		return 0;
	case WEIGHTFS__RECORD__KIND_SYNCED: ret->synced = end; return 0;
	case WEIGHTFS__RECORD__KIND_STAGE:
		pb_pack(&record->stage->base, &p->stage); /* behind names that are there still */
		p->staged = true;
		ret->decided = 0;
		return buf_error(&p->stage);
	case WEIGHTFS__RECORD__KIND_INTENT: ret->decided = end; return 0;
	case WEIGHTFS__RECORD__KIND_ABORT:
		if (record->abort->swept)
			buf_reset(&p->stage);
		ret->decided = 0;
		return 0;
	case WEIGHTFS__RECORD__KIND_OBJECT: return 0; /* what follows may be an edit of it */
	default: p->edited = end; return 0;
	}
}

/* What is to be known before the frames are taken. */
static int survey(struct replay *p, struct span frames)
{
	struct span rest = frames;
	struct belief belief = {0};
	bool first = true;
	int r;

	do {
		struct arena arena = {0};
		Weightfs__Record *record;

		r = journal_next(&rest, &arena, &record, p->err);
		/* Without it nothing says which state of the model the edits are for. */
		if (r > 0 && first && record->kind_case != WEIGHTFS__RECORD__KIND_BEGIN)
			r = damaged(p, "its first record is missing");
		else if (r > 0 && survey_record(p, record, frames.n - rest.n, &belief) < 0)
			r = -ENOMEM;
		first = false;
		arena_release(&arena);
	} while (r > 0);
	p->decided = belief.decided != 0;
	p->believed = frames.n;
	if (!p->this_boot)
		p->believed = belief.decided > belief.synced ? belief.decided : belief.synced;
	return r;
}

static int take_frames(struct replay *p, struct span frames)
{
	int r, taken;

	do {
		struct arena arena = {0};
		Weightfs__Record *record;

		r = journal_next(&frames, &arena, &record, p->err);
		taken = r > 0 ? take_record(p, record) : 0;
		if (taken < 0) /* a data file that is not there is damage, too */
			r = taken == -ENOMEM ? taken : -EBADMSG;
		arena_release(&arena);
	} while (r > 0);
	return r;
}

static int read_frames(struct replay *p, struct span frames)
{
	struct stat st;
	int r = survey(p, frames);

	if (r == 0)
		r = take_frames(p, span_first(frames, p->believed));
	if (r == 0)
		r = check_slots(p);
	if (r == 0 && fstat(p->edits->journal.fd, &st) == 0)
		p->mtime = st.st_mtim;
	return r;
}

int replay_read(struct replay *p, struct edits *e, struct error *err)
{
	cleanup_buf struct buf frames = {0};
	int r;

	*p = (struct replay){.edits = e, .err = err};
	r = journal_open(e->workfd, &e->journal, &frames, err);
	if (r == 0 && !frames.n)
		r = -ENOENT; /* killed before there was any edit */
	return r < 0 ? r : read_frames(p, buf_span(&frames));
}

void replay_release(struct replay *p)
{
	for (size_t i = 0; i < p->n_slots; i++)
		region_free(p->slots[i].region);
	free(p->slots);
	free(p->objects);
	buf_release(&p->stage);
	buf_release(&p->intent);
}
