/* Tensors made of records. */
#include "codec/v1/v1.h"

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

static const struct v1_own *own_of(const struct model *m)
{
	return m->own;
}

/* The records of a variable; *ret_n: how many. */
static const struct v1_record *records_of(const struct model *m, tensor_id id, size_t *ret_n)
{
	const struct v1_own *own = own_of(m);

	*ret_n = own->first[id + 1] - own->first[id];
	return own->records + own->first[id];
}

/* What v1_find() answered, decoded. */
static int decode_record(const struct v1_table *table, const struct tensor *t,
			 const struct v1_record *slice, int found, struct span record,
			 struct buf *out, struct error *err)
{
	struct shape shape = {t->shape.rank, slice->length};
	uint64_t elements = 0;
	int r;

	if (found < 0)
		return found;
	if (found == 0)
		return error_set(err, -EBADMSG, "%s: has no record of it, but says that it has",
				 table->name);
	(void)shape_elements(&shape, &elements);
	r = v1_values(record, t->dtype, elements, out, err);
	return r < 0 ? error_prefix(err, r, "%s: block at offset %llu", table->name,
				    (unsigned long long)table->block.offset)
		     : 0;
}

static int decode_slice(struct decoder *d, const struct tensor *t, const struct v1_record *slice,
			struct buf *out, struct error *err)
{
	struct span record = {0};
	int r = decoder_open(d, slice->shard, err);

	if (r < 0)
		return r;
	r = v1_find(&d->table, slice->key, &record, err);
	return decode_record(&d->table, t, slice, r, record, out, err);
}

/*
 * Copies the elements of a slice to their places in the whole, a run at a time: the dimensions
 * from d on are contiguous, those before it are counted through.
 */
static void copy_slice(const struct tensor *t, const struct v1_record *s, const uint8_t *from,
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

static int join_slices(struct decoder *d, const struct tensor *t, const struct v1_record *slices,
		       size_t n, struct buf *out, struct error *err)
{
	cleanup_buf struct buf part = {0};
	uint8_t *whole = NULL;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		buf_reset(&part);
		r = decode_slice(d, t, &slices[i], &part, err);
		if (r < 0)
			break;
		if (i == 0)
			whole = buf_extend(out, (size_t)tensor_size(t));
		if (!whole)
			return -ENOMEM;
		copy_slice(t, &slices[i], part.p, whole);
	}
	return r;
}

int v1_decode(struct model *m, const struct tensor *t, struct buf *ret, struct error *err)
{
	struct decoder d = {.m = m};
	size_t n;
	const struct v1_record *slices = records_of(m, t->id, &n);
	int r;

	if (t->damage)
		return error_set(err, -EIO, "%s", t->damage);
	r = n == 1 ? decode_slice(&d, t, slices, ret, err)
		   : join_slices(&d, t, slices, n, ret, err);
	decoder_close(&d);
	return r == -EBADMSG ? -EIO : r;
}

/* ---- all values, each file read once ---- */

struct walk {
	struct model *m;
	const uint32_t *order, *end; /* records still to come, by shard and key */
	struct buf bytes;
	decoded_visitor *visit;
	void *context;
};

static void tell(const struct walk *w, const struct v1_record *slice, int r,
		 const struct error *why)
{
	const struct tensor *t = slice ? model_tensor(w->m, slice->tensor) : NULL;
	struct error named = *why;
	size_t n;

	if (t)
		(void)records_of(w->m, t->id, &n);
	if (r < 0 && t && n > 1)
		error_prefix(&named, r, "slice %u", slice->slice);
	w->visit(w->context, t, r < 0 ? (struct span){0} : buf_span(&w->bytes), r, &named);
}

/* The next record, if it lies in this file and its key is at most this; or NULL. */
static const struct v1_record *next_record(struct walk *w, uint32_t shard, const struct span *most)
{
	const struct v1_record *s = w->order < w->end ? &own_of(w->m)->records[*w->order] : NULL;

	if (!s || s->shard != shard || (most && span_compare(s->key, *most) > 0))
		return NULL;
	w->order++;
	return s;
}

/* The block at hand: its slices, and then all that is in it. */
static void walk_block(struct walk *w, uint32_t shard, struct v1_table *table)
{
	const struct v1_record *s;
	struct error why;
	int r = 0;

	while ((s = next_record(w, shard, &table->separator))) {
		struct span record = {0};

		why = (struct error){""};
		buf_reset(&w->bytes);
		r = v1_find_here(table, s->key, &record, &why);
		r = decode_record(table, model_tensor(w->m, s->tensor), s, r, record, &w->bytes,
				  &why);
		tell(w, s, r, &why);
	}
	/* What is wrong with the block was told of each slice in it. */
	if (r >= 0 && v1_drain(table, &why) < 0)
		tell(w, NULL, -EIO, &why);
}

static void walk_file(struct walk *w, uint32_t shard)
{
	const struct v1_record *s;
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
	while ((s = next_record(w, shard, NULL)))
		tell(w, s, -EIO, &why);
	v1_release(&table);
}

static int compare_records(const void *a, const void *b, void *records)
{
	const struct v1_record *all = records;
	const struct v1_record *x = &all[*(const uint32_t *)a], *y = &all[*(const uint32_t *)b];

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	return span_compare(x->key, y->key);
}

int v1_decode_all(struct model *m, decoded_visitor *visit, void *context)
{
	size_t n = own_of(m)->n;
	cleanup_free uint32_t *order = calloc(n + 1, sizeof(*order));
	struct walk w = {
		.m = m, .order = order, .end = order + n, .visit = visit, .context = context};

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), compare_records, own_of(m)->records);
	for (uint32_t i = 0; i < m->n_shards; i++)
		if (m->shards[i].id.ino)
			walk_file(&w, i);
	buf_release(&w.bytes);
	return 0;
}
