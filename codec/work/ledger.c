#include "codec/work/ledger.h"

#include "codec/container/pbwire.h"
#include "codec/model/format.h"
#include "codec/work/edits_state.h"

static struct ledger_slot *find_slot(struct ledger *l, struct object o)
{
	return o.id < l->n_slots[o.type] ? &l->slots[o.type][o.id] : NULL;
}

/* NULL without memory. All objects of the model's get theirs at once. */
static struct ledger_slot *get_slot(struct edits *e, struct object o)
{
	size_t all = o.type == OBJECT_TENSOR ? e->model->n_ids : e->model->n_documents;
	struct ledger *l = &e->ledger;
	struct ledger_slot *grown;

	if (o.id < l->n_slots[o.type])
		return &l->slots[o.type][o.id];
	grown = reallocarray(l->slots[o.type], all, sizeof(*grown));
	if (!grown)
		return NULL;
	memset(grown + l->n_slots[o.type], 0, (all - l->n_slots[o.type]) * sizeof(*grown));
	l->slots[o.type] = grown;
	l->n_slots[o.type] = all;
	return &grown[o.id];
}

static struct change *find_change(struct ledger *l, struct object o)
{
	struct ledger_slot *slot = find_slot(l, o);

	return slot && slot->change ? &l->changes[slot->change - 1] : NULL;
}

/* Room for one change more, of this object. -ENOMEM. */
static int reserve(struct edits *e, struct object o)
{
	struct ledger *l = &e->ledger;
	struct change *grown = vector_grow(l->changes, l->n, &l->capacity, sizeof(*grown));

	if (grown)
		l->changes = grown;
	return grown && get_slot(e, o) ? 0 : -ENOMEM;
}

/* There is room for it. What it replaces is freed, of which the journal is told. */
static void note(struct edits *e, const struct change *c)
{
	struct ledger *l = &e->ledger;
	struct change *old = find_change(l, c->object);

	if (!old) {
		l->changes[l->n++] = *c;
		find_slot(l, c->object)->change = (uint32_t)l->n;
		return;
	}
	edits_drop_region(e, old->region);
	old->region = c->region;
	old->how |= c->how;
}

/* The last one takes its place. */
static void remove_change(struct ledger *l, struct change *c)
{
	struct change *last = &l->changes[l->n - 1];

	find_slot(l, c->object)->change = 0;
	if (c != last) {
		*c = *last;
		find_slot(l, c->object)->change = (uint32_t)(c - l->changes) + 1;
	}
	l->n--;
}

/* ---- objects in the journal ---- */

static int append_object(struct edits *e, struct object o, uint32_t number, struct error *err)
{
	cleanup_buf struct buf key = {0};
	Weightfs__Object body = WEIGHTFS__OBJECT__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	int r = object_key(e->model, o, &key);

	body.id = number;
	body.type = (Weightfs__Object__Type)o.type;
	body.key = pb_data(buf_span(&key));
	record.kind_case = WEIGHTFS__RECORD__KIND_OBJECT;
	record.object = &body;
	return r < 0 ? r : edits_append(e, &record, err);
}

int ledger_bind(struct edits *e, struct object o, uint32_t *ret, struct error *err)
{
	struct ledger_slot *slot = get_slot(e, o);
	int r = 0;

	if (!slot)
		return -ENOMEM;
	if (!slot->number)
		r = append_object(e, o, e->ledger.numbers + 1, err);
	if (r == 0 && !slot->number)
		slot->number = ++e->ledger.numbers;
	if (r == 0)
		*ret = slot->number;
	return r;
}

int ledger_adopt_number(struct edits *e, struct object o, uint32_t number)
{
	struct ledger_slot *slot = get_slot(e, o);

	if (!slot)
		return -ENOMEM;
	slot->number = number;
	if (e->ledger.numbers < number)
		e->ledger.numbers = number;
	return 0;
}

void ledger_unbind(struct edits *e)
{
	for (int type = 0; type < OBJECT_TYPES; type++)
		for (size_t i = 0; i < e->ledger.n_slots[type]; i++)
			e->ledger.slots[type][i].number = 0;
	e->ledger.numbers = 0;
}

void ledger_release(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++)
		region_free(l->changes[i].region);
	for (int type = 0; type < OBJECT_TYPES; type++)
		free(l->slots[type]);
	free(l->changes);
	free(l->lost);
	*l = (struct ledger){0};
}

/* ---- changes come and go ---- */

static int append_accept(struct edits *e, const struct region *region, struct error *err)
{
	Weightfs__Accept body = WEIGHTFS__ACCEPT__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;

	body.id = region->number;
	body.holes = region->present != NULL;
	record.kind_case = WEIGHTFS__RECORD__KIND_ACCEPT;
	record.accept = &body;
	return edits_append(e, &record, err);
}

