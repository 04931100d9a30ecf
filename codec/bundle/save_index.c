/* The names of a new set of shards, and the index that mentions them. */
#include "codec/bundle/save_state.h"

#include "codec/bundle/bundle.h"
#include "codec/bundle/own.h"
#include "codec/base/crc32c.h"
#include "codec/model/place.h"
#include "codec/container/sstable.h"

/* ---- names ---- */

bool saver_shard_exists(const struct saver *s, uint32_t i)
{
	return s->m->shards[i].id.ino != 0;
}

int saver_shard_name(const struct saver *s, uint32_t shard, uint32_t count, struct buf *ret)
{
	buf_reset(ret);
	bundle_shard_name(own_prefix(s->m), shard, count, ret);
	return buf_error(ret);
}

/* True if there is any file of a shard of that count. */
static bool count_in_use(const struct saver *s, uint32_t count)
{
	const char *prefix = own_prefix(s->m), *slash = strrchr(prefix, '/');
	const char *base = slash ? slash + 1 : prefix;
	cleanup_dir DIR *dir = place_list_folder(&s->m->place, prefix);
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
int saver_choose_count(struct saver *s, uint32_t needed)
{
	s->count = needed;
	while (s->count == s->m->n_shards || count_in_use(s, s->count))
		if (++s->count > BUNDLE_SHARDS_MAX)
			return error_set(s->err, -EFBIG, "%s: no names left for %u data files",
					 own_prefix(s->m), needed);
	return 0;
}

int saver_add_shard_name(struct saver *s, struct staged *f, uint32_t shard)
{
	cleanup_buf struct buf name = {0};
	int r = saver_shard_name(s, shard, s->count, &name);

	return r < 0 ? r : stage_add_name(s->stage, f, (const char *)name.p);
}

/* Names of the new count that no shard needs are empty files. */
int saver_add_empty_names(struct saver *s, uint32_t from, const char *like)
{
	for (uint32_t i = from; i < s->count; i++) {
		struct staged f;
		int r = stage_write(s->stage, like, (struct span){0}, &f, s->err);

		if (r == 0)
			r = saver_add_shard_name(s, &f, i);
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
		r = saver_shard_name(s, i, count, &name);
		if (r == 0)
			r = stage_remove(s->stage, (const char *)name.p);
	}
	return r;
}

/* ---- the index ---- */

static int compare_own(const void *key, const void *own)
{
	return span_compare(*(const struct span *)key, ((const struct own_entry *)own)->key);
}

/* The entry of that key, or NULL: one that makes no sense, and stays as it is. */
static const struct saver_entry *find_entry(const struct saver *s, struct span key)
{
	const struct bundle_own *own = s->m->own;
	const struct own_entry *e =
		own->n ? bsearch(&key, own->entries, own->n, sizeof(*e), compare_own) : NULL;
	const struct tensor *t = e ? NULL : model_find_base(s->m, key);

	if (e)
		return &s->entries[s->m->n_ids + (size_t)(e - own->entries)];
	return t ? &s->entries[t->id] : NULL;
}

static int add_entry(struct saver *s, struct sstable_writer *w, uint32_t count, struct span key,
		     struct span value)
{
	const struct saver_entry *e = key.n ? find_entry(s, key) : NULL;
	cleanup_buf struct buf changed = {0};
	int r;

	if (!key.n)
		r = bundle_encode_header(value, count, &changed);
	else if (e && e->moved)
		r = bundle_move_entry(value, &e->to, &changed);
	else
		return sstable_add(w, key, value);
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

/* Stages an index that counts so many shards. */
static int stage_bytes(struct saver *s, const char *name, struct span old, uint32_t count,
		       struct staged *ret, struct content_id *ret_id)
{
	struct sstable_writer w = {0};
	int r = write_index(s, old, count, &w);

	if (r == 0)
		r = stage_write(s->stage, name, buf_span(&w.file), ret, s->err);
	if (r == 0)
		*ret_id = id_of(buf_span(&w.file));
	sstable_writer_release(&w);
	return r;
}

/* The same, in the place of one whose content is *before. */
static int stage_index(struct saver *s, const char *name, struct span old, uint32_t count,
		       struct content_id *before)
{
	struct content_id after;
	struct staged f;
	int r = stage_bytes(s, name, old, count, &f, &after);

	if (r == 0)
		r = stage_replace(s->stage, name, &f, *before, after);
	if (r == 0)
		*before = after;
	return r;
}

/* The index as it is on disk, if it is what was loaded. */
static int read_index(struct saver *s, const struct base_file *base, struct file *ret)
{
	int r = file_read(s->m->place.rootfd, base->name, base->id.size, ret, s->err);

	if (r == 0 && crc32c_extend(0, buf_span(&ret->bytes)) != base->crc)
		r = error_set(s->err, -ESTALE, "%s: changed since the mount", base->name);
	return r;
}

int saver_write_index(struct saver *s, uint32_t count, struct staged *ret)
{
	const struct base_file *base = &s->m->base[s->m->n_base - 1];
	cleanup_file struct file old = {0};
	struct content_id id;
	int r = read_index(s, base, &old);

	return r < 0 ? r : stage_bytes(s, base->name, buf_span(&old.bytes), count, ret, &id);
}

/* The shard goes to its usual name, which the first index does not mention, and a second index
 * says so. */
static int finish_usual(struct saver *s, const char *index, struct span old, struct staged *shard,
			struct content_id *before)
{
	cleanup_buf struct buf name = {0};
	struct staged again;
	int r = saver_shard_name(s, 0, s->usual, &name);

	if (r == 0)
		r = stage_link(s->stage, s->stage->workfd, shard->name, &again, s->err);
	if (r == 0)
		r = stage_put(s->stage, (const char *)name.p, &again);
	if (r == 0)
		r = stage_index(s, index, old, s->usual, before);
	for (uint32_t i = 0; i < s->stage->n_names && r == 0; i++)
		r = stage_remove_name(s->stage, &s->stage->names[i]);
	return r;
}

/* Everything behind the shards: the index, or both, and what goes then. */
int saver_stage_indexes(struct saver *s, struct staged *shard)
{
	struct model *m = s->m;
	const struct base_file *base = &m->base[m->n_base - 1];
	cleanup_file struct file old = {0};
	struct content_id before = {base->id.size, base->crc};
	int r = read_index(s, base, &old);

	if (r == 0)
		r = stage_index(s, base->name, buf_span(&old.bytes), s->count, &before);
	if (r == 0)
		r = s->usual ? finish_usual(s, base->name, buf_span(&old.bytes), shard, &before)
			     : remove_count(s, m->n_shards);
	return r;
}
