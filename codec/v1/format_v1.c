/*
 * V1 checkpoints as a model: one file, or the shards PREFIX-SSSSS-of-NNNNN. They are read-only.
 *
 * Each file says first which slices of which tensors it has; that alone is read here. The slices
 * of one name, over all files, make a variable; of each it is noted (struct v1_record) which file
 * has it, under which key.
 * Values are no range of bytes: they stand in messages, numbers as varints, maybe compressed. So
 * a tensor is decoded, when somebody opens it, and its records are looked for only then.
 *
 * A file that is missing or damaged costs the slices in it: it is noted, and a variable that
 * lacks one of them is damaged.
 */
#include <stdio.h>

#include "codec/base/json_write.h"
#include "codec/container/pbwire.h"
#include "codec/tensor/slices.h"
#include "codec/v1/v1.h"
#include "saved_tensor_slice.pb-c.h"

static const uint64_t keys_floor = 64 << 20; /* bytes of all keys together: what is always fine, */
enum { KEYS_RATIO = 32 };		     /* and how many times the files' sizes */
enum { SNAPPY_RATIO = 22 };		     /* what a compressed byte yields at most */

/* Fields that are walked (saved_tensor_slice.proto). */
enum { SLICES_META = 1, META_TENSOR = 1, META_VERSIONS = 2 };

static int probe(const struct place *place)
{
	struct v1_files f;
	bool mine = v1_find_files(place, &f) && v1_any_table(place, &f);

	v1_files_release(&f);
	return mine ? 30 : 0;
}

/* ---- what the files say is in them ---- */

/* A slice, as one of the files says that it has it. */
struct part {
	struct span name, key; /* of the variable; of the record */
	struct shape shape;    /* of the variable */
	const int64_t *start, *length;
	uint32_t dtype, shard;
	const char *damage; /* this makes no sense, and there is no key; or NULL */
};

struct loader {
	struct model *m;
	struct v1_own *own;
	struct part *parts;
	size_t n_parts, parts_capacity;
	uint32_t shard;	    /* being read */
	uint64_t bytes;	    /* of all files that are there */
	uint64_t keys_left; /* bytes of keys that may still come */
	struct error *err;
};

static const char *keep_text(struct loader *l, const struct error *why)
{
	struct span text = arena_copy(&l->m->arena, span_str(why->text));

	return text.p ? (const char *)text.p : "what its file says of it makes no sense";
}

