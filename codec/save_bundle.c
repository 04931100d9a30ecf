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

#include "codec/bundle.h"
#include "codec/content.h"
#include "codec/crc32c.h"
#include "codec/data_file.h"
#include "codec/edits_state.h"
#include "codec/format.h"
#include "codec/place.h"
#include "codec/region.h"
#include "codec/sstable.h"
#include "codec/stage.h"
#include "codec/stored.h"

static const uint64_t rewrite_max = 64 << 20; /* bytes of all tensors together */

enum {
	PART = 1 << 20, /* bytes copied at once */
	OWN_MAX = 8,	/* appended shards */
	TIER = 2,	/* one is merged unless it is so many times what goes into the new one */
};

/* Where a tensor of the model lies after the commit. */
struct move {
	bool moved;
	struct extent to;
};

struct saver {
	struct model *m;
	struct stage *stage;
	struct move *moves; /* by tensor */
	uint32_t *order;    /* tensors by shard and offset */
	uint32_t count;	    /* of the new shards' names */
	uint32_t usual;	    /* 1: the shard ends under the name of that count; 0: as it is */
	uint8_t *part;
	int fd;		/* of the shard that was opened last */
	uint32_t shard; /* which one that is */
	struct error *err;
};

static bool has_extent(const struct tensor *t)
{
	return !t->slices && !t->damage;
}

static int tensor_error(struct saver *s, const struct tensor *t, int r)
{
	return r < 0 ? error_prefix(s->err, r, "'%s'", quote(t->key)) : 0;
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

	for (size_t i = 0; i < s->m->n_tensors && r == 0; i++) {
		const struct tensor *t = &s->m->tensors[s->order[i]];
		struct move *move = &s->moves[s->order[i]];

		if (!has_extent(t))
			continue;
		move->to = (struct extent){0, t->base.crc, end, t->base.size};
		move->moved = true;
		r = write_tensor(s, t, to, &move->to);
		end += t->base.size;
	}
	if (r == 0 && fsync(to) < 0)
		r = error_errno(s->err, "writing the new data file");
	for (size_t i = 0; i < s->m->n_tensors && r == 0; i++)
		if (s->moves[i].moved)
			r = verify_new(s, &s->m->tensors[i], to);
	return r;
}

/* ---- names ---- */

static bool shard_exists(const struct saver *s, uint32_t i)
{
	return s->m->shards[i].id.ino != 0;
}

static int shard_name(const struct saver *s, uint32_t shard, uint32_t count, struct buf *ret)
{
	buf_reset(ret);
	bundle_shard_name(s->m->prefix, shard, count, ret);
	return buf_error(ret);
}

/* True if there is any file of a shard of that count. */
static bool count_in_use(const struct saver *s, uint32_t count)
{
	const char *slash = strrchr(s->m->prefix, '/');
	const char *base = slash ? slash + 1 : s->m->prefix;
	cleanup_dir DIR *dir = place_list_folder(&s->m->place, s->m->prefix);
	struct dirent *entry;
	uint32_t shard, shards;
	size_t n;

	while (dir && (entry = readdir(dir)))
		if (bundle_parse_shard_name(entry->d_name, &n, &shard, &shards) &&
		    shards == count && n == strlen(base) && memcmp(entry->d_name, base, n) == 0)
			return true;
	return false;
}

/* The smallest count for `needed` shards of which no file exists. */
static int choose_count(struct saver *s, uint32_t needed)
{
	s->count = needed;
	while (s->count == s->m->n_shards || count_in_use(s, s->count))
		if (++s->count > BUNDLE_SHARDS_MAX)
			return error_set(s->err, -EFBIG, "%s: no names left for %u data files",
					 s->m->prefix, needed);
	return 0;
}

static int add_shard_name(struct saver *s, struct staged *f, uint32_t shard)
{
	cleanup_buf struct buf name = {0};
	int r = shard_name(s, shard, s->count, &name);

	return r < 0 ? r : stage_add_name(s->stage, f, (const char *)name.p);
}

