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
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "codec/content.h"
#include "codec/crc32c.h"
#include "codec/data_file.h"
#include "codec/edits_state.h"
#include "codec/format.h"
#include "codec/region.h"
#include "codec/save_state.h"
#include "codec/stored.h"

static const uint64_t rewrite_max = 64 << 20; /* bytes of all tensors together */

enum {
	PART = 1 << 20, /* bytes copied at once */
	OWN_MAX = 8,	/* appended shards */
	TIER = 2,	/* one is merged unless it is so many times what goes into the new one */
};

static bool has_extent(const struct tensor *t)
{
	return !t->slices && !t->damage;
}

static int tensor_error(struct saver *s, const struct tensor *t, int r)
{
	return r < 0 ? error_prefix(s->err, r, "'%s'", quote(t->key)) : 0;
}

void saver_progress(struct saver *s, uint64_t bytes)
{
	const struct commit_options *o = s->stage->options;

	s->done += bytes;
	if (o && o->progress)
		o->progress(o->context, s->done < s->all ? s->done : s->all, s->all);
}

/* ---- reading what is there ---- */

static int old_shard(struct saver *s, uint32_t shard)
{
	if (s->fd >= 0 && s->shard == shard)
		return s->fd;
	close_pointer(&s->fd);
	s->fd = shard_open(&s->m->shards[shard], s->m->place.rootfd, s->err);
	s->shard = shard;
	return s->fd;
}

/* The stored bytes are what the index says. Whatever is copied is verified: damage is never
 * sealed with a fresh checksum. */
static int verify_base(struct saver *s, const struct tensor *t)
{
	uint64_t elements;
	int fd = old_shard(s, t->base.shard);
	int r = fd < 0 ? fd : shape_elements(&t->shape, &elements);

	if (r == 0)
		r = stored_verify(fd, &t->base, t->dtype, elements, s->m->big_endian, s->err);
	return r == -EBADMSG ? -EIO : r;
}

static int copy_base(struct saver *s, const struct tensor *t, int to, uint64_t offset)
{
	int fd = old_shard(s, t->base.shard), r = fd < 0 ? fd : 0;

	for (uint64_t done = 0; done < t->base.size && r == 0;) {
		uint64_t left = t->base.size - done;
		size_t n = left < PART ? (size_t)left : PART;

		r = read_at(fd, s->part, n, t->base.offset + done);
		if (r == 0)
			r = write_at(to, s->part, n, offset + done);
		done += n;
	}
	return r;
}

/* ---- a fresh shard ---- */

/* Writes an edited tensor as it is now, and finds its checksum on the way. */
static int write_edited(struct saver *s, struct content *c, int to, struct extent *at)
{
	uint32_t crc = 0;

	for (uint64_t done = 0; done < at->size;) {
		uint64_t left = at->size - done;
		size_t n = left < PART ? (size_t)left : PART;
		int r = content_accepted(c, done, n, s->part, s->err);

		if (r == 0)
			r = write_at(to, s->part, n, at->offset + done);
		if (r < 0)
			return r;
		crc = crc32c_extend(crc, span_of(s->part, n));
		done += n;
	}
	at->crc = crc32c_mask(crc);
	return 0;
}

static int write_tensor(struct saver *s, const struct tensor *t, int to, struct extent *at)
{
	struct content *c = t->content;
	int r = 0;

	if (!c || !c->overlay || c->overlay->present) /* the base shows, all of it or in part */
		r = verify_base(s, t);
	if (r == 0 && c && c->overlay)
		r = write_edited(s, c, to, at);
	else if (r == 0)
		r = copy_base(s, t, to, at->offset);
	if (r < 0 && !s->err->text[0])
		error_set(s->err, r, "writing the new data file: %s", strerror(-r));
	return tensor_error(s, t, r);
}

/* What was written is read again and checked. */
static int verify_new(struct saver *s, const struct tensor *t, int fd)
{
	const struct move *move = &s->moves[t - s->m->tensors];
	uint64_t elements;
	int r = shape_elements(&t->shape, &elements);

	if (r == 0)
		r = stored_verify(fd, &move->to, t->dtype, elements, s->m->big_endian, s->err);
	return tensor_error(s, t, r == -EBADMSG ? -EIO : r);
}

static int compare_places(const void *a, const void *b, void *tensors)
{
	const struct tensor *all = tensors;
	const struct tensor *x = &all[*(const uint32_t *)a], *y = &all[*(const uint32_t *)b];

	if (x->base.shard != y->base.shard)
		return x->base.shard < y->base.shard ? -1 : 1;
	if (x->base.offset != y->base.offset)
		return x->base.offset < y->base.offset ? -1 : 1;
	return x < y ? -1 : 1;
}

