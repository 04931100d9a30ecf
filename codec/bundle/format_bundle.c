/*
 * The tensor bundle as a model: PREFIX.index is read whole, checked, and taken apart into
 * tensors. What the entries say about shards is not compared with the shards here: a missing or
 * short one spoils the tensors in it, and only when they are opened.
 */
#include <stdio.h>

#include "codec/bundle/bundle.h"
#include "codec/bundle/bundle_objects.h"
#include "codec/base/crc32c.h"
#include "codec/base/lfs.h"
#include "codec/model/format.h"
#include "codec/model/place.h"
#include "codec/tensor/slices.h"
#include "codec/container/sstable.h"

static const uint64_t index_max = 1 << 30;   /* bytes of an index file */
static const uint64_t keys_floor = 64 << 20; /* bytes of all keys together: what is always fine, */
enum { KEYS_RATIO = 32 };		     /* and how many times the file's size */

/* What is needed while an index is read. */
struct loader {
	struct model *m;
	struct bundle_header header;
	struct bundle_entry *entries; /* beside m->tensors, until the slices are resolved */
	size_t capacity, entries_capacity;
	uint64_t keys_left; /* bytes of keys that may still come */
	struct error *err;
};

/* One entry that makes no sense spoils one tensor. */
static void damage(struct loader *l, struct tensor *t, const struct error *why)
{
	struct span text = arena_copy(&l->m->arena, span_str(why->text));

	t->damage = text.p ? (const char *)text.p : "its entry makes no sense";
}

