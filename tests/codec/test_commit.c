/* Commits that go wrong, and what is left of the edits then. */
#include "support.h"

#include <fcntl.h>
#include <sys/file.h>

#include "codec/bundle/bundle.h"
#include "codec/save/commit.h"
#include "codec/content/content.h"
#include "codec/base/crc32c.h"
#include "codec/work/edits_state.h"
#include "codec/work/journal.h"
#include "codec/container/pbwire.h"
#include "codec/save/recover.h"
#include "codec/save/replay.h"
#include "codec/tensor/slices.h"
#include "codec/container/sstable.h"
#include "codec/save/steps.h"

enum { ROW = 4096, ROWS = 2, SIZE = ROW * ROWS };

static struct folder folder;
static struct model *model;
static uint8_t values[SIZE];

/*
 * ---- a bundle: w in two slices, x with the bytes of the first, y of none; and v, whose data file
 * is missing
 */

static void add_entry(struct sstable_writer *w, struct span key, const struct bundle_entry *entry)
{
	cleanup_buf struct buf value = {0};

	bundle_encode_entry(entry, &value);
	assert_int_equal(sstable_add(w, key, buf_span(&value)), 0);
}

static void add_slices(struct sstable_writer *w)
{
	static const int64_t row[] = {1, ROW}, starts[ROWS][2] = {{0, 0}, {1, 0}};
	static const bool full[] = {false, true};

	for (int i = 0; i < ROWS; i++) {
		struct span bytes = span_of(values + i * ROW, ROW);
		struct bundle_entry e = {
			.dtype = DTYPE_UINT8,
			.shape = {2, row},
			.extent = {0, crc32c_masked(bytes), (uint64_t)i * ROW, ROW},
		};
		cleanup_buf struct buf key = {0};

		slice_key(span_str("w"), 2, starts[i], row, full, &key);
		add_entry(w, buf_span(&key), &e);
	}
}

/* Of a bundle that is not complete nothing can be rewritten: the edits become one shard more. */
static void write_bundle(void)
{
	static int64_t shape[] = {ROWS, ROW}, start[] = {0, 0, 1, 0}, length[] = {1, ROW, 1, ROW};
	static bool full[] = {false, true, false, true};
	struct bundle_entry missing = {.dtype = DTYPE_UINT8, .shape = {1, shape}};
	struct bundle_entry whole = {.dtype = DTYPE_UINT8,
				     .shape = {2, shape},
				     .slices = ROWS,
				     .start = start,
				     .length = length,
				     .full = full};
	struct bundle_entry row = {.dtype = DTYPE_UINT8, .shape = {1, shape + 1}};
	static const int64_t none[] = {0};
	struct bundle_entry empty = {.dtype = DTYPE_UINT8, .shape = {1, none}};
	static const uint8_t header[] = {0x08, 2, 0x1a, 2, 0x08, 1}; /* two shards, version 1 */
	struct sstable_writer w = {0};

	missing.extent = (struct extent){1, 0, 0, ROWS};
	row.extent = (struct extent){0, crc32c_masked(span_of(values, ROW)), 0, ROW};
	assert_int_equal(sstable_add(&w, span_str(""), span_of(header, sizeof(header))), 0);
	add_slices(&w);
	add_entry(&w, span_str("v"), &missing);
	add_entry(&w, span_str("w"), &whole);
	add_entry(&w, span_str("x"), &row);
	add_entry(&w, span_str("y"), &empty);
	assert_int_equal(sstable_finish(&w), 0);
	folder_write(&folder, "m.index", buf_span(&w.file));
	folder_write(&folder, "m.data-00000-of-00002", span_of(values, SIZE));
	sstable_writer_release(&w);
}

static void open_model(void)
{
	cleanup_buf struct buf path = {0};
	struct error err = {""};

	buf_printf(&path, "%s/m%c", folder.path, 0);
	if (model_open((const char *)path.p, &model, &err) < 0 ||
	    edits_open(model, EDITS_LOCK, &err) < 0)
		fail_msg("%s", err.text);
}

static int setup(void **state)
{
	uint64_t seed = 1;

	(void)state;
	folder_make(&folder);
	for (size_t i = 0; i < SIZE; i++)
		values[i] = (uint8_t)random_next(&seed);
	write_bundle();
	open_model();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (edits_exist(model))
		(void)edits_remove(model, NULL);
	model = model_free(model);
	folder_unmake(&folder);
	return 0;
}

static struct content *open_for_write(const char *key)
{
	struct tensor *t = model_find(model, span_str(key));
	struct content *c;
	struct error err = {""};