static int write_all(struct saver *s, int to)
{
	uint64_t end = 0;
	int r = 0;

	for (size_t i = 0; i < s->m->n_tensors; i++)
		if (has_extent(&s->m->tensors[i]))
			s->all += 2 * s->m->tensors[i].base.size;

	for (size_t i = 0; i < s->m->n_tensors && r == 0; i++) {
		const struct tensor *t = &s->m->tensors[s->order[i]];
		struct move *move = &s->moves[s->order[i]];

		if (!has_extent(t))
			continue;
		move->to = (struct extent){0, t->base.crc, end, t->base.size};
		move->moved = true;
		r = write_tensor(s, t, to, &move->to);
		end += t->base.size;
		saver_progress(s, t->base.size);
	}
	if (r == 0 && fsync(to) < 0)
		r = error_errno(s->err, "writing the new data file");
	for (size_t i = 0; i < s->m->n_tensors && r == 0; i++) {
		if (!s->moves[i].moved)
			continue;
		r = verify_new(s, &s->m->tensors[i], to);
		saver_progress(s, s->moves[i].to.size);
	}
	return r;
}

/* ---- a small bundle ---- */

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
		r = write_all(s, shard.fd);
	staged_close(&shard);
	if (r == 0)
		r = saver_add_shard_name(s, &shard, 0);
	if (r == 0)
		r = saver_add_empty_names(s, 1, (const char *)like.p);
	return r < 0 ? r : saver_stage_indexes(s, &shard);
}

/* ---- a large one ---- */

static uint64_t live_bytes(const struct saver *s, uint32_t shard)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->m->n_tensors; i++)
		if (has_extent(&s->m->tensors[i]) && s->m->tensors[i].base.shard == shard &&
		    !s->moves[i].moved)
			sum += s->m->tensors[i].base.size;
	return sum;
}

/* One of ours: appended by an earlier commit, or an empty one that only filled up the count. */
static bool is_appended(struct saver *s, uint32_t shard)
{
	int fd = saver_shard_exists(s, shard) ? old_shard(s, shard) : -1;

	return fd >= 0 && (s->m->shards[shard].id.size == 0 || data_file_is_ours(fd));
}

/* How many of the old shards stay; those behind are merged into the new one. */
static uint32_t choose_kept(struct saver *s, uint64_t bytes)
{
	uint32_t kept = s->m->n_shards, own = kept;

	while (own > 0 && is_appended(s, own - 1))
		own--;
	while (kept > own) {
		uint64_t live = live_bytes(s, kept - 1);

		if (live > TIER * bytes && kept - own < OWN_MAX)
			break;
		bytes += live;
		kept--;
	}
	return kept;
}

/* The base under the holes of a region is copied into them. */
static int fill_region(struct saver *s, const struct tensor *t, struct region *region)
{
	int r = region->present ? verify_base(s, t) : 0;

	for (uint64_t at = 0; at < region->size && r == 0;) {
		uint64_t left = region->size - at;
		bool present;
		uint64_t n = region_run(region, at, left < PART ? left : PART, &present);

		if (!present) {
			r = read_at(old_shard(s, t->base.shard), s->part, (size_t)n,
				    t->base.offset + at);
			if (r == 0)
				r = write_at(region->data->fd, s->part, (size_t)n,
					     region->offset + at);
		}
		at += n;
	}
	return r;
}

static int move_edited(struct saver *s, const struct tensor *t, uint32_t shard)
{
	struct region *region = t->content->overlay;
	struct move *move = &s->moves[t - s->m->tensors];
	uint64_t elements;
	int r = fill_region(s, t, region);

	move->to = (struct extent){shard, 0, region->offset, region->size};
	if (r == 0)
		r = shape_elements(&t->shape, &elements);
	if (r == 0)
		r = stored_checksum(region->data->fd, &move->to, t->dtype, elements, false,
				    &move->to.crc, s->err);
	if (r < 0 && !s->err->text[0])
		error_set(s->err, r, "%s", strerror(-r));
	return tensor_error(s, t, r);
}

static int move_merged(struct saver *s, const struct tensor *t, uint32_t shard)
{
	struct data_file *d = s->m->edits->data;
	struct move *move = &s->moves[t - s->m->tensors];
	uint64_t offset;
	int r = verify_base(s, t);

	if (r == 0)
		r = data_file_allocate(d, t->base.size, &offset);
	if (r == 0)
		r = copy_base(s, t, d->fd, offset);
	if (r == 0) {
		move->to = (struct extent){shard, t->base.crc, offset, t->base.size};
		move->moved = true;
	}
	if (r < 0 && !s->err->text[0])
		error_set(s->err, r, "%s", strerror(-r));
	return tensor_error(s, t, r);
}

static int move_all(struct saver *s, uint32_t kept)
{
	int r = 0;

	for (size_t i = 0; i < s->m->n_tensors; i++)
		if (s->moves[i].moved ||
		    (has_extent(&s->m->tensors[i]) && s->m->tensors[i].base.shard >= kept))
			s->all += s->m->tensors[i].base.size;

	for (size_t i = 0; i < s->m->n_tensors && r == 0; i++) {
		const struct tensor *t = &s->m->tensors[s->order[i]];

		if (s->moves[s->order[i]].moved)
			r = move_edited(s, t, kept);
		else if (has_extent(t) && t->base.shard >= kept)
			r = move_merged(s, t, kept);
		if (s->moves[s->order[i]].moved)
			saver_progress(s, t->base.size);
	}
	return r;
}

