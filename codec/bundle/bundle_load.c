/*
 * The tensor bundle as a model: PREFIX.index is read whole, checked, and taken apart into tensors,
 * and into entries that are the bundle's own. What the entries say about shards is not compared
 * with the shards here: a missing or short one spoils the tensors in it, and only when they are
 * opened.
 */
#include <stdio.h>

#include "codec/base/lfs.h"
#include "codec/bundle/bundle.h"
#include "codec/bundle/bundle_objects.h"
#include "codec/bundle/own.h"
#include "codec/container/sstable.h"
#include "codec/bundle/bundle_format.h"
#include "codec/tensor/slices.h"

static const uint64_t index_max = 1 << 30;   /* bytes of an index file */
static const uint64_t keys_floor = 64 << 20; /* bytes of all keys together: what is always fine, */
enum { KEYS_RATIO = 32 };		     /* and how many times the file's size */

/* An entry of the index, before it is known what it is. */
struct found {
	struct span key;
	struct shape shape;
	struct extent extent;
	const char *damage; /* why it makes no sense; or NULL */
	const struct bundle_entry
		*parts;	       /* of a partitioned variable: what it says of its slices */
	struct slices *slices; /* and where they lie */
	uint32_t dtype;
	uint32_t slice;		   /* which slice of `whole` it is */
	const struct found *whole; /* NULL: of none */
};

struct loader {
	struct model *m;
	struct bundle_own *own;
	struct bundle_header header;
	struct found *found; /* in the order of their keys */
	size_t n, capacity;
	uint64_t keys_left; /* bytes of keys that may still come */
	struct error *err;
};

/* One entry that makes no sense spoils one tensor. */
static void damage(struct loader *l, struct found *f, const struct error *why)
{
	struct span text = arena_copy(&l->m->arena, span_str(why->text));

	f->damage = text.p ? (const char *)text.p : "its entry makes no sense";
}

/* ---- reading ---- */

static int decode(struct loader *l, struct span value, struct found *f)
{
	struct bundle_entry e = {0}, *parts;
	struct error why = {0};
	int r = bundle_decode_entry(value, &l->header, &l->m->arena, &e, &why);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		damage(l, f, &why);
	f->shape = e.shape;
	f->dtype = e.dtype;
	f->extent = e.extent;
	if (!e.slices)
		return 0;
	f->parts = parts = arena_alloc(&l->m->arena, sizeof(e));
	if (!parts)
		return -ENOMEM;
	*parts = e;
	return 0;
}

static int add_found(struct loader *l, struct span key, struct span value)
{
	struct found *grown = vector_grow(l->found, l->n, &l->capacity, sizeof(*grown));
	struct found f = {0};
	int r;

	if (key.n > l->keys_left)
		return error_set(l->err, -EBADMSG, "the keys are too long for a file of this size");
	l->keys_left -= key.n;
	if (!grown)
		return -ENOMEM;
	l->found = grown;
	r = decode(l, value, &f);
	if (r < 0)
		return r;
	f.key = arena_copy(&l->m->arena, key);
	grown[l->n++] = f;
	return f.key.p ? 0 : -ENOMEM;
}

static int read_header(struct loader *l, struct sstable_reader *table)
{
	struct span key, value;
	int r = sstable_next(table, &key, &value, l->err);

	if (r < 0)
		return r;
	if (r == 0 || key.n)
		return error_set(l->err, -EBADMSG, "no bundle: the header entry is missing");
	r = bundle_decode_header(value, &l->header, l->err);
	return r < 0 ? error_prefix(l->err, r, "header entry") : 0;
}

static int read_entries(struct loader *l, struct span file)
{
	struct sstable_reader table;
	struct span key, value;
	int r;

	r = sstable_open(&table, file, l->err);
	if (r == 0)
		r = read_header(l, &table);
	while (r >= 0 && (r = sstable_next(&table, &key, &value, l->err)) > 0)
		r = add_found(l, key, value);
	sstable_release(&table);
	return r;
}

/* ---- slices ---- */

static int compare_key(const void *key, const void *found)
{
	return span_compare(*(const struct span *)key, ((const struct found *)found)->key);
}

/* Finds the entry of slice i of a partitioned variable. */
static int resolve_slice(struct loader *l, const struct found *whole, size_t i, struct slice *ret,
			 struct error *why)
{
	cleanup_buf struct buf name = {0};
	uint32_t rank = whole->shape.rank;
	const int64_t *start = whole->parts->start + i * rank;
	const int64_t *length = whole->parts->length + i * rank;
	struct found *part;
	struct span key;

	slice_key(whole->key, rank, start, length, whole->parts->full + i * rank, &name);
	if (name.failed)
		return -ENOMEM;
	key = buf_span(&name);
	part = bsearch(&key, l->found, l->n, sizeof(*part), compare_key);
	if (!part)
		return error_set(why, -EBADMSG, "slice %zu has no entry", i);
	part->whole = whole;
	part->slice = (uint32_t)i;
	if (part->damage)
		return error_set(why, -EBADMSG, "slice %zu: %s", i, part->damage);
	if (part->dtype != whole->dtype || part->shape.rank != rank || part->parts ||
	    (rank && memcmp(part->shape.dims, length, rank * sizeof(int64_t)) != 0))
		return error_set(why, -EBADMSG, "slice %zu has another dtype or shape", i);
	*ret = (struct slice){start, length, part->extent};
	return 0;
}