static int add_part(struct loader *l, const struct part *p)
{
	struct part *grown = vector_grow(l->parts, l->n_parts, &l->parts_capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	l->parts = grown;
	grown[l->n_parts++] = *p;
	return 0;
}

/* Takes n bytes of what keys may have; they may say little and be long. */
static int spend(struct loader *l, size_t n)
{
	if (n > l->keys_left)
		return error_set(l->err, -EBADMSG, "the names are too long for files of this size");
	l->keys_left -= n;
	return 0;
}

static int copy_shape(struct loader *l, const Tensorflow__TensorShapeProto *s, struct shape *ret,
		      struct error *why)
{
	size_t rank = s ? s->n_dim : 0;
	uint64_t elements;
	int64_t *dims;

	if (rank > RANK_MAX)
		return error_set(why, -EBADMSG, "%zu dimensions; TensorFlow allows %d", rank,
				 RANK_MAX);
	dims = arena_alloc(&l->m->arena, rank * sizeof(*dims));
	if (!dims)
		return -ENOMEM;
	for (size_t i = 0; i < rank; i++)
		dims[i] = s->dim[i]->size;
	*ret = (struct shape){(uint32_t)rank, dims};
	if (shape_elements(ret, &elements) < 0) {
		*ret = (struct shape){0};
		return error_set(why, -EBADMSG, "a shape that TensorFlow refuses");
	}
	return 0;
}

/* Fills in what the slice is, and the key of its record. */
static int copy_slice(struct loader *l, const Tensorflow__TensorSliceProto *s, struct part *p,
		      struct error *why)
{
	uint32_t rank = p->shape.rank;
	cleanup_buf struct buf key = {0};
	int64_t *start, *length;
	bool full[RANK_MAX];

	if (s->n_extent != rank)
		return error_set(why, -EBADMSG, "a slice with %zu dimensions instead of %u",
				 s->n_extent, rank);
	start = arena_alloc(&l->m->arena, rank * sizeof(*start));
	length = arena_alloc(&l->m->arena, rank * sizeof(*length));
	if (!start || !length)
		return -ENOMEM;
	for (uint32_t d = 0; d < rank; d++) {
		const Tensorflow__TensorSliceProto__Extent *x = s->extent[d];

		full[d] = x->has_length_case !=
			  TENSORFLOW__TENSOR_SLICE_PROTO__EXTENT__HAS_LENGTH_LENGTH;
		start[d] = x->start;
		length[d] = full[d] ? p->shape.dims[d] : x->length;
		if (full[d] ? x->start != 0 : x->length <= 0)
			return error_set(why, -EBADMSG, "a slice from %lld, %lld long",
					 (long long)x->start, (long long)x->length);
	}
	slice_key(p->name, rank, start, length, full, &key);
	if (key.failed || spend(l, key.n) < 0)
		return key.failed ? -ENOMEM : -EFBIG;
	p->start = start;
	p->length = length;
	p->key = arena_copy(&l->m->arena, buf_span(&key));
	return p->key.p ? 0 : -ENOMEM;
}

/* A slice makes sense or spoils its variable; r is what became of it. */
static int add_judged(struct loader *l, struct part *p, int r, const struct error *why)
{
	if (r == -ENOMEM || r == -EFBIG)
		return r;
	if (r < 0)
		p->damage = keep_text(l, why);
	return add_part(l, p);
}

static int add_slices(struct loader *l, const Tensorflow__SavedSliceMeta *meta)
{
	struct part p = {.dtype = (uint32_t)meta->type, .shard = l->shard};
	struct error why = {""};
	int r = spend(l, meta->name.len);

	if (r < 0)
		return -EFBIG;
	p.name = arena_copy(&l->m->arena, pb_span(meta->name));
	if (!p.name.p)
		return -ENOMEM;
	r = copy_shape(l, meta->shape, &p.shape, &why);
	if (r == 0 && (!meta->n_slice || meta->n_slice > SLICES_MAX))
		r = error_set(&why, -EBADMSG, "%zu slices; 1 to %d are handled", meta->n_slice,
			      SLICES_MAX);
	if (r < 0)
		return add_judged(l, &p, r, &why);
	for (size_t i = 0; i < meta->n_slice && r == 0; i++) {
		struct part one = p;

		r = copy_slice(l, meta->slice[i], &one, &why);
		r = add_judged(l, &one, r, &why);
	}
	return r;
}

static int add_tensor(struct loader *l, struct span message)
{
	struct arena arena = {0};
	const Tensorflow__SavedSliceMeta *meta =
		pb_unpack(&tensorflow__saved_slice_meta__descriptor, message, &arena, l->err);
	int r = meta ? add_slices(l, meta) : -EBADMSG;

	arena_release(&arena);
	return r == -EFBIG ? -EBADMSG : r;
}

static int check_versions(struct span message, struct error *err)
{
	struct arena arena = {0};
	const Tensorflow__VersionDef *v =
		pb_unpack(&tensorflow__version_def__descriptor, message, &arena, err);
	int r = v ? 0 : -EBADMSG;

	if (v && (v->producer < 0 || v->min_consumer > 1))
		r = error_set(err, -EBADMSG,
			      "checkpoint version: producer %d, needs a reader of %d", v->producer,
			      v->min_consumer);
	for (size_t i = 0; r == 0 && i < v->n_bad_consumers; i++)
		if (v->bad_consumers[i] == 1)
			r = error_set(err, -EBADMSG, "checkpoint version: refuses readers of 1");
	arena_release(&arena);
	return r;
}

/* The value under the empty key. */
static int read_meta(struct loader *l, struct span value)
{
	struct span meta, versions, tensor;
	int r = pb_find(value, SLICES_META, &meta);

	if (r == 0)
		return error_set(l->err, -EBADMSG,
				 "the empty key says nothing of tensors: is this the index of a "
				 "bundle, without its ending .index?");
	if (r > 0)
		r = pb_find(meta, META_VERSIONS, &versions);
	if (r > 0)
		r = check_versions(versions, l->err);
	else if (r < 0)
		return error_set(l->err, r, "not a valid SavedTensorSlices (%zu bytes)", value.n);
	while (r == 0 && (r = pb_next_bytes(&meta, META_TENSOR, &tensor)) > 0)
		r = add_tensor(l, tensor);
	return r;
}

static int read_file(struct loader *l, struct shard *shard)
{
	struct v1_table table;
	struct span value;
	int r = v1_open(&table, shard, l->m->place.rootfd, l->err);

	if (r == 0)
		r = v1_find(&table, (struct span){0}, &value, l->err);
	if (r == 0)
		r = error_set(l->err, -EBADMSG, "%s: no V1 checkpoint: it has no entry of metadata",
			      shard->name);
	else if (r > 0) {
		r = read_meta(l, value);
		if (r < 0)
			error_prefix(l->err, r, "%s: block at offset %llu: metadata", shard->name,
				     (unsigned long long)table.block.offset);
	}
	v1_release(&table);
	return r;
}

/* ---- variables ---- */

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int c = span_compare(x->name, y->name);

	if (c == 0)
		c = (x->shard > y->shard) - (x->shard < y->shard);
	return c ? c : span_compare(x->key, y->key);
}