/* A region that the journal knows is a draft of the object. */
static int append_change(struct edits *e, const struct change *c, struct error *err)
{
	return c->region->number ? append_accept(e, c->region, err)
				 : edits_append_region(e, c->object, c->region, false, err);
}

static int apply_locked(struct edits *e, const struct change *c, struct error *err)
{
	uint64_t size = tensor_size(model_tensor(e->model, c->object.id));
	struct change applied = *c;
	int r = 0;

	if (!c->region)
		r = edits_new_region(e, size, &applied.region, err);
	if (r == 0)
		r = reserve(e, c->object);
	if (r == 0)
		r = append_change(e, &applied, err);
	if (r < 0) {
		if (!c->region)
			region_free(applied.region);
		return r;
	}
	note(e, &applied);
	e->unsaved = true;
	return 0;
}

int ledger_apply(struct model *m, const struct change *c, struct error *err)
{
	int r = m->format->allows(m, c, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&m->edits->lock);
	r = apply_locked(m->edits, c, err);
	pthread_mutex_unlock(&m->edits->lock);
	return r;
}

int ledger_replay(struct model *m, const struct change *c)
{
	int r;

	pthread_mutex_lock(&m->edits->lock);
	r = reserve(m->edits, c->object);
	if (r == 0) {
		/* The journal may only be looked at: nothing is added to it here. */
		struct change *old = find_change(&m->edits->ledger, c->object);

		if (old)
			old->region = region_free(old->region);
		note(m->edits, c);
		m->edits->unsaved = true;
	}
	pthread_mutex_unlock(&m->edits->lock);
	return r;
}

bool ledger_forget(struct model *m, struct object o)
{
	struct edits *e = m->edits;
	struct change *c;

	pthread_mutex_lock(&e->lock);
	c = find_change(&e->ledger, o);
	if (c) {
		edits_drop_region(e, c->region);
		remove_change(&e->ledger, c);
	}
	pthread_mutex_unlock(&e->lock);
	return c != NULL;
}

void ledger_clear(struct model *m)
{
	struct ledger *l = &m->edits->ledger;

	pthread_mutex_lock(&m->edits->lock);
	while (l->n) {
		region_free(l->changes[l->n - 1].region);
		remove_change(l, &l->changes[l->n - 1]);
	}
	pthread_mutex_unlock(&m->edits->lock);
}

/* ---- what is pending ---- */

bool ledger_find(struct model *m, struct object o, struct change *ret)
{
	const struct change *c;

	if (!m->edits)
		return false;
	pthread_mutex_lock(&m->edits->lock);
	c = find_change(&m->edits->ledger, o);
	if (c && ret)
		*ret = *c;
	pthread_mutex_unlock(&m->edits->lock);
	return c != NULL;
}

struct region *ledger_region(struct model *m, tensor_id id)
{
	struct change c = {.region = NULL};

	ledger_find(m, object_tensor(id), &c);
	return c.region;
}

/* The first object from *at on that has a change. */
static const struct change *seek(struct ledger *l, struct object *at)
{
	for (; at->type < OBJECT_TYPES; at->type++, at->id = 0)
		for (; at->id < l->n_slots[at->type]; at->id++)
			if (l->slots[at->type][at->id].change)
				return find_change(l, *at);
	return NULL;
}

bool ledger_next(struct model *m, struct object *at, struct change *ret)
{
	const struct change *c;

	if (!m->edits)
		return false;
	pthread_mutex_lock(&m->edits->lock);
	c = seek(&m->edits->ledger, at);
	if (c)
		*ret = *c;
	pthread_mutex_unlock(&m->edits->lock);
	at->id++;
	return c != NULL;
}

size_t ledger_count(struct model *m)
{
	size_t n;

	if (!m->edits)
		return 0;
	pthread_mutex_lock(&m->edits->lock);
	n = m->edits->ledger.n;
	pthread_mutex_unlock(&m->edits->lock);
	return n;
}

bool ledger_empty(struct model *m)
{
	bool empty;

	if (!m->edits)
		return true;
	pthread_mutex_lock(&m->edits->lock);
	empty = !m->edits->ledger.n && LIST_EMPTY(&m->edits->scratches);
	pthread_mutex_unlock(&m->edits->lock);
	return empty;
}

/* ---- lost drafts ---- */

int ledger_add_lost(struct edits *e, struct object o)
{
	struct ledger *l = &e->ledger;
	struct object *grown = vector_grow(l->lost, l->n_lost, &l->lost_capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	l->lost = grown;
	grown[l->n_lost++] = o;
	return 0;
}

bool ledger_next_lost(const struct model *m, size_t *i, struct object *ret)
{
	const struct ledger *l = m->edits ? &m->edits->ledger : NULL;

	if (!l || *i >= l->n_lost)
		return false;
	*ret = l->lost[(*i)++];
	return true;
}
