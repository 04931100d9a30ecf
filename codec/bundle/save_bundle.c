/*
 * What a commit writes of a bundle.
 *
 * A small one is rewritten whole: all tensors, in the order in which they lay, into one fresh
 * shard, which ends under its usual name. That takes two indexes: no single rename can change
 * both the index and the shard behind -00000-of-00001, so the first index mentions the shard
 * under the name of another count.
 *
 * A large one keeps its shards, linked to the names of another count, and gets one more: data.N
 * of the work folder, where the edited tensors already lie. Shards that were appended so before
 * are merged into the new one by a rule of sizes, so that there are never many, and so that each
 * byte is copied a few times in all.
 */
#include <stdio.h>
#include <sys/statvfs.h>

#include "codec/bundle/bundle_format.h"
#include "codec/bundle/save_state.h"
#include "codec/work/ledger.h"

static const uint64_t rewrite_max = 64 << 20; /* bytes of all tensors together */

/* ---- all of it ---- */

static int rewrite(struct saver *s)
{
	cleanup_buf struct buf like = {0};
	struct staged shard = {.fd = -1};
	int r = saver_choose_count(s, 1);

	s->usual = s->m->n_shards == 1;
	if (r == 0)
		r = saver_shard_name(s, 0, s->m->n_shards, &like);
	if (r == 0)
		r = stage_create(s->stage, (const char *)like.p, &shard, s->err);
	if (r == 0)
		r = saver_write_all(s, shard.fd);
	staged_close(&shard);
	if (r == 0)
		r = saver_add_shard_name(s, &shard, 0);
	if (r == 0)
		r = saver_add_empty_names(s, 1, (const char *)like.p);
	return r < 0 ? r : saver_stage_indexes(s, &shard);
}

static bool has_bytes(const struct model *m, const struct extent *e)
{
	const struct shard *shard = &m->shards[e->shard];

	return shard->id.ino && e->offset <= shard->id.size &&
	       e->size <= shard->id.size - e->offset;
}

/* All that a rewrite would copy is there; *ret is how much that is. */
static bool is_complete(const struct saver *s, uint64_t *ret)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct saver_entry *e = &s->entries[i];
		struct extent from;

		if (e->tensor && e->tensor->damage)
			return false;
		if (!saver_has_run(e))
			continue;
		from = saver_run(e).extent;
		if (!has_bytes(s->m, &from))
			return false;
		bytes += from.size;
	}
	*ret = bytes;
	return true;
}

/* ---- a bundle elsewhere ---- */

static int write_fresh(struct saver *s)
{
	struct staged *shard = s->fresh_shard;
	cleanup_buf struct buf like = {0};
	uint64_t bytes;
	int r;

	if (!is_complete(s, &bytes))
		return error_set(s->err, -EIO,
				 "%s: parts are missing or damaged ('weightctl check' lists them): "
				 "it cannot be written elsewhere",
				 own_prefix(s->m));
	r = saver_shard_name(s, 0, s->m->n_shards, &like);
	if (r == 0)
		r = stage_create(s->stage, (const char *)like.p, shard, s->err);
	if (r == 0)
		r = saver_write_all(s, shard->fd);
	if (r == 0)
		r = saver_write_index(s, 1, s->fresh_index);
	staged_close(shard);
	return r;
}

/* ---- which of them ---- */

static bool has_room(const struct model *m, uint64_t bytes)
{
	struct statvfs st;

	return fstatvfs(m->place.rootfd, &st) == 0 &&
	       st.f_bavail > (bytes + rewrite_max) / st.f_frsize;
}

/* Over half of the bytes of the model's own shards belong to no tensor any more. */
static bool is_mostly_dead(struct saver *s)
{
	uint32_t own = s->m->n_shards;
	uint64_t size = 0, live = 0;

	while (own > 0 && saver_is_appended(s, own - 1))
		own--;
	for (uint32_t i = 0; i < own; i++)
		size += s->m->shards[i].id.size;
	saver_mark_edited(s);
	for (size_t i = 0; i < s->n; i++) {
		const struct saver_entry *e = &s->entries[i];
		struct extent from = saver_run(e).extent;

		if (saver_has_run(e) && from.shard < own && !e->moved)
			live += from.size;
	}
	return live < size / 2;
}