/* Names of the new count that no shard needs are empty files. */
static int add_empty_names(struct saver *s, uint32_t from, const char *like)
{
	for (uint32_t i = from; i < s->count; i++) {
		struct staged f;
		int r = stage_write(s->stage, like, (struct span){0}, &f, s->err);

		if (r == 0)
			r = add_shard_name(s, &f, i);
		if (r < 0)
			return r;
	}
	return 0;
}

static int remove_count(struct saver *s, uint32_t count)
{
	cleanup_buf struct buf name = {0};
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++) {
		r = shard_name(s, i, count, &name);
		if (r == 0)
			r = stage_remove(s->stage, (const char *)name.p);
	}
	return r;
}

/* ---- the index ---- */

static int add_entry(struct saver *s, struct sstable_writer *w, uint32_t count, struct span key,
		     struct span value)
{
	const struct tensor *t = key.n ? model_find(s->m, key) : NULL;
	cleanup_buf struct buf changed = {0};
	int r = 0;

	if (!key.n) {
		r = bundle_encode_header(value, count, &changed);
	} else if (!t) {
		r = -ESTALE;
	} else if (s->moves[t - s->m->tensors].moved) {
		r = bundle_move_entry(value, &s->moves[t - s->m->tensors].to, &changed);
	} else {
		return sstable_add(w, key, value);
	}
	return r < 0 ? r : sstable_add(w, key, buf_span(&changed));
}

/* The old index again, with what changed: its bytes are in w->file. */
static int write_index(struct saver *s, struct span old, uint32_t count, struct sstable_writer *w)
{
	struct sstable_reader table;
	struct span key, value;
	int r = sstable_open(&table, old, s->err);

	while (r >= 0 && (r = sstable_next(&table, &key, &value, s->err)) > 0)
		r = add_entry(s, w, count, key, value);
	sstable_release(&table);
	return r < 0 ? r : sstable_finish(w);
}

static struct content_id id_of(struct span bytes)
{
	return (struct content_id){bytes.n, crc32c_extend(0, bytes)};
}

/* Stages an index that counts so many shards, in the place of one whose content is *before. */
static int stage_index(struct saver *s, const char *name, struct span old, uint32_t count,
		       struct content_id *before)
{
	struct sstable_writer w = {0};
	struct content_id after;
	struct staged f;
	int r = write_index(s, old, count, &w);

	if (r == 0)
		r = stage_write(s->stage, name, buf_span(&w.file), &f, s->err);
	if (r == 0) {
		after = id_of(buf_span(&w.file));
		r = stage_replace(s->stage, name, &f, *before, after);
		*before = after;
	}
	sstable_writer_release(&w);
	return r;
}

/* The shard goes to its usual name, which the first index does not mention, and a second index
 * says so. */
static int finish_usual(struct saver *s, const char *index, struct span old,
			struct staged *shard, struct content_id *before)
{
	cleanup_buf struct buf name = {0};
	struct staged again;
	int r = shard_name(s, 0, s->usual, &name);

	if (r == 0)
		r = stage_link(s->stage, s->stage->workfd, shard->name, &again, s->err);
	if (r == 0)
		r = stage_place(s->stage, (const char *)name.p, &again);
	if (r == 0)
		r = stage_index(s, index, old, s->usual, before);
	for (uint32_t i = 0; i < s->stage->n_names && r == 0; i++)
		r = stage_remove_name(s->stage, &s->stage->names[i]);
	return r;
}

/* Everything behind the shards: the index, or both, and what goes then. */
static int stage_indexes(struct saver *s, struct staged *shard)
{
	struct model *m = s->m;
	const struct base_file *base = &m->base[m->n_base - 1];
	cleanup_file struct file old = {0};
	struct content_id before = {base->id.size, base->crc};
	int r = file_read(m->place.rootfd, base->name, base->id.size, &old, s->err);

	if (r == 0 && crc32c_extend(0, buf_span(&old.bytes)) != base->crc)
		r = error_set(s->err, -ESTALE, "%s: changed since the mount", base->name);
	if (r == 0)
		r = stage_index(s, base->name, buf_span(&old.bytes), s->count, &before);
	if (r == 0)
		r = s->usual ? finish_usual(s, base->name, buf_span(&old.bytes), shard, &before)
			     : remove_count(s, m->n_shards);
	return r;
}

