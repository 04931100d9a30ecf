#include "scripts.h"

#include "records.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/work/data_file.h"
#include "codec/work/edits.h"
#include "codec/work/work.h"
#include "codec/open.h"

enum { ALIGN = 4096 };

const struct made_tensor tensors[TENSORS] = {
	{"a", DTYPE_UINT8, 1, {10007}, {{0}}, false},
	{"grid", DTYPE_FLOAT32, 2, {64, 64}, {{20, 44}, {64}}, false},
	{"words", DTYPE_STRING, 0, {0}, {{0}}, false},
};

struct folder folder;
struct model *model;
uint8_t base[TENSORS][LARGEST], data[DATA];
struct buf index_now, index_staged, index_other;
const char made_name[] = "m.data-00000-of-00003";

/* ---- records ---- */

bool record_is(const struct record *r, const char *word)
{
	return strcmp(r->word, word) == 0;
}

bool record_has_region(const struct record *r)
{
	return record_is(r, "overlay") || record_is(r, "draft") || record_is(r, "replace") ||
	       record_is(r, "short");
}

static size_t size_of_region(const struct record *r)
{
	if (record_is(r, "replace"))
		return r->count;
	return r->tensor < WORDS ? made_size(&tensors[r->tensor]) - record_is(r, "short") : 1;
}

/* Gives a region its place behind the others. */
static void place_region(struct record *r, size_t *end)
{
	r->size = size_of_region(r);
	r->offset = *end;
	*end += (r->size + ALIGN - 1) / ALIGN * ALIGN;
	assert_true(*end <= DATA);
}

static uint64_t inode_of(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(folder.fd, name, &st, 0), 0);
	return st.st_ino;
}

/* The number of an object, which is told of where it comes up first. */
static uint32_t object_of(struct script *s, const char *key)
{
	uint32_t i = 0;

	if (strcmp(key, "?") == 0)
		return 99;
	while (i < s->n_objects && strcmp(s->objects[i], key) != 0)
		i++;
	if (i == s->n_objects) {
		assert_true(i < ARRAY_SIZE(s->objects));
		strcpy(s->objects[s->n_objects++], key);
		record_object(&s->journal, i + 1, key);
	}
	return i + 1;
}

static void write_record(struct script *s, const struct record *r)
{
	struct buf *journal = &s->journal;

	if (record_has_region(r))
		record_region(journal, r->id, object_of(s, r->what),
			      record_is(r, "draft") || record_is(r, "replace"), r->offset, r->size);
	else if (record_is(r, "text"))
		record_draft(journal, r->id, object_of(s, r->what));
	else if (record_is(r, "object"))
		record_object(journal, r->id, r->what);
	else if (record_is(r, "blocks"))
		record_blocks(journal, r->id, strtoull(r->what, NULL, 10), r->count);
	else if (record_is(r, "accept") || record_is(r, "holes"))
		record_accept(journal, r->id, record_is(r, "holes"));
	else if (record_is(r, "drop"))
		record_drop(journal, r->id);
	else if (record_is(r, "synced"))
		record_synced(journal);
	else if (record_is(r, "boot"))
		record_boot(journal, boot_id().text);
	else if (record_is(r, "stage"))
		record_stage(journal, made_name, inode_of(made_name));
	else if (record_is(r, "intent"))
		record_intent(journal, "m.index", buf_span(&index_now), buf_span(&index_staged),
			      NULL);
	else if (record_is(r, "abort") || record_is(r, "swept"))
		record_abort(journal, record_is(r, "swept"));
	else
		fail_msg("no record: '%s'", r->word);
}

static void read_record(const char *text, struct record *r, size_t *end)
{
	*r = (struct record){0};
	assert_true(sscanf(text, " %9[a-z] %u %23[^; ] %u", r->word, &r->id, r->what, &r->count) >
		    0);
	while (r->tensor < TENSORS && strcmp(tensors[r->tensor].key, r->what) != 0)
		r->tensor++;
	if (record_has_region(r))
		place_region(r, end);
}

