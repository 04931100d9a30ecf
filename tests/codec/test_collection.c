#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "codec/checkpoints/collection.h"
#include "codec/model/place.h"
#include "codec/container/sstable_format.h"

static void touch(const struct folder *f, const char *name)
{
	folder_write(f, name, span_str(""));
}

/* The names of the members, in order, with spaces between. */
static void list(const struct collection *c, struct buf *out)
{
	for (size_t i = 0; i < c->n; i++)
		buf_printf(out, i ? " %s" : "%s", c->members[i].name);
}

static void scan(const struct folder *f, struct collection *ret)
{
	struct error err = {""};
	struct place place;

	assert_int_equal(place_open(f->path, &place, &err), 0);
	assert_int_equal(collection_scan(&place, ret, &err), 0);
	place_release(&place);
}

static void assert_finds(const struct folder *f, const char *members, const char *latest,
			 const char *note)
{
	cleanup_collection struct collection c = {0};
	cleanup_buf struct buf names = {0};

	scan(f, &c);
	list(&c, &names);
	assert_says(buf_span(&names), members);
	if (latest)
		assert_string_equal(c.latest, latest);
	else
		assert_null(c.latest);
	buf_add_u8(&c.notes, 0);
	if (!strstr((const char *)c.notes.p, note) || (!*note && c.notes.n > 1))
		fail_msg("notes: %s", c.notes.p);
}

static bool probe(const struct folder *f, const char *name)
{
	cleanup_buf struct buf path = {0};
	struct place place;
	bool found;

	buf_printf(&path, "%s%s%c", f->path, name, 0);
	assert_int_equal(place_open((const char *)path.p, &place, NULL), 0);
	found = collection_probe(&place);
	place_release(&place);
	return found;
}

/* The end of a table is all that tells a V1 checkpoint from other files. */
static void write_table(const struct folder *f, const char *name)
{
	cleanup_buf struct buf table = {0};
	uint8_t *p = buf_extend(&table, SSTABLE_FOOTER - 8);

	memset(p, 0, SSTABLE_FOOTER - 8);
	buf_add_le64(&table, 0xdb4775248b80fb57u);
	folder_write(f, name, buf_span(&table));
}

TEST(what_is_a_folder_of_checkpoints)
{
	struct folder f;

	folder_make(&f);
	assert_false(probe(&f, ""));
	touch(&f, "a.index");
	assert_false(probe(&f, "")); /* one model */
	touch(&f, "b.index");
	assert_true(probe(&f, ""));
	assert_false(probe(&f, "/a"));
	assert_false(probe(&f, "/checkpoint"));
	touch(&f, "checkpoint");
	assert_true(probe(&f, ""));
	assert_true(probe(&f, "/checkpoint"));
	touch(&f, "checkpoint.index"); /* PREFIX comes first */
	assert_false(probe(&f, "/checkpoint"));
	touch(&f, "saved_model.pb");
	assert_false(probe(&f, ""));
	folder_unmake(&f);
}

TEST(one_checkpoint_with_a_state_is_a_folder)
{
	struct folder f;

	folder_make(&f);
	touch(&f, "checkpoint");
	touch(&f, "a.index");
	assert_true(probe(&f, ""));
	folder_unmake(&f);
}

/* save_weights("DIR/"): its files begin with a dot, and a backup of it too. */
TEST(a_checkpoint_without_a_name)
{
	struct folder f;

	folder_make(&f);
	touch(&f, ".index");
	touch(&f, ".bak.index");
	assert_false(probe(&f, ""));
	touch(&f, "checkpoint");
	assert_false(probe(&f, ""));
	assert_false(probe(&f, "/checkpoint"));
	touch(&f, "ckpt-1.index");
	assert_true(probe(&f, ""));
	assert_finds(&f, "ckpt-1", NULL, "a checkpoint without a name is not shown: mount /");
	unlinkat(f.fd, "checkpoint", 0);
	assert_true(probe(&f, ""));
	assert_false(probe(&f, "/.index"));
	folder_unmake(&f);
}