/* ---- a small bundle ---- */

static int rewrite(struct saver *s)
{
	cleanup_buf struct buf like = {0};
	struct staged shard = {.fd = -1};
	int r = choose_count(s, 1);

	s->usual = s->m->n_shards == 1;
	if (r == 0)
		r = shard_name(s, 0, s->m->n_shards, &like);
	if (r == 0)
		r = stage_create(s->stage, (const char *)like.p, &shard, s->err);
	if (r == 0)
		r = write_all(s, shard.fd);
	staged_close(&shard);
	if (r == 0)
		r = add_shard_name(s, &shard, 0);
	if (r == 0)
		r = add_empty_names(s, 1, (const char *)like.p);
	return r < 0 ? r : stage_indexes(s, &shard);
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

static bool is_appended(struct saver *s, uint32_t shard)
{
	int fd = shard_exists(s, shard) ? old_shard(s, shard) : -1;

	return fd >= 0 && data_file_is_ours(fd);
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

	for (size_t i = 0; i < s->m->n_tensors && r == 0; i++) {
		const struct tensor *t = &s->m->tensors[s->order[i]];

		if (s->moves[s->order[i]].moved)
			r = move_edited(s, t, kept);
		else if (has_extent(t) && t->base.shard >= kept)
			r = move_merged(s, t, kept);
	}
	return r;
}

/* Old shards under names of the new count. What is not there is not needed, or missed anyway. */
static int link_kept(struct saver *s, uint32_t kept)
{
	for (uint32_t i = 0; i < kept; i++) {
		struct staged f;
		int r;

		if (!shard_exists(s, i))
			continue;
		r = stage_link(s->stage, s->m->place.rootfd, s->m->shards[i].name, &f, s->err);
		if (r == 0)
			r = add_shard_name(s, &f, i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* data.N as the shard of that number. */
static int seal_data(struct saver *s, uint32_t shard, const char *like)
{
	struct data_file *d = s->m->edits->data;
	char name[24];
	struct staged f;
	int r;

	snprintf(name, sizeof(name), "data.%u", d->number);
	stage_dress(s->stage, d->fd, like);
	if (fsync(d->fd) < 0)
		return error_errno(s->err, "%s/%s", s->m->work, name);
	r = stage_link(s->stage, s->stage->workfd, name, &f, s->err);
	s->stage->sealed = true;
	return r < 0 ? r : add_shard_name(s, &f, shard);
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
	int r = choose_count(s, kept + 1);

	if (r == 0)
		r = shard_name(s, 0, s->m->n_shards, &like);
	if (r == 0)
		r = move_all(s, kept);
	/* The disk may begin while the rest is prepared. */
	(void)sync_file_range(d->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (r == 0)
		r = link_kept(s, kept);
	if (r == 0)
		r = seal_data(s, kept, (const char *)like.p);
	if (r == 0)
		r = add_empty_names(s, kept + 1, (const char *)like.p);
	return r < 0 ? r : stage_indexes(s, NULL);
}

/* ---- which of the two ---- */

/* All that a rewrite would copy is there, and it is not too much. */
static bool is_small(const struct model *m)
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
		if (bytes > rewrite_max)
			return false;
	}
	return true;
}

int bundle_save(struct model *m, struct stage *stage, struct error *err)
{
	struct saver s = {.m = m, .stage = stage, .fd = -1, .err = err};
	int r = -ENOMEM;

	s.moves = calloc(m->n_tensors + 1, sizeof(*s.moves));
	s.order = calloc(m->n_tensors + 1, sizeof(*s.order));
	s.part = malloc(PART);
	if (s.moves && s.order && s.part) {
		for (uint32_t i = 0; i < m->n_tensors; i++)
			s.order[i] = i;
		qsort_r(s.order, m->n_tensors, sizeof(*s.order), compare_places, m->tensors);
		r = is_small(m) ? rewrite(&s) : append(&s);
	}
	close_pointer(&s.fd);
	free(s.moves);
	free(s.order);
	free(s.part);
	return r;
}
