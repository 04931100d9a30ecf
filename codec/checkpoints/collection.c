#include "codec/checkpoints/collection.h"

#include <fcntl.h>
#include <stdio.h>

#include "codec/bundle/bundle.h"
#include "codec/checkpoints/checkpoint_state.h"
#include "codec/model/format.h"
#include "codec/v1/v1.h"

static const char state_name[] = "checkpoint";

/* ---- what is a folder of checkpoints ---- */

static bool has_indexes(const struct place *place, unsigned wanted)
{
	cleanup_dir DIR *dir = place_list(place);
	struct dirent *entry;
	size_t n;

	while (dir && wanted && (entry = readdir(dir)))
		wanted -= bundle_parse_index_name(entry->d_name, &n) &&
			  (!n || entry->d_name[0] != '.');
	return !wanted;
}

bool collection_probe(const struct place *place)
{
	if (strcmp(place->name, state_name) == 0) {
		if (!place_has(place, state_name) || bundle_has_index(place, state_name))
			return false;
	} else if (place->name[0] || format_saved_model.probe(place) ||
		   (!place_has(place, state_name) && !has_indexes(place, 2))) {
		return false;
	}
	return !bundle_is_nameless(place);
}

/* ---- what is in it ---- */

struct scan {
	const struct place *place;
	struct collection *c;
	size_t capacity, work_capacity;
};

static int add_member(struct scan *s, struct span name, const struct stat *st, bool v1)
{
	struct collection *c = s->c;
	struct member *grown = vector_grow(c->members, c->n, &s->capacity, sizeof(*grown));
	struct span copy = arena_copy(&c->arena, name);

	if (grown)
		c->members = grown;
	if (!grown || !copy.p)
		return -ENOMEM;
	grown[c->n++] = (struct member){(const char *)copy.p, v1, file_id_of(st)};
	return 0;
}