static int add_tensor(struct loader *l, struct span key, struct span value)
{
	struct model *m = l->m;
	struct tensor *tensors;
	struct bundle_entry *entries;
	struct bundle_entry e = {0};
	struct error why = {0};
	struct tensor t = {0};
	int r;

	if (key.n > l->keys_left)
		return error_set(l->err, -EBADMSG, "the keys are too long for a file of this size");
	l->keys_left -= key.n;
	tensors = vector_grow(m->tensors, m->n_ids, &l->capacity, sizeof(*tensors));
	if (!tensors)
		return -ENOMEM;
	m->tensors = tensors;
	entries = vector_grow(l->entries, m->n_ids, &l->entries_capacity, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	l->entries = entries;
	r = bundle_decode_entry(value, &l->header, &m->arena, &e, &why);
	if (r == -ENOMEM)
		return r;
	t = (struct tensor){.shape = e.shape, .dtype = e.dtype, .base = e.extent};
	if (r < 0)
		damage(l, &t, &why);
	t.key = arena_copy(&m->arena, key);
	if (!t.key.p)
		return -ENOMEM;
	tensors[m->n_ids] = t;
	entries[m->n_ids++] = e;
	return 0;
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
		r = add_tensor(l, key, value);
	sstable_release(&table);
	return r;
}

/* Finds the entry of slice i of a partitioned variable. */
static int resolve_slice(struct loader *l, struct tensor *t, const struct bundle_entry *e, size_t i,
			 struct slice *ret, struct error *why)
{
	cleanup_buf struct buf key = {0};
	uint32_t rank = t->shape.rank;
	size_t at = i * rank;
	struct tensor *part;

	slice_key(t->key, rank, e->start + at, e->length + at, e->full + at, &key);
	if (key.failed)
		return -ENOMEM;
	part = model_find(l->m, buf_span(&key));
	if (!part)
		return error_set(why, -EBADMSG, "slice %zu has no entry", i);
	part->hidden = true;
	if (part->damage)
		return error_set(why, -EBADMSG, "slice %zu: %s", i, part->damage);
	if (part->dtype != t->dtype || part->shape.rank != rank ||
	    l->entries[part - l->m->tensors].slices ||
	    (rank && memcmp(part->shape.dims, e->length + at, rank * sizeof(int64_t)) != 0))
		return error_set(why, -EBADMSG, "slice %zu has another dtype or shape", i);
	part->is_slice = true;
	part->whole = (uint32_t)(t - l->m->tensors);
	part->part = (uint32_t)i;
	*ret = (struct slice){e->start + at, e->length + at, (uint32_t)(part - l->m->tensors)};
	return 0;
}

static int resolve_slices(struct loader *l, struct tensor *t, const struct bundle_entry *e,
			  struct error *why)
{
	struct slices *s = arena_alloc(&l->m->arena, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->n = e->slices;
	s->slice = arena_alloc(&l->m->arena, s->n * sizeof(*s->slice));
	if (!s->slice)
		return -ENOMEM;
	t->slices = s;
	if (!dtype_size(t->dtype))
		r = error_set(why, -EBADMSG, "a partitioned variable of dtype %s",
			      dtype_name(t->dtype).text);
	if (r == 0)
		r = slices_check(e->slices, e->start, e->length, &t->shape, why);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = resolve_slice(l, t, e, i, &s->slice[i], why);
	return r;
}

static int resolve_all_slices(struct loader *l)
{
	for (size_t i = 0; i < l->m->n_ids; i++) {
		struct tensor *t = &l->m->tensors[i];
		struct error why = {0};
		int r;

		if (!l->entries[i].slices)
			continue;
		r = resolve_slices(l, t, &l->entries[i], &why);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			damage(l, t, &why);
	}
	return 0;
}

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

	m->big_endian = l->header.big_endian;
	m->bundle_producer = l->header.producer;
	if (r == 0)
		r = resolve_all_slices(l);
	if (r == 0)
		r = init_shards(l, prefix);
	if (r == 0)
		r = bundle_load_objects(m);
	if (r < 0)
		return r;
	for (size_t i = 0; i < m->n_ids; i++)
		m->n_tensors += !m->tensors[i].hidden;
	if (m->big_endian) {
		m->read_only = -EROFS;
		snprintf(m->why_read_only, sizeof(m->why_read_only),
			 "a bundle of a big-endian machine is read-only");
	}
	return 0;
}

int bundle_load(struct model *m, const char *prefix, struct error *err)
{
	cleanup_file struct file file = {0};
	cleanup_buf struct buf name = {0};
	struct loader l = {.m = m, .err = err};
	int r;

	bundle_index_name(prefix, &name);
	m->prefix = strdup(prefix);
	if (name.failed || !m->prefix)
		return -ENOMEM;
	r = file_read(m->place.rootfd, (const char *)name.p, index_max, &file, err);
	if (r < 0)
		return r;
	r = lfs_check(buf_span(&file.bytes), (const char *)name.p, err);
	if (r == 0)
		r = model_add_base(m, (const char *)name.p, &file);
	if (r < 0)
		return r;
	l.keys_left = keys_floor + KEYS_RATIO * file.bytes.n;
	r = load_file(&l, prefix, buf_span(&file.bytes));
	free(l.entries);
	return r < 0 ? error_prefix(err, r, "%s", (const char *)name.p) : 0;
}

/* ---- a checkpoint that stands by itself ---- */

/* The prefix in a name of one of the checkpoint's files: how many characters of it. */
static size_t prefix_length(const char *name)
{
	static const char graph[] = ".meta";
	struct span s = span_str(name);
	uint32_t shard, shards;
	size_t n;

	if (span_ends(s, span_str(graph)))
		return s.n - strlen(graph);
	if (bundle_parse_index_name(name, &n) || bundle_parse_shard_name(name, &n, &shard, &shards))
		return n;
	return s.n;
}

bool bundle_has_index(const struct place *place, const char *prefix)
{
	cleanup_buf struct buf name = {0};

	bundle_index_name(prefix, &name);
	return !name.failed && place_has(place, (const char *)name.p);
}

/*
 * How many indexes there are whose names begin with a dot, or with none; *ret_prefix: the prefix
 * of one of them.
 */
static size_t find_indexes(const struct place *place, bool dot, char **ret_prefix)
{
	cleanup_dir DIR *dir = place_list(place);
	struct dirent *entry;
	size_t found = 0, n;

	while (dir && (entry = readdir(dir))) {
		if ((entry->d_name[0] == '.') != dot ||
		    !bundle_parse_index_name(entry->d_name, &n) || !n)
			continue;
		free(*ret_prefix);
		*ret_prefix = strndup(entry->d_name, n);
		found++;
	}
	return found;
}

bool bundle_is_nameless(const struct place *place)
{
	cleanup_free char *prefix = NULL;

	return bundle_has_index(place, "") && find_indexes(place, false, &prefix) == 0;
}

/* What a folder stands for: the only checkpoint in it. */
static char *only_prefix(const struct place *place)
{
	cleanup_free char *shown = NULL, *hidden = NULL;
	size_t n;

	if (bundle_is_nameless(place))
		return strdup("");
	if (place_has(place, "checkpoint"))
		return NULL;
	n = find_indexes(place, false, &shown);
	if (n)
		return n == 1 ? steal_pointer(shown) : NULL;
	return find_indexes(place, true, &hidden) == 1 ? steal_pointer(hidden) : NULL;
}

/* The prefix that the place means, relative to its root; NULL if it is no checkpoint. */
static char *find_prefix(const struct place *place)
{
	cleanup_free char *prefix = strndup(place->name, prefix_length(place->name));

	if (!place->name[0])
		return only_prefix(place);
	/* PREFIX itself may end like one of its files. */
	if (bundle_has_index(place, place->name))
		return strdup(place->name);
	if (prefix && bundle_has_index(place, prefix))
		return steal_pointer(prefix);
	/* The text file `checkpoint` stands for its folder. */
	return strcmp(place->name, "checkpoint") == 0 && bundle_is_nameless(place) ? strdup("")
										   : NULL;
}

static int probe(const struct place *place)
{
	cleanup_free char *prefix = find_prefix(place);

	return prefix ? 50 : 0;
}

static int load(struct model *m, struct error *err)
{
	cleanup_free char *prefix = find_prefix(&m->place);
	int r;

	if (!prefix || asprintf(&m->work, "%s.weightfs", prefix[0] ? prefix : BUNDLE_INDEX) < 0)
		return -ENOMEM;
	r = bundle_load(m, prefix, err);
	m->kind = m->object_based ? "object-based checkpoint" : "name-based checkpoint";
	return r;
}

const struct format format_bundle = {
	.name = "checkpoint",
	.ending = BUNDLE_INDEX,
	.wants = "one PREFIX" BUNDLE_INDEX,
	.probe = probe,
	.load = load,
	.save = bundle_save,
};