/* The bytes that the files might hold, or more: beyond that no allocation need be tried. */
static uint64_t bytes_possible(const struct loader *l)
{
	uint64_t most;

	/* Each value takes a byte at least, and at most 16 when it is decoded. */
	return mul_overflows(l->bytes, (uint64_t)SNAPPY_RATIO * 16, &most) ? UINT64_MAX : most;
}

/* The slices, which are contiguous in start and length as slices_check() wants them. */
static int check_cover(const struct part *parts, size_t n, struct error *why)
{
	const struct shape *shape = &parts[0].shape;
	size_t rank = shape->rank;
	cleanup_free int64_t *start = calloc(n * rank + 1, sizeof(*start));
	cleanup_free int64_t *length = calloc(n * rank + 1, sizeof(*length));

	if (!start || !length)
		return -ENOMEM;
	for (size_t i = 0; i < n && rank; i++) {
		memcpy(start + i * rank, parts[i].start, rank * sizeof(*start));
		memcpy(length + i * rank, parts[i].length, rank * sizeof(*length));
	}
	return slices_check(n, start, length, shape, why);
}

static int check_parts(const struct loader *l, const struct part *parts, size_t n,
		       struct error *why)
{
	const struct part *first = &parts[0];
	uint64_t elements = 0, size;

	for (size_t i = 0; i < n; i++) {
		const struct part *p = &parts[i];

		if (p->damage)
			return error_set(why, -EBADMSG, "%s", p->damage);
		if (p->dtype != first->dtype || p->shape.rank != first->shape.rank ||
		    (p->shape.rank && memcmp(p->shape.dims, first->shape.dims,
					     p->shape.rank * sizeof(int64_t)) != 0))
			return error_set(why, -EBADMSG,
					 "its slices disagree about its dtype or shape");
	}
	if (!v1_dtype(first->dtype))
		return error_set(why, -EBADMSG, "a V1 checkpoint cannot hold dtype %s",
				 dtype_name(first->dtype).text);
	(void)shape_elements(&first->shape, &elements);
	if (mul_overflows(elements, (uint64_t)dtype_size(first->dtype), &size) ||
	    size > bytes_possible(l))
		return error_set(why, -EBADMSG, "more elements than the files can hold");
	if (n > 1 && (!elements || first->dtype == DTYPE_STRING))
		return error_set(why, -EBADMSG, "a partitioned variable of %s",
				 elements ? "dtype string" : "no elements");
	return n == 1 && !first->shape.rank ? 0 : check_cover(parts, n, why);
}

/* The bytes of a slice, once they are decoded. */
static uint64_t decoded_size(const struct part *p)
{
	struct shape shape = {p->shape.rank, p->length};
	uint64_t elements = 0;

	(void)shape_elements(&shape, &elements); /* the whole has no more, and was counted */
	return elements * dtype_size(p->dtype);
}

static int add_record(struct loader *l, const struct part *p, tensor_id tensor, uint32_t slice)
{
	struct v1_own *own = l->own;
	struct v1_record *grown = vector_grow(own->records, own->n, &own->capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	own->records = grown;
	grown[own->n++] = (struct v1_record){.key = p->key,
					     .shard = p->shard,
					     .slice = slice,
					     .tensor = tensor,
					     .start = p->start,
					     .length = p->length};
	l->m->shards[p->shard].live += decoded_size(p);
	return 0;
}

/* The slices of one name, from all files. */
static int add_variable(struct loader *l, const struct part *parts, size_t n)
{
	struct tensor t = {
		.key = parts[0].name,
		.variable = parts[0].name,
		.shape = parts[0].shape,
		.dtype = parts[0].dtype,
	};
	struct error why = {""};
	int r = check_parts(l, parts, n, &why);
	tensor_id id;

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		t.damage = keep_text(l, &why);
	else
		t.storage.type = STORED_DECODED;
	r = model_add_tensor(l->m, &t, &id);
	for (uint32_t i = 0; i < n && r == 0 && !t.damage; i++)
		r = add_record(l, &parts[i], id, i);
	return r;
}

static int add_variables(struct loader *l)
{
	size_t n;
	int r = 0;

	if (l->n_parts)
		qsort(l->parts, l->n_parts, sizeof(*l->parts), compare_parts);
	for (size_t i = 0; i < l->n_parts && r == 0; i += n) {
		n = 1;
		while (i + n < l->n_parts && span_equal(l->parts[i].name, l->parts[i + n].name))
			n++;
		r = add_variable(l, &l->parts[i], n);
	}
	return r;
}

/* Of each variable, where its records stand. */
static int index_records(struct loader *l)
{
	struct v1_own *own = l->own;

	own->first = calloc(l->m->n_ids + 1, sizeof(*own->first));
	if (!own->first)
		return -ENOMEM;
	for (size_t i = 0; i < own->n; i++)
		own->first[own->records[i].tensor + 1]++;
	for (size_t id = 0; id < l->m->n_ids; id++)
		own->first[id + 1] += own->first[id];
	return 0;
}

/* ---- loading ---- */

static int init_shards(struct loader *l, const struct v1_files *f)
{
	struct model *m = l->m;
	uint32_t n = f->shards ? f->shards : 1;
	int r = 0;

	m->shards = calloc(n, sizeof(*m->shards));
	if (!m->shards)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && r == 0; i++) {
		cleanup_buf struct buf name = {0};

		v1_file_name(f, i, &name);
		r = name.failed ? -ENOMEM
				: shard_init(&m->shards[i], m->place.rootfd, (const char *)name.p);
		if (r == 0)
			l->bytes += m->shards[m->n_shards++].id.size;
	}
	l->keys_left = keys_floor + KEYS_RATIO * l->bytes;
	return r;
}