static int add_work(struct scan *s, struct span prefix, const char *folder)
{
	struct collection *c = s->c;
	struct leftover *grown = vector_grow(c->work, c->n_work, &s->work_capacity, sizeof(*grown));
	struct span copy = arena_copy(&c->arena, prefix);
	cleanup_buf struct buf path = {0};
	bool edits;

	if (grown)
		c->work = grown;
	buf_printf(&path, "%s/journal%c", folder, 0);
	if (!grown || !copy.p || path.failed)
		return -ENOMEM;
	edits = faccessat(s->place->rootfd, (const char *)path.p, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	grown[c->n_work++] = (struct leftover){(const char *)copy.p, edits};
	return 0;
}

/* Files of which there may be many, and that are no V1 checkpoint: nothing else is opened. */
static bool is_other(const char *name)
{
	static const char *const endings[] = {".meta", ".pbtxt", ".pb", ".json"};
	uint32_t shard, shards;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (span_ends(span_str(name), span_str(endings[i])))
			return true;
	return strstr(name, "tfevents") || strcmp(name, state_name) == 0 ||
	       bundle_parse_shard_name(name, &n, &shard, &shards);
}

/* A V1 checkpoint is a table; of its shards each stands for all. */
static int look_for_v1(struct scan *s, const char *name, const struct stat *st)
{
	size_t n = strlen(name);

	if (is_other(name) || !v1_is_table(s->place, name))
		return 0;
	v1_parse_shard_name(name, &n);
	return add_member(s, span_of(name, n), st, true);
}

/*
 * A mount may lie in the folder, or links into one that is ours: only what can be a part of a
 * checkpoint is looked at, or we might wait for ourselves.
 */
static int look_at(struct scan *s, const struct dirent *entry)
{
	static const char work[] = ".weightfs";
	const char *name = entry->d_name;
	struct span all = span_str(name);
	struct stat st;
	size_t n = 0;

	(void)bundle_parse_index_name(name, &n); /* that of a nameless one is no member */

	if (name[0] == '.')
		return 0;
	if (span_ends(all, span_str(work)))
		return add_work(s, span_first(all, all.n - strlen(work)), name);
	if (entry->d_type == DT_DIR || (!n && entry->d_type == DT_LNK) ||
	    fstatat(s->place->rootfd, name, &st, n ? 0 : AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return 0;
	return n ? add_member(s, span_first(all, n), &st, false) : look_for_v1(s, name, &st);
}

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = strverscmp(x->name, y->name);

	if (order || x->v1 != y->v1)
		return order ? order : x->v1 - y->v1;
	return (x->id.ino > y->id.ino) - (x->id.ino < y->id.ino);
}

static int compare_name(const void *name, const void *member)
{
	return strverscmp(name, ((const struct member *)member)->name);
}

static int compare_work(const void *a, const void *b)
{
	return strverscmp(((const struct leftover *)a)->name, ((const struct leftover *)b)->name);
}

/* A name that several files have (V1's shards; V1 beside V2, which counts) is one member. */
static void sort(struct collection *c)
{
	size_t n = 0;

	if (c->n)
		qsort(c->members, c->n, sizeof(*c->members), compare_members);
	if (c->n_work)
		qsort(c->work, c->n_work, sizeof(*c->work), compare_work);
	for (size_t i = 0; i < c->n; i++)
		if (!n || strcmp(c->members[n - 1].name, c->members[i].name) != 0)
			c->members[n++] = c->members[i];
	c->n = n;
}

/* ---- the latest ---- */

/* What stands behind the last such character of a path; all of it if there is none. */
static struct span behind_last(struct span path, char c)
{
	const uint8_t *last = path.n ? memrchr(path.p, c, path.n) : NULL;

	return last ? span_skip(path, (size_t)(last - path.p) + 1) : path;
}

/* The member of that name, or the one whose V1 shards the name is the pattern of. */
static const struct member *find_name(const struct collection *c, struct span s)
{
	cleanup_buf struct buf name = {0};
	size_t n;

	if (memchr(s.p, 0, s.n))
		return NULL;
	buf_add(&name, s);
	buf_add_u8(&name, 0);
	if (name.failed)
		return NULL;
	if (!collection_find(c, (const char *)name.p) &&
	    v1_parse_shard_name((const char *)name.p, &n))
		name.p[n] = '\0';
	return collection_find(c, (const char *)name.p);
}

/* The member that a path means; TensorFlow on Windows writes backslashes into it. */
static const struct member *find_path(const struct collection *c, struct span path)
{
	struct span name = behind_last(path, '/');
	const struct member *found = find_name(c, name);

	return found ? found : find_name(c, behind_last(name, '\\'));
}

static void note_latest(struct collection *c, struct span path)
{
	if (!c->latest)
		buf_printf(&c->notes,
			   "no latest: the file checkpoint names '%s', which is not "
			   "there",
			   quote(path));
	else if (!span_starts(path, span_str(c->latest)))
		buf_printf(&c->notes,
			   "the file checkpoint names '%s'; latest is the checkpoint of that name "
			   "here",
			   quote(path));
}

static int read_state(const struct place *place, struct collection *c)
{
	cleanup_file struct file file = {0};
	cleanup_buf struct buf path = {0};
	struct error why = {""};
	const struct member *m;
	int r = file_read(place->rootfd, state_name, CHECKPOINT_STATE_MAX, &file, &why);

	if (r == -ENOMEM || r == -ENOENT)
		return r == -ENOENT ? 0 : r;
	c->state = file.id;
	if (r == 0)
		r = checkpoint_state_latest(buf_span(&file.bytes), &path, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		buf_printf(&c->notes, "no latest: the file checkpoint: %s", why.text);
		return 0;
	}
	m = find_path(c, buf_span(&path));
	c->latest = m ? m->name : NULL;
	note_latest(c, buf_span(&path));
	return 0;
}

static void note_nameless(const struct place *place, struct collection *c)
{
	if (bundle_has_index(place, ""))
		buf_printf(&c->notes, "%sa checkpoint without a name is not shown: mount %s/%s",
			   c->notes.n ? "; " : "", place->root, BUNDLE_INDEX);
}

int collection_scan(const struct place *place, struct collection *ret, struct error *err)
{
	struct collection c = {0};
	struct scan s = {.place = place, .c = &c};
	cleanup_dir DIR *dir = place_list(place);
	struct dirent *entry;
	int r = dir ? 0 : error_errno(err, "%s", place->root);

	while (r == 0 && (entry = readdir(dir)))
		r = look_at(&s, entry);
	sort(&c);
	if (r == 0)
		r = read_state(place, &c);
	note_nameless(place, &c);
	if (r < 0)
		collection_release(&c);
	else
		*ret = c;
	return r;
}

void collection_release(struct collection *c)
{
	free(c->members);
	free(c->work);
	buf_release(&c->notes);
	arena_release(&c->arena);
	*c = (struct collection){0};
}

const struct member *collection_find(const struct collection *c, const char *name)
{
	return c->n ? bsearch(name, c->members, c->n, sizeof(*c->members), compare_name) : NULL;
}

size_t collection_edited(const struct collection *c, bool gone, struct buf *names)
{
	enum { NAMES = 3 };
	size_t n = 0;

	for (size_t i = 0; i < c->n_work; i++) {
		const struct leftover *w = &c->work[i];

		if (!w->edits || (gone && collection_find(c, w->name)))
			continue;
		if (n++ < NAMES && names)
			buf_printf(names, "%s%s.weightfs", n > 1 ? ", " : "",
				   quote(span_str(w->name)));
	}
	if (n > NAMES && names)
		buf_printf(names, " and %zu more", n - NAMES);
	return n;
}

bool collection_identify(const struct place *folder, const char *name, struct file_id *ret)
{
	cleanup_buf struct buf index = {0};
	struct stat st;

	bundle_index_name(name, &index);
	if (index.failed || fstatat(folder->rootfd, (const char *)index.p, &st, 0) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	*ret = file_id_of(&st);
	return true;
}

struct file_id collection_state(const struct place *folder)
{
	struct stat st;

	return fstatat(folder->rootfd, state_name, &st, 0) == 0 ? file_id_of(&st)
								: (struct file_id){0};
}

int collection_argument(const struct place *folder, const char *name, struct buf *out)
{
	struct stat st;

	buf_printf(out, "%s/", folder->root);
	if (fstatat(folder->rootfd, name, &st, 0) == 0 && S_ISDIR(st.st_mode))
		bundle_index_name(name, out);
	else
		buf_add_str(out, name);
	buf_add_u8(out, 0);
	return buf_error(out);
}