/* Old shards under names of the new count. What is not there is not needed, or missed anyway. */
static int link_kept(struct saver *s, uint32_t kept)
{
	for (uint32_t i = 0; i < kept; i++) {
		struct staged f;
		int r;

		if (!saver_shard_exists(s, i))
			continue;
		r = stage_link(s->stage, s->m->place.rootfd, s->m->shards[i].name, &f, s->err);
		if (r == 0)
			r = saver_add_shard_name(s, &f, i);
		if (r < 0)
			return r;
	}
	return 0;
}

static int compare_offsets(const void *a, const void *b)
{
	uint64_t x = ((const struct extent *)a)->offset, y = ((const struct extent *)b)->offset;

	return (x > y) - (x < y);
}

/*
 * Gives back what the file holds between the tensors: drafts that were dropped, contents that were
 * written over. Those of open drafts are among what is kept: they are copied elsewhere later.
 */
static int punch_gaps(struct saver *s, uint32_t shard)
{
	struct data_file *d = s->m->edits->data;
	cleanup_free struct extent *kept = calloc(2 * s->m->n_tensors + 1, sizeof(*kept));
	uint64_t end = DATA_HEADER;
	size_t n = 0;

	if (!kept)
		return -ENOMEM;
	for (size_t i = 0; i < s->m->n_tensors; i++) {
		const struct content *c = s->m->tensors[i].content;

		if (s->moves[i].moved && s->moves[i].to.shard == shard)
			kept[n++] = s->moves[i].to;
		if (c && c->draft && c->draft->data == d)
			kept[n++] =
				(struct extent){.offset = c->draft->offset, .size = c->draft->size};
	}
	qsort(kept, n, sizeof(*kept), compare_offsets);
	for (size_t i = 0; i < n; i++) {
		if (kept[i].offset > end)
			data_file_punch(d, end, kept[i].offset - end);
		end = kept[i].offset + kept[i].size;
	}
	return ftruncate(d->fd, (off_t)end) < 0 ? -errno : 0;
}

/* data.N as the shard of that number. */
static int seal_data(struct saver *s, uint32_t shard, const char *like)
{
	struct data_file *d = s->m->edits->data;
	char name[24];
	struct staged f;
	int r;

	snprintf(name, sizeof(name), "data.%u", d->number);
	r = punch_gaps(s, shard);
	stage_dress(s->stage, d->fd, like);
	if (r == 0 && fsync(d->fd) < 0)
		r = -errno;
	if (r < 0)
		return error_set(s->err, r, "%s/%s: %s", s->m->work_path, name, strerror(-r));
	r = stage_link(s->stage, s->m->edits->workfd, name, &f, s->err);
	s->stage->sealed = true;
	return r < 0 ? r : saver_add_shard_name(s, &f, shard);
}

static uint64_t mark_edited(struct saver *s)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->m->n_tensors; i++) {
		const struct content *c = s->m->tensors[i].content;

		s->moves[i].moved = c && c->overlay;
		if (s->moves[i].moved)
			bytes += c->overlay->size;
	}
	return bytes;
}

static int append(struct saver *s)
{
	cleanup_buf struct buf like = {0};
	struct data_file *d = s->m->edits->data;
	uint32_t kept = choose_kept(s, mark_edited(s));
	int r = saver_choose_count(s, kept + 1);

	if (r == 0)
		r = saver_shard_name(s, 0, s->m->n_shards, &like);
	if (r == 0)
		r = move_all(s, kept);
	/* The disk may begin while the rest is prepared. */
	(void)sync_file_range(d->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (r == 0)
		r = link_kept(s, kept);
	if (r == 0)
		r = seal_data(s, kept, (const char *)like.p);
	if (r == 0)
		r = saver_add_empty_names(s, kept + 1, (const char *)like.p);
	return r < 0 ? r : saver_stage_indexes(s, NULL);
}

/* All that a rewrite would copy is there; *ret is how much that is. */
static bool is_complete(const struct model *m, uint64_t *ret)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < m->n_tensors; i++) {
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
		r = write_all(s, shard->fd);
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

	while (own > 0 && is_appended(s, own - 1))
		own--;
	for (uint32_t i = 0; i < own; i++)
		size += s->m->shards[i].id.size;
	mark_edited(s);
	for (size_t i = 0; i < s->m->n_tensors; i++)
		if (has_extent(&s->m->tensors[i]) && s->m->tensors[i].base.shard < own &&
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
	return wants_rewrite(s) ? rewrite(s) : append(s);
}

static int with_saver(struct saver *s, int (*run)(struct saver *s))
{
	struct model *m = s->m;
	int r = -ENOMEM;

	s->moves = calloc(m->n_tensors + 1, sizeof(*s->moves));
	s->order = calloc(m->n_tensors + 1, sizeof(*s->order));
	s->part = malloc(PART);
	if (s->moves && s->order && s->part) {
		for (uint32_t i = 0; i < m->n_tensors; i++)
			s->order[i] = i;
		qsort_r(s->order, m->n_tensors, sizeof(*s->order), compare_places, m->tensors);
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
