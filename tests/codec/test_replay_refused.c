/*
 * Journals that cannot be used: of edits for another state of the model, of a newer version,
 * damaged ones. They are refused with the way out, and nothing is touched; or there is nothing in
 * them.
 */
#include "scripts.h"

#include "records.h"

#include <sys/stat.h>
#include <unistd.h>

/* Whoever mounts, or only looks, is told so; and finds all as it was left. */
static void check_refused_by_all(struct span journal, int code, const char *words,
				 const char *way_out)
{
	struct recovery found;
	struct summary summary;
	struct error err = {""};

	assert_refused(recover(&found, &err), code, &err, words);
	assert_non_null(strstr(err.text, way_out));
	assert_untouched(journal);
	err.text[0] = 0;
	assert_refused(inspect(&summary, &err), code, &err, words);
	assert_untouched(journal);
}

static void check_discarded(void)
{
	struct recovery found;
	struct error err = {""};

	if (discard(&found, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(found.finished || exists("m.weightfs"));
	assert_file("m.index", buf_span(&index_now));
}

/* ---- edits for another state of the model ---- */

static const struct {
	const char *text;
	bool this_boot;
	int code;  /* of a mount */
	bool lost; /* it says that edits are */
} foreign[] = {
	{"overlay 1 a; blocks 1 0 1", true, -ESTALE, false},
	{"overlay 1 a; blocks 1 0 1; synced", false, -ESTALE, false},
	{"overlay 1 a; drop 1", true, -ESTALE, false},
	{"text 1 words", true, -ESTALE, false},
	{"stage", true, -ESTALE, false},
	/* Edits of a model of which we know nothing are not looked at. */
	{"overlay 1 nothing; blocks 7 0 1; accept 9", true, -ESTALE, false},
	/* Nothing was edited, or nothing of it can be there. */
	{"", true, 0, false},
	{"synced", true, 0, false},
	{"", false, 0, false},
	{"overlay 1 a; blocks 1 0 1", false, 0, true},
};

static void check_foreign(const struct script *s, int code, bool lost)
{
	struct span journal = buf_span(&s->journal);
	struct recovery found;
	struct summary summary;
	struct error err = {""};

	leave(journal);
	assert_int_equal(inspect(&summary, &err), 0);
	assert_true(summary.foreign && !summary.decided && !summary.drafts);
	assert_untouched(journal);
	if (code < 0) {
		assert_refused(recover(&found, &err), code, &err, "another state of the model");
		assert_non_null(strstr(err.text, "'weightctl discard"));
		assert_untouched(journal);
		check_discarded();
	} else {
		assert_int_equal(recover(&found, &err), 0);
		assert_int_equal(found.lost, lost);
		assert_false(found.tensors || found.dropped || exists("m.weightfs"));
	}
	clear();
}

TEST(edits_for_another_state)
{
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		struct script s;

		script_read(&s, foreign[i].text, foreign[i].this_boot, buf_span(&index_other));
		check_foreign(&s, foreign[i].code, foreign[i].lost);
		script_release(&s);
	}
}

static const char decided[] = "overlay 1 a; blocks 1 0 1; stage; intent";

/* Killed behind the rename: the index is what the commit made, and what is left to do is done. */
TEST(a_commit_whose_index_is_in_place)
{
	struct recovery found;
	struct error err = {""};
	struct script s;

	script_read(&s, decided, true, buf_span(&index_now));
	leave(buf_span(&s.journal));
	folder_write(&folder, "m.index", buf_span(&index_staged));
	assert_int_equal(recover(&found, &err), 0);
	assert_true(found.finished);
	assert_false(exists("m.weightfs"));
	assert_file("m.index", buf_span(&index_staged));
	clear();
	script_release(&s);
}

/* Somebody else has written the index meanwhile: it is theirs. */
TEST(a_commit_whose_index_is_another)
{
	struct recovery found;
	struct error err = {""};
	struct script s;

	script_read(&s, decided, true, buf_span(&index_now));
	leave(buf_span(&s.journal));
	folder_write(&folder, "m.index", buf_span(&index_other));
	assert_refused(recover(&found, &err), -ESTALE, &err, "another state of the model");
	assert_file("m.weightfs/journal", buf_span(&s.journal));
	assert_file("m.index", buf_span(&index_other));
	assert_int_equal(discard(&found, &err), 0);
	assert_false(found.finished || exists("m.weightfs"));
	assert_file("m.index", buf_span(&index_other));
	clear();
	script_release(&s);
}

/* ---- another version ---- */

/* Who wrote it knows more than we do: not even a discard touches it. */
static void check_version(struct span journal, const char *words)
{
	struct recovery found;
	struct error err = {""};

	leave(journal);
	check_refused_by_all(journal, -ENOTSUP, words, "-o ro");
	assert_refused(discard(&found, &err), -ENOTSUP, &err, words);
	assert_untouched(journal);
	clear();
}

/* A journal with a frame of a kind that nobody knows behind record k - 1. */
static void insert_unknown(const struct script *s, size_t k, struct buf *out)
{
	struct span journal = buf_span(&s->journal);
	size_t at = k ? s->records[k - 1].end : s->begun;

	buf_add(out, span_first(journal, at));
	record_frame(out, span_of("\xf2\x06\x00", 3)); /* kind 110, empty */
	buf_add(out, span_skip(journal, at));
}

TEST(a_record_of_an_unknown_kind_anywhere)
{
	struct script s;

	for (int this_boot = 0; this_boot < 2; this_boot++) {
		script_read(&s, "overlay 1 a; blocks 1 0 1; synced; draft 2 grid; accept 2",
			    this_boot, buf_span(&index_now));
		for (size_t k = 0; k <= s.n; k++) {
			cleanup_buf struct buf journal = {0};

			insert_unknown(&s, k, &journal);
			check_version(buf_span(&journal), "another version");
		}
		script_release(&s);
	}
}

TEST(a_journal_of_another_version)
{
	struct script s;
	size_t last = strlen(records_magic) - 1;

	script_read(&s, "overlay 1 a; blocks 1 0 1", true, buf_span(&index_now));
	s.journal.p[last] = '3';
	check_version(buf_span(&s.journal), "another version");
	s.journal.p[last - 1] = '9';
	check_version(buf_span(&s.journal), "another version");
	memcpy(s.journal.p, "WFSJNL01", 8);
	check_version(buf_span(&s.journal), "save or discard the edits with that one");
	script_release(&s);
}

/* ---- damage ---- */

static void check_damaged(struct span journal, const char *words)
{
	leave(journal);
	check_refused_by_all(journal, -EBADMSG, words, "'weightctl discard");
	check_discarded();
	clear();
}

TEST(records_that_make_no_sense)
{
	static const struct {
		const char *text, *words;
	} damaged[] = {
		{"overlay 1 nothing", "does not have"},
		{"overlay 1 ?", "no tensor of this model"},
		{"text 1 ?", "nothing in this model"},
		{"object 2 a", "objects out of order"},
		{"overlay 1 a; object 1 grid", "objects out of order"},
		{"short 1 a", "no tensor of this model"},
		{"overlay 1 words", "no tensor of this model"},
		{"replace 1 a 17", "no tensor of this model"},
		{"text 1 nothing", "does not have"},
		{"overlay 2 a", "out of order"},
		{"overlay 1 a; overlay 1 grid", "out of order"},
		{"overlay 1 a; overlay 3 grid", "out of order"},
		{"text 2 words", "out of order"},
		{"blocks 1 0 1", "blocks of no region"},
		{"text 1 words; blocks 1 0 1", "blocks of no region"},
		{"overlay 1 a; drop 1; blocks 1 0 1", "blocks of no region"},
		{"overlay 1 a; blocks 1 0 4", "blocks of no region"},
		{"overlay 1 a; blocks 1 3 1", "blocks of no region"},
		{"overlay 1 a; blocks 1 18446744073709551615 2", "blocks of no region"},
		{"accept 1", "not begun"},
		{"text 1 words; accept 1", "not begun"},
		{"draft 1 a; drop 1; accept 1", "not begun"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		struct script s;

		script_read(&s, damaged[i].text, true, buf_span(&index_now));
		check_damaged(buf_span(&s.journal), damaged[i].words);
		script_release(&s);
	}
}

/* What says which model the edits are for is missing. */
TEST(a_journal_without_its_beginning)
{
	cleanup_buf struct buf journal = {0};
	struct script s;

	script_read(&s, "overlay 1 a; blocks 1 0 1", true, buf_span(&index_now));
	buf_add_str(&journal, records_magic);
	buf_add(&journal, span_skip(buf_span(&s.journal), s.begun));
	check_damaged(buf_span(&journal), "first record is missing");
	check_damaged(span_str("no journal at all"), "no journal of weightfs");
	script_release(&s);
}

/* ---- the data file ---- */

/* All that a script needs of it is [0, end); what was dropped need not be there. */
static void check_cut_data(const char *text, size_t end)
{
	struct script s;
	struct recovery found;
	struct error err = {""};

	script_read(&s, text, true, buf_span(&index_now));
	for (int lacks = 0; lacks < 2; lacks++) {
		leave(buf_span(&s.journal));
		folder_write(&folder, "m.weightfs/data.0", span_of(data, end - (size_t)lacks));
		if (lacks)
			assert_refused(recover(&found, &err), -EBADMSG, &err, "data file");
		else
			assert_int_equal(recover(&found, &err), 0);
		assert_int_equal(exists("m.weightfs/journal"), lacks || found.tensors);
		clear();
	}
	script_release(&s);
}

TEST(a_data_file_that_was_cut_short)
{
	enum { HEADER = 4096, A_SIZE = 10007, A_SPACE = 12288, GRID_SIZE = 16384 };

	check_cut_data("overlay 1 a", HEADER + A_SIZE);
	check_cut_data("overlay 1 a; drop 1", HEADER);
	check_cut_data("overlay 1 grid; overlay 2 a; drop 2", HEADER + GRID_SIZE);
	check_cut_data("draft 1 a; draft 2 grid", HEADER + A_SPACE + GRID_SIZE);
}

/* The data file goes before the journal does when a commit has been carried out. */
TEST(a_data_file_that_is_gone)
{
	static const char *const texts[] = {"overlay 1 a; blocks 1 0 1", decided};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct recovery found;
		struct error err = {""};
		struct script s;

		script_read(&s, texts[i], true, buf_span(&index_now));
		leave(buf_span(&s.journal));
		unlinkat(folder.fd, "m.weightfs/data.0", 0);
		if (texts[i] == decided)
			assert_int_equal(recover(&found, &err), 0);
		else
			assert_refused(recover(&found, &err), -EBADMSG, &err, "data.0");
		clear();
		script_release(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits_for_another_state),
		cmocka_unit_test(a_commit_whose_index_is_in_place),
		cmocka_unit_test(a_commit_whose_index_is_another),
		cmocka_unit_test(a_record_of_an_unknown_kind_anywhere),
		cmocka_unit_test(a_journal_of_another_version),
		cmocka_unit_test(records_that_make_no_sense),
		cmocka_unit_test(a_journal_without_its_beginning),
		cmocka_unit_test(a_data_file_that_was_cut_short),
		cmocka_unit_test(a_data_file_that_is_gone),
	};

	return cmocka_run_group_tests(tests, scripts_setup, scripts_teardown);
}
