/* Tensors made of records. */
#include "codec/v1/v1.h"

#include "codec/tensor/slices.h"

/* The file being read. Slices are asked for in the order of shards, and of keys in each. */
struct decoder {
	struct model *m;
	struct v1_table table;
	uint32_t shard;
	bool open;
};

static void decoder_close(struct decoder *d)
{
	if (d->open)
		v1_release(&d->table);
	d->open = false;
}

static int decoder_open(struct decoder *d, uint32_t shard, struct error *err)
{
	if (d->open && d->shard == shard)
		return 0;
	decoder_close(d);
	d->open = true;
	d->shard = shard;
	return v1_open(&d->table, &d->m->shards[shard], d->m->place.rootfd, err);
}

/* What v1_find() answered, decoded. */
static int decode_record(const struct v1_table *table, const struct tensor *slice, int found,
			 struct span record, struct buf *out, struct error *err)
{
	uint64_t elements = 0;
	int r;

	if (found < 0)
		return found;
	if (found == 0)
		return error_set(err, -EBADMSG, "%s: has no record of it, but says that it has",
				 table->name);
	(void)shape_elements(&slice->shape, &elements);
	r = v1_values(record, slice->dtype, elements, out, err);
	return r < 0 ? error_prefix(err, r, "%s: block at offset %llu", table->name,
				    (unsigned long long)table->block.offset)
		     : 0;
}

static int decode_slice(struct decoder *d, const struct tensor *slice, struct buf *out,
			struct error *err)
{
	struct span record = {0};
	int r = decoder_open(d, slice->base.shard, err);

	if (r < 0)
		return r;
	r = v1_find(&d->table, slice->key, &record, err);
	return decode_record(&d->table, slice, r, record, out, err);
}

/*
 * Copies the elements of a slice to their places in the whole, a run at a time: the dimensions
 * from d on are contiguous, those before it are counted through.
 */
static void place_slice(const struct tensor *t, const struct slice *s, const uint8_t *from,
			uint8_t *to)
{
	const int64_t *dims = t->shape.dims;
	uint64_t run = dtype_size(t->dtype), runs = 1, step = run;
	uint32_t d = t->shape.rank;

	while (d-- > 0) {
		run *= (uint64_t)s->length[d];
		if (s->length[d] != dims[d])
			break;
		step *= (uint64_t)dims[d];
	}
	/* step: bytes from one index of dimension d to the next. */
	if (d == UINT32_MAX) {
		memcpy(to, from, run);
		return;
	}
	for (uint32_t k = 0; k < d; k++)
		runs *= (uint64_t)s->length[k];
	for (uint64_t i = 0; i < runs; i++, from += run) {
		uint64_t rest = i, stride = step * (uint64_t)dims[d];
		uint64_t at = step * (uint64_t)s->start[d];

		for (uint32_t k = d; k-- > 0; rest /= (uint64_t)s->length[k]) {
			at += stride * ((uint64_t)s->start[k] + rest % (uint64_t)s->length[k]);
			stride *= (uint64_t)dims[k];
		}
		memcpy(to + at, from, run);
	}
}

static int join_slices(struct decoder *d, const struct tensor *t, struct buf *out,
		       struct error *err)
{
	cleanup_buf struct buf part = {0};
	uint8_t *whole = NULL;
	int r = 0;

	for (size_t i = 0; i < t->slices->n && r == 0; i++) {
		const struct slice *s = &t->slices->slice[i];

		buf_reset(&part);
		r = decode_slice(d, &d->m->tensors[s->tensor], &part, err);
		if (r < 0)
			break;
		if (i == 0)
			whole = buf_extend(out, (size_t)tensor_size(t));
		if (!whole)
			return -ENOMEM;
		place_slice(t, s, part.p, whole);
	}
	return r;
}

