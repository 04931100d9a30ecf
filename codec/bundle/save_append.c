/*
 * A large bundle: data.N becomes one shard more. What was appended so before is merged into it by a
 * rule of sizes.
 */
#include "codec/bundle/save_state.h"

#include <fcntl.h>
#include <stdio.h>

#include "codec/work/data_file.h"
#include "codec/work/edits_state.h"
#include "codec/work/region.h"

enum {
	PART = SAVER_PART,
	OWN_MAX = 8, /* appended shards */
	TIER = 2,    /* one is merged unless it is so many times what goes into the new one */
};

/* How many bytes each shard has of tensors that stay as they are; NULL without memory. */
static uint64_t *live_bytes(const struct saver *s)
{
	uint64_t *live = calloc(s->m->n_shards + 1, sizeof(*live));

	for (size_t i = 0; live && i < s->n; i++) {
		const struct saver_entry *e = &s->entries[i];
		struct extent from = saver_run(e).extent;

		if (saver_has_run(e) && !e->moved)
			live[from.shard] += from.size;
	}
	return live;
}

/* One of ours: appended by an earlier commit, or an empty one that only filled up the count. */
bool saver_is_appended(struct saver *s, uint32_t shard)
{
	int fd = saver_shard_exists(s, shard) ? saver_old_shard(s, shard) : -1;

	return fd >= 0 && (s->m->shards[shard].id.size == 0 || data_file_is_ours(fd));
}

/*
 * How many of the old shards stay; those behind are merged into the new one, which gets so many
 * bytes of edits.
 */
static int choose_kept(struct saver *s, uint64_t bytes, uint32_t *ret)
{
	cleanup_free uint64_t *live = live_bytes(s);
	uint32_t kept = s->m->n_shards, own = kept;

	if (!live)
		return -ENOMEM;
	while (own > 0 && saver_is_appended(s, own - 1))
		own--;
	while (kept > own && (live[kept - 1] <= TIER * bytes || kept - own >= OWN_MAX))
		bytes += live[--kept];
	*ret = kept;
	return 0;
}

/* The base under the holes of a region is copied into them. */
static int fill_region(struct saver *s, const struct saver_entry *e, struct region *region)
{
	struct extent from = saver_run(e).extent;
	int r = region->present ? saver_verify_base(s, e) : 0;

	for (uint64_t at = 0; at < region->size && r == 0;) {
		uint64_t left = region->size - at;
		bool present;
		uint64_t n = region_run(region, at, left < PART ? left : PART, &present);

		if (!present) {
			r = read_at(saver_old_shard(s, from.shard), s->part, (size_t)n,
				    from.offset + at);
			if (r == 0)
				r = write_at(region->data->fd, s->part, (size_t)n,
					     region->offset + at);
		}
		at += n;
	}
	return r;
}

/* The tensor lies in the data file already. */
static int move_region(struct saver *s, struct saver_entry *e, uint32_t shard)
{
	struct region *region = ledger_region(s->m, e->tensor->id);
	struct stored_run run = saver_run(e);
	int r = fill_region(s, e, region);

	e->to = run.extent = (struct extent){shard, 0, region->offset, region->size};
	if (r == 0)
		r = stored_checksum(region->data->fd, &run, &e->to.crc, s->err);
	if (r < 0 && !s->err->text[0])
		error_set(s->err, r, "%s", strerror(-r));
	return saver_entry_error(s, e, r);
}

/* It is copied there: from a shard that is merged, or a slice out of its variable. */
static int move_copied(struct saver *s, struct saver_entry *e, uint32_t shard)
{
	struct data_file *d = s->m->edits->data;
	struct extent from = saver_run(e).extent;
	uint64_t offset;
	int r = data_file_allocate(d, from.size, &offset);

	if (r < 0)
		return saver_entry_error(s, e, error_set(s->err, r, "%s", strerror(-r)));
	e->to = (struct extent){shard, from.crc, offset, from.size};
	e->moved = true;
	return saver_write_entry(s, e, d->fd);
}

/* It goes into the new shard: it was edited, or lies in a shard that is merged into that. */
static bool is_to_move(const struct saver_entry *e, uint32_t kept)
{
	return e->moved || (saver_has_run(e) && saver_run(e).extent.shard >= kept);
}

static int move_all(struct saver *s, uint32_t kept)
{
	int r = 0;

	for (size_t i = 0; i < s->n; i++)
		if (is_to_move(&s->entries[i], kept))
			s->all += saver_size(s, &s->entries[i]);
	for (size_t i = 0; i < s->n && r == 0; i++) {
		struct saver_entry *e = &s->entries[s->order[i]];

		if (!is_to_move(e, kept))
			continue;
		r = e->moved && !e->own ? move_region(s, e, kept) : move_copied(s, e, kept);
		saver_progress(s, saver_size(s, e));
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
 * written over. All that is still looked at stays: open drafts, which are copied elsewhere later,
 * and the edits of partitioned variables, of which the slices were copied. For until the commit is
 * decided those edits are nowhere else.
 */
static int punch_gaps(struct saver *s, uint32_t shard)
{
	struct data_file *d = s->m->edits->data;
	size_t max = s->n + ledger_count(s->m) + scratch_count(s->m), n = 0;
	cleanup_free struct extent *kept = calloc(max + 1, sizeof(*kept));
	uint64_t end = DATA_HEADER;
	struct object at = {0};
	struct change c;

	if (!kept)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		if (s->entries[i].moved && s->entries[i].to.shard == shard)
			kept[n++] = s->entries[i].to;
	while (n < max && ledger_next(s->m, &at, &c))
		if (c.region->data == d)
			kept[n++] =
				(struct extent){.offset = c.region->offset, .size = c.region->size};
	n += scratch_places(s->m, d, kept + n, max - n);
	qsort(kept, n, sizeof(*kept), compare_offsets);
	for (size_t i = 0; i < n; i++) {
		uint64_t kept_end = kept[i].offset + kept[i].size;

		if (kept[i].offset > end)
			data_file_punch(d, end, kept[i].offset - end);
		if (kept_end > end) /* what has no bytes may lie where another begins */
			end = kept_end;
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
	if (r == 0)
		r = file_sync(d->fd, &d->adrift);
	if (r < 0)
		return error_set(s->err, r, "%s/%s: %s", s->m->work_path, name, strerror(-r));
	r = stage_link(s->stage, s->m->edits->workfd, name, &f, s->err);
	return r < 0 ? r : saver_add_shard_name(s, &f, shard);
}

uint64_t saver_mark_edited(struct saver *s)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct saver_entry *e = &s->entries[i];

		e->moved = saver_is_edited(s, e);
		if (e->moved)
			bytes += saver_size(s, e);
	}
	return bytes;
}

int saver_append(struct saver *s)
{
	cleanup_buf struct buf like = {0};
	struct data_file *d = s->m->edits->data;
	uint32_t kept;
	int r = choose_kept(s, saver_mark_edited(s), &kept);

	if (r == 0)
		r = saver_choose_count(s, kept + 1);
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
