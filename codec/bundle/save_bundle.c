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

#include "codec/model/format.h"
#include "codec/bundle/save_state.h"

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

/* All that a rewrite would copy is there; *ret is how much that is. */
static bool is_complete(const struct model *m, uint64_t *ret)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < m->n_ids; i++) {
		const struct tensor *t = &m->tensors[i];
		const struct shard *shard;

		if (t->damage)
			return false;
		if (t->slices)
			continue;
		shard = &m->shards[t->base.shard];
		if (!shard->id.ino || t->base.offset > shard->id.size ||
		    t->base.size > shard->id.size - t->base.offset)
			return false;
		bytes += t->base.size;
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

	if (!is_complete(s->m, &bytes))
		return error_set(s->err, -EIO,
				 "%s: parts are missing or damaged ('weightctl check' lists them): "
				 "it cannot be written elsewhere",
				 s->m->prefix);
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
	for (size_t i = 0; i < s->m->n_ids; i++)
		if (saver_has_extent(&s->m->tensors[i]) && s->m->tensors[i].base.shard < own &&
		    !s->moves[i].moved)
			live += s->m->tensors[i].base.size;
	return live < size / 2;
}

/* True if the bundle is to be written anew, all of it. */
static bool wants_rewrite(struct saver *s)
{
	uint64_t bytes;

	if (!is_complete(s->m, &bytes))
		return false;
	if (bytes <= rewrite_max)
		return true;
	return (s->stage->options->compact || is_mostly_dead(s)) && has_room(s->m, bytes);
}

static int save(struct saver *s)
{
	uint64_t bytes;

	if (s->stage->options->compact && !is_complete(s->m, &bytes))
		return error_set(s->err, -EIO,
				 "%s: parts are missing or damaged ('weightctl check' "
				 "lists them): it cannot be compacted",
				 s->m->prefix);
	if (s->stage->options->compact && !has_room(s->m, bytes))
		return error_set(s->err, -ENOSPC, "%s: no room for another %llu bytes",
				 s->m->prefix, (unsigned long long)bytes);
	return wants_rewrite(s) ? rewrite(s) : saver_append(s);
}

static int compare_places(const void *a, const void *b, void *tensors)
{
	const struct tensor *all = tensors;
	const struct tensor *x = &all[*(const uint32_t *)a], *y = &all[*(const uint32_t *)b];

	if (x->base.shard != y->base.shard)
		return x->base.shard < y->base.shard ? -1 : 1;
	if (x->base.offset != y->base.offset)
		return x->base.offset < y->base.offset ? -1 : 1;
	/* What has no bytes lies before what begins at the same place. */
	if (!x->base.size != !y->base.size)
		return !x->base.size ? -1 : 1;
	return x < y ? -1 : 1;
}

static int with_saver(struct saver *s, int (*run)(struct saver *s))
{
	struct model *m = s->m;
	int r = -ENOMEM;

	s->moves = calloc(m->n_ids + 1, sizeof(*s->moves));
	s->order = calloc(m->n_ids + 1, sizeof(*s->order));
	s->part = malloc(SAVER_PART);
	if (s->moves && s->order && s->part) {
		for (uint32_t i = 0; i < m->n_ids; i++)
			s->order[i] = i;
		qsort_r(s->order, m->n_ids, sizeof(*s->order), compare_places, m->tensors);
		r = run(s);
	}
	close_pointer(&s->fd);
	free(s->moves);
	free(s->order);
	free(s->part);
	return r;
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