int v1_decode(struct model *m, const struct tensor *t, struct buf *ret, struct error *err)
{
	struct decoder d = {.m = m};
	int r;

	if (t->damage)
		return error_set(err, -EIO, "%s", t->damage);
	if (!t->slices)
		r = decode_slice(&d, t, ret, err);
	else if (t->slices->n == 1)
		r = decode_slice(&d, &m->tensors[t->slices->slice[0].tensor], ret, err);
	else
		r = join_slices(&d, t, ret, err);
	decoder_close(&d);
	return r == -EBADMSG ? -EIO : r;
}

/* ---- all values, each file read once ---- */

struct walk {
	struct model *m;
	const uint32_t *order, *end; /* slices still to come, by shard and key */
	struct buf bytes;
	decoded_visitor *visit;
	void *context;
};

static void tell(const struct walk *w, const struct tensor *t, int r, const struct error *why)
{
	w->visit(w->context, t, r < 0 ? (struct span){0} : buf_span(&w->bytes), r, why);
}

/* The next slice, if it lies in this file and its key is at most this; or NULL. */
static const struct tensor *next_slice(struct walk *w, uint32_t shard, const struct span *most)
{
	const struct tensor *t = w->order < w->end ? &w->m->tensors[*w->order] : NULL;

	if (!t || t->base.shard != shard || (most && span_compare(t->key, *most) > 0))
		return NULL;
	w->order++;
	return t;
}

/* The block at hand: its slices, and then all that is in it. */
static void walk_block(struct walk *w, uint32_t shard, struct v1_table *table)
{
	const struct tensor *t;
	struct error why;
	int r = 0;

	while ((t = next_slice(w, shard, &table->separator))) {
		struct span record = {0};

		why = (struct error){""};
		buf_reset(&w->bytes);
		r = v1_find_here(table, t->key, &record, &why);
		tell(w, t, decode_record(table, t, r, record, &w->bytes, &why), &why);
	}
	/* What is wrong with the block was told of each slice in it. */
	if (r >= 0 && v1_drain(table, &why) < 0)
		tell(w, NULL, -EIO, &why);
}

static void walk_file(struct walk *w, uint32_t shard)
{
	const struct tensor *t;
	struct v1_table table;
	struct error why = {""};
	int r = v1_open(&table, &w->m->shards[shard], w->m->place.rootfd, &why);

	if (r == 0) {
		while ((r = v1_next_block(&table, &why)) > 0)
			walk_block(w, shard, &table);
		if (r == 0)
			r = v1_check_metaindex(&table, &why);
	}
	if (r < 0)
		tell(w, NULL, r, &why);
	error_set(&why, -EBADMSG, "%s: has no record of it", table.name);
	while ((t = next_slice(w, shard, NULL)))
		tell(w, t, -EIO, &why);
	v1_release(&table);
}

static int compare_shards(const void *a, const void *b, void *tensors)
{
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	const struct tensor *t = tensors;

	if (t[i].base.shard != t[k].base.shard)
		return t[i].base.shard < t[k].base.shard ? -1 : 1;
	return (i > k) - (i < k);
}

int v1_decode_all(struct model *m, decoded_visitor *visit, void *context)
{
	cleanup_free uint32_t *order = calloc(m->n_ids + 1, sizeof(*order));
	struct walk w = {.m = m, .order = order, .visit = visit, .context = context};
	size_t n = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n_ids; i++) {
		struct error why = {""};

		if (m->tensors[i].hidden)
			order[n++] = i;
		else if (m->tensors[i].damage)
			tell(&w, &m->tensors[i], error_set(&why, -EIO, "%s", m->tensors[i].damage),
			     &why);
	}
	qsort_r(order, n, sizeof(*order), compare_shards, m->tensors);
	w.end = order + n;
	for (uint32_t i = 0; i < m->n_shards; i++)
		if (m->shards[i].id.ino)
			walk_file(&w, i);
	buf_release(&w.bytes);
	return 0;
}