void script_read(struct script *s, const char *text, bool this_boot, struct span index)
{
	size_t end = DATA_HEADER;

	*s = (struct script){.text = text, .this_boot = this_boot};
	buf_add_str(&s->journal, records_magic);
	record_begin(&s->journal, "m.index", index, this_boot ? boot_id().text : "another boot");
	s->begun = s->journal.n;
	for (; *text; text += strcspn(text, ";"), text += *text == ';') {
		struct record *r = &s->records[s->n++];

		assert_true(s->n <= RECORDS);
		read_record(text, r, &end);
		write_record(s, r);
		r->end = s->journal.n;
	}
}

void script_release(struct script *s)
{
	buf_release(&s->journal);
}

/* ---- a work folder as a daemon has left it ---- */

bool exists(const char *name)
{
	return faccessat(folder.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void assert_file(const char *name, struct span expected)
{
	cleanup_buf struct buf now = {0};

	folder_read(&folder, name, &now);
	assert_same(buf_span(&now), expected);
}

void leave(struct span journal)
{
	assert_int_equal(mkdirat(folder.fd, "m.weightfs", 0700), 0);
	folder_write(&folder, "m.weightfs/journal", journal);
	folder_write(&folder, "m.weightfs/data.0", span_of(data, DATA));
	folder_write(&folder, "m.weightfs/stage.0", buf_span(&index_staged));
}

void restore_made_name(void)
{
	if (!exists(made_name))
		assert_int_equal(linkat(folder.fd, "kept", folder.fd, made_name, 0), 0);
}

void clear(void)
{
	static const char *const names[] = {"journal", "data.0", "stage.0"};

	model = model_close(model);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_buf struct buf path = {0};

		buf_printf(&path, "m.weightfs/%s%c", names[i], 0);
		unlinkat(folder.fd, (const char *)path.p, 0);
	}
	unlinkat(folder.fd, "m.weightfs", AT_REMOVEDIR);
	assert_false(exists("m.weightfs"));
	folder_write(&folder, "m.index", buf_span(&index_now));
	restore_made_name();
}

void assert_untouched(struct span journal)
{
	assert_file("m.weightfs/journal", journal);
	assert_file("m.weightfs/data.0", span_of(data, DATA));
	assert_file("m.weightfs/stage.0", buf_span(&index_staged));
	assert_file("m.index", buf_span(&index_now));
}

/* ---- today's API ---- */

static void open_model(enum edits_mode mode)
{
	model = model_close(model);
	model = open_to_edit(folder.path, "m", mode);
}

int recover(struct recovery *ret, struct error *err)
{
	open_model(EDITS_LOCK);
	return recover_edits(model, ret, err);
}

int discard(struct recovery *ret, struct error *err)
{
	open_model(EDITS_LOCK);
	return recover_discard(model, ret, err);
}

int inspect(struct summary *ret, struct error *err)
{
	open_model(EDITS_LOOK);
	return recover_inspect(model, ret, err);
}

/* ---- the model ---- */

/* Writes the model with new values; its index is added. */
static void make_model(uint64_t *seed, struct buf *ret_index)
{
	uint8_t *contents[TENSORS] = {base[A], base[GRID], base[WORDS]};

	for (size_t i = 0; i < LARGEST; i++)
		base[A][i] = base[GRID][i] = (uint8_t)random_next(seed);
	strcpy((char *)base[WORDS], "some words");
	bundle_make(&folder, "m", tensors, contents, TENSORS);
	folder_read(&folder, "m.index", ret_index);
}

int scripts_setup(void **state)
{
	uint64_t seed = 1;

	(void)state;
	folder_make(&folder);
	for (size_t i = 0; i < DATA; i++)
		data[i] = (uint8_t)random_next(&seed);
	memcpy(data, data_file_magic.p, data_file_magic.n);
	make_model(&seed, &index_other);
	make_model(&seed, &index_staged);
	make_model(&seed, &index_now);
	folder_write(&folder, "kept", span_str("a data file"));
	restore_made_name();
	return 0;
}

int scripts_teardown(void **state)
{
	(void)state;
	clear();
	folder_unmake(&folder);
	buf_release(&index_now);
	buf_release(&index_staged);
	buf_release(&index_other);
	return 0;
}