static int resolve_slices(struct loader *l, struct found *whole, struct error *why)
{
	const struct bundle_entry *parts = whole->parts;
	struct slices *s = arena_alloc(&l->m->arena, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->n = parts->slices;
	s->slice = arena_alloc(&l->m->arena, s->n * sizeof(*s->slice));
	if (!s->slice)
		return -ENOMEM;
	whole->slices = s;
	if (!dtype_size(whole->dtype))
		r = error_set(why, -EBADMSG, "a partitioned variable of dtype %s",
			      dtype_name(whole->dtype).text);
	if (r == 0)
		r = slices_check(s->n, parts->start, parts->length, &whole->shape, why);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = resolve_slice(l, whole, i, &s->slice[i], why);
	return r;
}

static int resolve_all_slices(struct loader *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct error why = {0};
		int r = l->found[i].parts ? resolve_slices(l, &l->found[i], &why) : 0;

		if (r == -ENOMEM)
			return r;
		if (r < 0)
			damage(l, &l->found[i], &why);
	}
	return 0;
}

/*
 * Slices that their variable does not name, because its entry is damaged, are no variables for
 * that: their keys are of bytes that nobody can read.
 */
static int claim_slices(struct loader *l)
{
	/* Their keys begin with a NUL: they stand first. */
	for (size_t i = 0; i < l->n && l->found[i].key.n && !l->found[i].key.p[0]; i++) {
		struct found *part = &l->found[i];
		cleanup_buf struct buf name = {0};
		const struct found *whole;
		struct span key;

		if (part->whole || !slice_key_name(part->key, &name))
			continue;
		if (name.failed)
			return -ENOMEM;
		key = buf_span(&name);
		whole = bsearch(&key, l->found, l->n, sizeof(*whole), compare_key);
		if (!whole || !whole->damage)
			continue;
		part->whole = whole;
		part->slice = OWN_UNNAMED;
	}
	return 0;
}

/* ---- what the entries are ---- */

static bool is_graph(const struct found *f)
{
	return span_is(f->key, BUNDLE_GRAPH_KEY) && f->dtype == DTYPE_STRING && !f->shape.rank &&
	       !f->parts && !f->damage;
}

/* Of an entry that makes no sense, or that is cut up itself, nothing is to be known. */
static int add_own(struct loader *l, const struct found *f)
{
	struct own_entry e = {
		.key = f->key,
		.whole = f->whole ? f->whole->key : (struct span){0},
		.slice = f->slice,
		.run = {.extent = f->extent, .dtype = f->dtype, .big_endian = l->header.big_endian},
	};

	if (f->damage || f->parts)
		return 0;
	(void)shape_elements(&f->shape, &e.run.elements); /* bundle_decode_entry() checked it */
	return own_add(l->own, &e);
}

static int add_tensor(struct loader *l, const struct found *f)
{
	struct tensor t = {
		.key = f->key,
		.shape = f->shape,
		.dtype = f->dtype,
		.damage = f->damage,
		.storage = {.big_endian = l->header.big_endian, .has_checksum = true},
	};
	tensor_id id;

	if (f->slices && !f->damage) {
		t.storage.type = STORED_SLICES;
		t.storage.slices = f->slices;
	} else if (!f->damage) {
		t.storage.type = STORED_EXTENT;
		t.storage.extent = f->extent;
	}
	return model_add_tensor(l->m, &t, &id);
}

static int add_all(struct loader *l)
{
	int r = 0;

	for (size_t i = 0; i < l->n && r == 0; i++) {
		const struct found *f = &l->found[i];

		r = f->whole || is_graph(f) ? add_own(l, f) : add_tensor(l, f);
		if (!f->damage && !f->parts)
			l->m->shards[f->extent.shard].live += f->extent.size;
	}
	return r;
}

/* ---- the whole ---- */

static int init_shards(struct loader *l, const char *prefix)
{
	struct model *m = l->m;

	m->shards = calloc(l->header.shards, sizeof(*m->shards));
	if (!m->shards && l->header.shards)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->header.shards; i++) {
		cleanup_buf struct buf name = {0};
		int r;

		bundle_shard_name(prefix, i, l->header.shards, &name);
		r = name.failed ? -ENOMEM
				: shard_init(&m->shards[i], m->place.rootfd, (const char *)name.p);
		if (r < 0)
			return r;
		m->n_shards++;
	}
	return 0;
}

static int load_file(struct loader *l, const char *prefix, struct span file)
{
	struct model *m = l->m;
	int r = read_entries(l, file);

	l->own->producer = l->header.producer;
	l->own->big_endian = l->header.big_endian;
	if (r == 0)
		r = resolve_all_slices(l);
	if (r == 0)
		r = claim_slices(l);
	if (r == 0)
		r = init_shards(l, prefix);
	if (r == 0)
		r = add_all(l);
	if (r == 0)
		r = bundle_load_objects(m);
	if (r == 0 && l->header.big_endian)
		model_set_read_only(m, -EROFS, "a bundle of a big-endian machine is read-only");
	return r;
}

int bundle_load(struct model *m, const char *prefix, struct error *err)
{
	cleanup_file struct file file = {0};
	cleanup_buf struct buf name = {0};
	struct loader l = {.m = m, .own = m->own, .err = err};
	int r;

	bundle_index_name(prefix, &name);
	l.own->prefix = strdup(prefix);
	if (name.failed || !l.own->prefix)
		return -ENOMEM;
	r = file_read(m->place.rootfd, (const char *)name.p, index_max, &file, err);
	if (r == 0)
		r = lfs_check(buf_span(&file.bytes), (const char *)name.p, err);
	if (r == 0)
		r = model_add_base(m, (const char *)name.p, &file);
	if (r < 0)
		return r;
	l.keys_left = keys_floor + KEYS_RATIO * file.bytes.n;
	r = load_file(&l, prefix, buf_span(&file.bytes));
	free(l.found);
	return r < 0 ? error_prefix(err, r, "%s", (const char *)name.p) : 0;
}