TEST(members_by_number)
{
	static const char *const names[] = {
		"ckpt-10.index",   "ckpt-9.index", "ckpt-9.data-00000-of-00001",
		"ckpt-9.meta",	   "graph.pbtxt",  "events.out.tfevents.1.host",
		".hidden.index",   "index",	   "ckpt-11.index.tmp",
		"checkpoint.tmp1",
	};
	struct folder f;

	folder_make(&f);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		touch(&f, names[i]);
	assert_int_equal(mkdirat(f.fd, "folder.index", 0700), 0);
	assert_finds(&f, "ckpt-9 ckpt-10", NULL, "");
	assert_int_equal(unlinkat(f.fd, "folder.index", AT_REMOVEDIR), 0);
	folder_unmake(&f);
}

TEST(v1_members)
{
	struct folder f;

	folder_make(&f);
	write_table(&f, "old");
	write_table(&f, "parts-00000-of-00002");
	write_table(&f, "parts-00001-of-00002");
	write_table(&f, "both");
	write_table(&f, "both.index");
	write_table(&f, "x.meta");
	touch(&f, "notes.txt");
	folder_write(&f, "checkpoint",
		     span_str("model_checkpoint_path: \"/x/parts-\?\?\?\?\?-of-00002\""));
	assert_finds(&f, "both old parts", "parts", "latest is the checkpoint of that name");
	folder_unmake(&f);
}

TEST(the_latest)
{
	static const struct {
		const char *state, *latest, *note;
	} cases[] = {
		{"model_checkpoint_path: \"ckpt-2\"", "ckpt-2", ""},
		{"model_checkpoint_path: \"/old/place/ckpt-1\"", "ckpt-1", "/old/place/ckpt-1"},
		{"model_checkpoint_path: \"../ckpt-1\"", "ckpt-1", "../ckpt-1"},
		{"model_checkpoint_path: \"C:\\\\Users\\\\me\\\\ckpt-2\"", "ckpt-2",
		 "C:\\Users\\me\\ckpt-2"},
		{"model_checkpoint_path: \"/run/c:\\\\ckpt-1\"", "c:\\ckpt-1", "/run/c:\\ckpt-1"},
		{"model_checkpoint_path: \"ckpt-3\" all_model_checkpoint_paths: \"ckpt-2\"", NULL,
		 "'ckpt-3', which is not there"},
		{"model_checkpoint_path: \"ckpt-1/\"", NULL, "not there"},
		{"model_checkpoint_path: \"ckpt-1.index\"", NULL, "not there"},
		{"model_checkpoint_path: \"ckpt-1\\000\"", NULL, "not there"},
		{"model_checkpoint_path: \"..\"", NULL, "not there"},
		{"garbage", NULL, "line 1"},
		{"", NULL, "names no checkpoint"},
	};
	struct folder f;

	folder_make(&f);
	touch(&f, "ckpt-1.index");
	touch(&f, "ckpt-2.index");
	touch(&f, "c:\\ckpt-1.index"); /* a Windows program's path, which Linux takes for a name */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		folder_write(&f, "checkpoint", span_str(cases[i].state));
		assert_finds(&f, "c:\\ckpt-1 ckpt-1 ckpt-2", cases[i].latest, cases[i].note);
	}
	folder_unmake(&f);
}

/* Of a member or of none; with edits if there is a journal. */
TEST(work_folders)
{
	cleanup_collection struct collection c = {0};
	struct folder f;

	folder_make(&f);
	touch(&f, "a.index");
	assert_int_equal(mkdirat(f.fd, "a.weightfs", 0700), 0);
	assert_int_equal(mkdirat(f.fd, "b.weightfs", 0700), 0);
	touch(&f, "b.weightfs/journal");
	scan(&f, &c);
	assert_int_equal(c.n_work, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(c.work[i].edits, strcmp(c.work[i].name, "b") == 0);
	unlinkat(f.fd, "b.weightfs/journal", 0);
	unlinkat(f.fd, "b.weightfs", AT_REMOVEDIR);
	unlinkat(f.fd, "a.weightfs", AT_REMOVEDIR);
	folder_unmake(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_a_folder_of_checkpoints),
		cmocka_unit_test(one_checkpoint_with_a_state_is_a_folder),
		cmocka_unit_test(a_checkpoint_without_a_name),
		cmocka_unit_test(members_by_number),
		cmocka_unit_test(v1_members),
		cmocka_unit_test(the_latest),
		cmocka_unit_test(work_folders),
	};

	return RUN(tests);
}