	assert_non_null(t);
	if (content_open(model, t, true, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static void write_values(struct content *c, size_t at, const char *text)
{
	struct error err = {""};
	size_t n = strlen(text);

	memcpy(values + at, text, n);
	assert_int_equal(content_write(c, text, n, at, &err), n);
}

static void check_values(struct content *c)
{
	size_t n = (size_t)tensor_size(c->tensor);
	uint8_t now[SIZE];
	struct error err = {""};

	assert_int_equal(content_copy(c, 0, n, now, &err), 0);
	assert_same(span_of(now, n), span_of(values, n));
}

/* ---- edits outlive a commit that fails ---- */

/* Somebody writes another index while data is copied. */
static void spoil_index(void *context, uint64_t done, uint64_t all)
{
	(void)context;
	(void)done;
	(void)all;
	folder_write(&folder, "m.index", span_str("no index"));
}

static void fail_to_commit(void)
{
	struct commit_options options = {.progress = spoil_index};
	cleanup_buf struct buf index = {0};
	struct commit_report done;
	struct error err = {""};

	folder_read(&folder, "m.index", &index);
	assert_true(commit_model(model, &options, &done, &err) < 0);
	folder_write(&folder, "m.index", buf_span(&index));
}

TEST(edits_of_a_partitioned_variable_outlive_a_failed_commit)
{
	struct content *c = open_for_write("w");

	write_values(c, ROW - 3, "across both");
	fail_to_commit();
	check_values(c);
	content_close(c, true, NULL);
}

/* The data file is cut short before that: what was dropped lies behind its end. */
TEST(a_failed_commit_and_a_kill_after_a_dropped_draft)
{
	struct content *c = open_for_write("x");
	struct recovery found;
	struct error err = {""};

	write_values(c, 7, "kept");
	assert_int_equal(content_truncate(c, 0, &err), 0);
	assert_int_equal(content_write(c, "short", 5, 0, &err), 5);
	assert_int_equal(content_close(c, true, &err), CONTENT_DROPPED);
	fail_to_commit();
	model = model_free(model);
	open_model();
	if (recover_edits(model, &found, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(found.tensors, 1);
	c = open_for_write("x");
	check_values(c);
	content_close(c, true, NULL);
}

/* ---- what is saved is what was written ---- */

static int fill_nothing(void *context, uint8_t *to, size_t n, uint64_t at)
{
	(void)context;
	(void)to;
	(void)at;
	assert_int_equal(n, 0);
	return 0;
}

/* Its region begins where that of the next edit does. */
TEST(an_edit_of_no_bytes_before_another)
{
	struct commit_options options = {.progress = NULL};
	struct tensor *empty = model_find(model, span_str("y"));
	struct content *c = open_for_write("x");
	struct commit_report done;
	struct error err = {""};

	assert_int_equal(content_overwrite(model, empty, fill_nothing, NULL, &err), 0);
	write_values(c, 7, "kept");
	if (commit_model(model, &options, &done, &err) < 0)
		fail_msg("%s", err.text);
	check_values(c);
	content_close(c, true, NULL);
}

/* ---- handles that are open when something else goes wrong ---- */

TEST(a_draft_that_was_given_up_is_not_written_in_place)
{
	struct content *c = open_for_write("w");
	struct error err = {""};

	assert_int_equal(content_truncate(c, 0, &err), 0);
	assert_int_equal(content_write(c, "first", 5, 0, &err), 5);
	assert_true(content_revert(model, c->tensor));
	assert_refused((int)content_write(c, "second", 6, 5, &err), -EIO, &err, "dropped");
	assert_refused(content_flush(c, &err), -EIO, &err, "dropped");
	assert_int_equal(content_close(c, true, NULL), CONTENT_SAME);
	c = open_for_write("w");
	check_values(c);
	write_values(c, 0, "again");
	check_values(c);
	content_close(c, true, NULL);
}

TEST(a_draft_that_nobody_closed_says_so)
{
	static uint8_t zeros[SIZE];
	struct content *c = open_for_write("w");
	struct error err = {""};

	assert_int_equal(content_truncate(c, 0, &err), 0);
	assert_int_equal(content_write(c, zeros, SIZE, 0, &err), SIZE);
	assert_int_equal(content_close(c, true, &err), CONTENT_DROPPED);
	assert_non_null(strstr(err.text, "nobody closed it"));
}

TEST(an_open_file_cannot_be_written_when_the_model_became_read_only)
{
	struct content *c = open_for_write("w");
	struct error err = {""};

	write_values(c, 0, "before");
	model->read_only = -EROFS;
	strcpy(model->why_read_only, "half way");
	assert_refused((int)content_write(c, "x", 1, 0, &err), -EROFS, &err, "half way");
	assert_refused(content_truncate(c, 0, &err), -EROFS, &err, "half way");
	assert_int_equal(content_flush(c, &err), CONTENT_SAME);
	check_values(c);
	content_close(c, true, NULL);
}

/* ---- steps that are taken back ---- */

static bool is_locked(const char *name)
{
	int fd = openat(folder.fd, name, O_RDONLY | O_CLOEXEC);
	bool free = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;

	assert_true(fd >= 0);
	close(fd);
	return !free;
}

static struct content_id id_of(const char *text)
{
	return (struct content_id){strlen(text), crc32c_extend(0, span_str(text))};
}

TEST(the_lock_goes_back_with_the_file)
{
	struct step step[] = {
		{STEP_REPLACE, strdup("index"), strdup("stage.0"), id_of("old"), id_of("new"), 0},
		{STEP_REPLACE, strdup("other"), strdup("stage.1"), id_of("a"), id_of("b"), 0},
	};
	int lock = -1;
	struct steps s = {.rootfd = folder.fd,
			  .workfd = folder.fd,
			  .step = step,
			  .n = 2,
			  .locked = "index",
			  .lockfd = &lock};
	struct error err = {""};

	folder_write(&folder, "index", span_str("old"));
	folder_write(&folder, "stage.0", span_str("new"));
	folder_write(&folder, "other", span_str("somebody else's"));
	folder_write(&folder, "stage.1", span_str("b"));
	lock = openat(folder.fd, "index", O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	assert_refused(steps_run(&s, &err), -ESTALE, &err, "other");
	assert_true(is_locked("index"));
	assert_int_equal(steps_undo(&s, &err), 0);
	assert_true(is_locked("index"));
	assert_false(is_locked("stage.0"));
	close(lock);
	for (size_t i = 0; i < ARRAY_SIZE(step); i++) {
		free(step[i].name);
		free(step[i].staged);
	}
}

static uint64_t inode_of(const char *name)
{
	struct stat st;

	return fstatat(folder.fd, name, &st, 0) == 0 ? st.st_ino : 0;
}

static void check_file(const char *name, const char *content)
{
	cleanup_buf struct buf now = {0};

	folder_read(&folder, name, &now);
	assert_says(buf_span(&now), content);
}

/*
 * Who was killed between the exchange and his look at what came out: somebody else's file is in the
 * work folder then, and goes back where it was put.
 */
TEST(what_came_out_goes_back)
{
	static const struct {
		enum step_kind kind;
		const char *staged;
		int r;
		const char *name_then, *staged_then;
	} cases[] = {
		{STEP_REPLACE, "old", 0, "new", "old"},
		{STEP_REPLACE, "his", -ESTALE, "his", "new"},
		{STEP_PLACE, "old", 0, "new", "old"},
		{STEP_PLACE, "his", -ESTALE, "his", "new"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[] = "name", staged[] = "stage.0";
		struct step step = {cases[i].kind, name, staged, id_of("old"), id_of("new"), 0, 0};
		struct steps s = {.rootfd = folder.fd, .workfd = folder.fd, .step = &step, .n = 1};
		struct error err = {""};

		folder_write(&folder, name, span_str("new"));
		folder_write(&folder, staged, span_str(cases[i].staged));
		step.inode = inode_of(name);
		step.was = cases[i].r ? 42 : inode_of(staged);
		assert_int_equal(steps_run(&s, &err), cases[i].r);
		assert_int_equal(s.final, false);
		check_file(name, cases[i].name_then);
		check_file(staged, cases[i].staged_then);
	}
}

/* The same of a name that goes. */
TEST(what_was_moved_aside_goes_back)
{
	folder_write(&folder, "stage.0", span_str("his"));
	assert_int_equal(file_remove_inode(folder.fd, "name", 42, folder.fd, "stage.0"), 0);
	check_file("name", "his");
	assert_int_equal(file_remove_inode(folder.fd, "name", 42, folder.fd, "stage.0"), 0);
	check_file("name", "his");
	assert_int_equal(
		file_remove_inode(folder.fd, "name", inode_of("name"), folder.fd, "stage.0"), 0);
	assert_int_equal(inode_of("name") + inode_of("stage.0"), 0);
}

/* ---- a journal of another boot ---- */

static struct edits edits;

static void append(Weightfs__Record__KindCase kind, void *body)
{
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	struct error err = {""};

	record.kind_case = kind;
	record.synced = body; /* whichever of the union it is */
	assert_int_equal(journal_append(&edits.journal, &record, &err), 0);
}

static void append_synced(void)
{
	Weightfs__Synced body = WEIGHTFS__SYNCED__INIT;

	append(WEIGHTFS__RECORD__KIND_SYNCED, &body);
}

static void append_drop(void)
{
	Weightfs__Drop body = WEIGHTFS__DROP__INIT;

	append(WEIGHTFS__RECORD__KIND_DROP, &body);
}

static void append_stage(void)
{
	Weightfs__Stage body = WEIGHTFS__STAGE__INIT;
	Weightfs__Stage__Name name = WEIGHTFS__STAGE__NAME__INIT, *names[] = {&name};

	name.name = pb_data(span_str("m.data-00000-of-00003"));
	body.n_names = 1;
	body.names = names;
	append(WEIGHTFS__RECORD__KIND_STAGE, &body);
}

static void append_intent(void)
{
	Weightfs__Intent body = WEIGHTFS__INTENT__INIT;
	Weightfs__Intent__Step step = WEIGHTFS__INTENT__STEP__INIT, *steps[] = {&step};

	body.n_steps = 1;
	body.steps = steps;
	append(WEIGHTFS__RECORD__KIND_INTENT, &body);
}

static void append_abort(void)
{
	Weightfs__Abort body = WEIGHTFS__ABORT__INIT;

	append(WEIGHTFS__RECORD__KIND_ABORT, &body);
}

/* An edit that was synced, and one that was not. */
static void begin_journal(void)
{
	Weightfs__Begin begin = WEIGHTFS__BEGIN__INIT;
	struct error err = {""};

	edits = (struct edits){.model = model, .workfd = folder.fd};
	assert_int_equal(journal_create(folder.fd, "journal", &edits.journal, &err), 0);
	begin.version = 1;
	begin.boot_id = pb_data(span_str("another boot"));
	append(WEIGHTFS__RECORD__KIND_BEGIN, &begin);
	append_drop();
	append_synced();
	append_drop();
}

static void read_journal(struct replay *p)
{
	struct error err = {""};

	journal_close(&edits.journal);
	if (replay_read(p, &edits, &err) < 0)
		fail_msg("%s", err.text);
}

static void end_journal(struct replay *p)
{
	replay_release(p);
	journal_close(&edits.journal);
	unlinkat(folder.fd, "journal", 0);
}

TEST(an_intent_of_another_boot_counts)
{
	struct replay p;

	begin_journal();
	append_stage();
	append_intent();
	read_journal(&p);
	assert_true(p.intent.n && p.stage.n);
	assert_true(p.believed > p.edited);
	end_journal(&p);
}

/* What it had staged may be gone: it could never be finished. */
TEST(an_intent_of_another_boot_that_was_taken_back)
{
	struct replay p;

	begin_journal();
	append_stage();
	append_intent();
	append_abort();
	read_journal(&p);
	assert_true(p.stage.n); /* it says which names are to be swept */
	assert_false(p.intent.n);
	assert_true(p.believed < p.edited);
	end_journal(&p);
}

TEST(names_of_a_commit_of_another_boot_are_known)
{
	struct replay p;

	begin_journal();
	append_stage();
	read_journal(&p);
	assert_true(p.stage.n);
	assert_false(p.intent.n);
	assert_true(p.believed < p.edited);
	end_journal(&p);
}

TEST(a_commit_is_no_edit_that_was_lost)
{
	struct replay p;

	begin_journal();
	append_synced();
	append_stage();
	append_intent();
	append_abort();
	read_journal(&p);
	assert_true(p.believed > p.edited);
	end_journal(&p);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(edits_of_a_partitioned_variable_outlive_a_failed_commit),
		CASE(a_failed_commit_and_a_kill_after_a_dropped_draft),
		CASE(an_edit_of_no_bytes_before_another),
		CASE(a_draft_that_was_given_up_is_not_written_in_place),
		CASE(a_draft_that_nobody_closed_says_so),
		CASE(an_open_file_cannot_be_written_when_the_model_became_read_only),
		CASE(the_lock_goes_back_with_the_file),
		CASE(what_came_out_goes_back),
		CASE(what_was_moved_aside_goes_back),
		CASE(an_intent_of_another_boot_counts),
		CASE(an_intent_of_another_boot_that_was_taken_back),
		CASE(names_of_a_commit_of_another_boot_are_known),
		CASE(a_commit_is_no_edit_that_was_lost),
	};

	return RUN(tests);
}