/* True if the bundle is to be written anew, all of it. */
static bool wants_rewrite(struct saver *s)
{
	uint64_t bytes;

	if (!is_complete(s, &bytes))
		return false;
	if (bytes <= rewrite_max)
		return true;
	return (s->stage->options->compact || is_mostly_dead(s)) && has_room(s->m, bytes);
}

static int save(struct saver *s)
{
	uint64_t bytes;

	if (s->stage->options->compact && !is_complete(s, &bytes))
		return error_set(s->err, -EIO,
				 "%s: parts are missing or damaged ('weightctl check' "
				 "lists them): it cannot be compacted",
				 own_prefix(s->m));
	if (s->stage->options->compact && !has_room(s->m, bytes))
		return error_set(s->err, -ENOSPC, "%s: no room for another %llu bytes",
				 own_prefix(s->m), (unsigned long long)bytes);
	return wants_rewrite(s) ? rewrite(s) : saver_append(s);
}

static int compare_extents(const void *a, const void *b, void *entries)
{
	const struct saver_entry *all = entries;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	struct extent x = saver_run(&all[i]).extent, y = saver_run(&all[k]).extent;

	if (x.shard != y.shard)
		return x.shard < y.shard ? -1 : 1;
	if (x.offset != y.offset)
		return x.offset < y.offset ? -1 : 1;
	/* What has no bytes lies before what begins at the same place. */
	if (!x.size != !y.size)
		return !x.size ? -1 : 1;
	return i < k ? -1 : 1;
}

static int list_entries(struct saver *s)
{
	const struct bundle_own *own = s->m->own;

	s->n = s->m->n_ids + own->n;
	s->entries = calloc(s->n + 1, sizeof(*s->entries));
	s->order = calloc(s->n + 1, sizeof(*s->order));
	if (!s->entries || !s->order)
		return -ENOMEM;
	for (tensor_id id = 0; id < s->m->n_ids; id++)
		s->entries[id].tensor = model_tensor(s->m, id);
	for (size_t i = 0; i < own->n; i++) {
		struct saver_entry *e = &s->entries[s->m->n_ids + i];

		e->own = &own->entries[i];
		if (e->own->whole.n)
			e->tensor = model_find_base(s->m, e->own->whole);
	}
	for (uint32_t i = 0; i < s->n; i++)
		s->order[i] = i;
	qsort_r(s->order, s->n, sizeof(*s->order), compare_extents, s->entries);
	return 0;
}

static int with_saver(struct saver *s, int (*run)(struct saver *s))
{
	int r = list_entries(s);

	s->part = malloc(SAVER_PART);
	if (r == 0)
		r = s->part ? run(s) : -ENOMEM;
	close_pointer(&s->fd);
	free(s->entries);
	free(s->order);
	free(s->part);
	return r;
}

int bundle_allows(const struct model *m, const struct change *c, struct error *err)
{
	const struct tensor *t =
		c->object.type == OBJECT_TENSOR ? model_tensor(m, c->object.id) : NULL;

	if (!t)
		return error_set(err, -EPERM, "it cannot be edited");
	if (t->damage)
		return error_set(err, -EIO, "%s", t->damage);
	if (tensor_is_raw(t) || t->dtype == DTYPE_STRING)
		return 0;
	return error_set(err, -EPERM, "a tensor of dtype %s cannot be edited",
			 dtype_name(t->dtype).text);
}

int bundle_save(struct model *m, struct stage *stage, struct error *err)
{
	struct saver s = {.m = m, .stage = stage, .fd = -1, .err = err};

	return with_saver(&s, save);
}

int bundle_write_fresh(struct model *m, struct stage *stage, struct staged *ret_shard,
		       struct staged *ret_index, struct error *err)
{
	struct saver s = {.m = m, .stage = stage, .fd = -1, .err = err};

	s.fresh_shard = ret_shard;
	s.fresh_index = ret_index;
	return with_saver(&s, write_fresh);
}
