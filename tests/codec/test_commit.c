/* Commits that go wrong, and what is left of the edits then. */
#include "bundles.h"

#include <fcntl.h>
#include <sys/file.h>

#include "codec/save/commit.h"
#include "codec/content/content.h"
#include "codec/base/crc32c.h"
#include "codec/save/recover.h"
#include "codec/save/steps.h"
#include "codec/work/edits.h"
#include "codec/open.h"

enum { ROW = 4096, ROWS = 2, SIZE = ROW * ROWS };

static struct folder folder;
static struct model *model;
static uint8_t values[SIZE];

/* Of a bundle that is not complete nothing can be rewritten: the edits become one shard more. */
static const struct made_tensor tensors[] = {
	{"v", DTYPE_UINT8, 1, {ROWS}, {{0}}, true},
	{"w", DTYPE_UINT8, 2, {ROWS, ROW}, {{1, 1}, {ROW}}, false},
	{"x", DTYPE_UINT8, 1, {ROW}, {{0}}, false},
	{"y", DTYPE_UINT8, 1, {0}, {{0}}, false},
};

static int setup(void **state)
{
	uint8_t *contents[] = {values, values, values, values};
	uint64_t seed = 1;

	(void)state;
	folder_make(&folder);
	for (size_t i = 0; i < SIZE; i++)
		values[i] = (uint8_t)random_next(&seed);
	bundle_make(&folder, "m", tensors, contents, ARRAY_SIZE(tensors));
	model = open_to_edit(folder.path, "m", EDITS_LOCK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (edits_exist(model))
		(void)edits_remove(model, NULL);
	model = model_close(model);
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
	model = model_close(model);
	model = open_to_edit(folder.path, "m", EDITS_LOCK);
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
	model_set_read_only(model, -EROFS, "half way");
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
		{STEP_PUT, "old", 0, "new", "old"},
		{STEP_PUT, "his", -ESTALE, "his", "new"},
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
		assert_int_equal(steps_resume(&s, &err), cases[i].r);
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
	};

	return RUN(tests);
}