/* What was read of a file stands for it; there is no index beside. */
static int note_base(struct loader *l, const struct shard *s)
{
	return model_add_base_as(l->m, s->name, &s->id, 0);
}

/* What one file says; nothing of it is kept if it makes no sense. */
static int try_file(struct loader *l, uint32_t i, struct error *err)
{
	size_t parts = l->n_parts;
	int r;

	l->shard = i;
	l->err = err;
	r = read_file(l, &l->m->shards[i]);
	if (r < 0)
		l->n_parts = parts;
	return r < 0 ? r : note_base(l, &l->m->shards[i]);
}

static void note_missing(struct model *m, uint32_t missing, uint32_t first)
{
	if (missing)
		model_note(m, "%u of the %u files are missing, and the variables in them: %s%s",
			   missing, m->n_shards, m->shards[first].name, missing > 1 ? " ..." : "");
}

/* A file that cannot be read costs its slices; if none can, there is no model. */
static int read_files(struct loader *l, struct error *err)
{
	struct model *m = l->m;
	uint32_t missing = 0, first = 0, read = 0;
	int failed = -EBADMSG;

	for (uint32_t i = 0; i < m->n_shards; i++) {
		struct error why = {""};
		int r;

		if (!m->shards[i].id.ino) {
			first = missing++ ? first : i;
			continue;
		}
		r = try_file(l, i, &why);
		if (r == -ENOMEM)
			return r;
		if (r == 0) {
			read++;
			continue;
		}
		model_note(m, "%s; the variables in it are missing", why.text);
		if (!err->text[0])
			failed = error_set(err, r, "%s", why.text);
	}
	note_missing(m, missing, first);
	return read ? 0 : failed;
}

static int load_files(struct loader *l, const struct v1_files *f, struct error *err)
{
	struct error why = {""};
	int r = init_shards(l, f);

	if (r == 0)
		r = read_files(l, &why);
	if (r < 0)
		return error_set(err, r, "%s", why.text);
	l->err = err;
	r = add_variables(l);
	return r < 0 ? r : index_records(l);
}

static int load(struct model *m, struct error *err)
{
	struct loader l = {.m = m, .own = calloc(1, sizeof(*l.own))};
	struct v1_files f;
	int r = v1_find_files(&m->place, &f) && l.own ? 0 : -ENOMEM;

	m->own = l.own;
	m->stem = r == 0 ? strdup(f.prefix) : NULL;
	if (!m->stem || asprintf(&m->work, "%s.weightfs", m->stem) < 0)
		r = -ENOMEM;
	if (r == 0 && f.others)
		r = error_set(err, -EINVAL,
			      "%s: there are files of %u shards and of %u; name one of the files",
			      m->place.argument, f.shards, f.others);
	if (r == 0)
		r = load_files(&l, &f, err);
	free(l.parts);
	v1_files_release(&f);
	m->kind = "V1 checkpoint";
	return r;
}

static void release(void *p)
{
	struct v1_own *own = p;

	free(own->records);
	free(own->first);
	free(own);
}

static void explain(const struct model *m, enum explained what, struct json_write *out)
{
	if (what != EXPLAIN_STORAGE)
		return;
	json_write_number(out, "shards", m->n_shards);
	json_write_text(out, "byte_order", span_str("little"));
	json_write_bool(out, "object_based", false);
}

const struct format format_v1 = {
	.name = "v1 checkpoint",
	.probe = probe,
	.load = load,
	.decode = v1_decode,
	.decode_all = v1_decode_all,
	.explain = explain,
	.release = release,
};
