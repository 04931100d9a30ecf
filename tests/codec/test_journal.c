#include "support.h"

#include <signal.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "codec/base/crc32c.h"
#include "codec/work/journal.h"
#include "codec/container/pbwire.h"

static struct folder folder;

static int setup(void **state)
{
	(void)state;
	folder_make(&folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	folder_unmake(&folder);
	return 0;
}

/* A record whose content follows from id; the greater it is, the shorter, up to 40. */
static int append(struct journal *j, uint32_t id, struct error *err)
{
	static const char key[] = "0123456789012345678901234567890123456789";
	Weightfs__Object body = WEIGHTFS__OBJECT__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;

	body.id = id;
	body.key = pb_data(span_of(key, id < 40 ? 40 - id : 0));
	record.kind_case = WEIGHTFS__RECORD__KIND_OBJECT;
	record.object = &body;
	return journal_append(j, &record, err);
}

/* Fails unless the frames are the records 1 to n. */
static void assert_records(struct span frames, uint32_t n)
{
	struct arena arena = {0};
	Weightfs__Record *record;
	struct error err = {0};

	for (uint32_t id = 1; id <= n; id++) {
		assert_int_equal(journal_next(&frames, &arena, &record, &err), 1);
		assert_int_equal(record->kind_case, WEIGHTFS__RECORD__KIND_OBJECT);
		assert_int_equal(record->object->id, id);
	}
	assert_int_equal(journal_next(&frames, &arena, &record, &err), 0);
	assert_int_equal(frames.n, 0);
	arena_release(&arena);
}

static void create(struct journal *j, uint32_t records)
{
	struct error err = {0};

	assert_int_equal(journal_create(folder.fd, "journal", j, &err), 0);
	for (uint32_t id = 1; id <= records; id++)
		assert_int_equal(append(j, id, &err), 0);
}

/* Opens the journal of the folder, which must have n records. */
static void open_with(struct journal *j, uint32_t n)
{
	cleanup_buf struct buf frames = {0};
	struct error err = {0};

	if (journal_open(folder.fd, j, &frames, &err) < 0)
		fail_msg("%s", err.text);
	assert_records(buf_span(&frames), n);
	assert_int_equal(journal_whole(buf_span(&frames)), frames.n);
}

TEST(appended_and_read_again)
{
	struct journal j;
	struct error err = {0};

	create(&j, 100);
	assert_int_equal(journal_sync(&j, &err), 0);
	journal_close(&j);
	assert_int_equal(j.fd, -1);
	journal_close(&j);

	open_with(&j, 100);
	assert_int_equal(append(&j, 101, &err), 0);
	journal_close(&j);
	open_with(&j, 101);
	journal_close(&j);
}

/* The frame of a TFRecord file. */
TEST(bytes_of_a_frame)
{
	cleanup_buf struct buf content = {0}, expected = {0};
	Weightfs__Synced body = WEIGHTFS__SYNCED__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	struct journal j;
	struct error err = {0};

	create(&j, 0);
	record.kind_case = WEIGHTFS__RECORD__KIND_SYNCED;
	record.synced = &body;
	assert_int_equal(journal_append(&j, &record, &err), 0);
	journal_close(&j);

	folder_read(&folder, "journal", &content);
	buf_add_str(&expected, "WFSJNL02");
	buf_add_le64(&expected, 2);
	buf_add_le32(&expected, crc32c_masked(span_of("\2\0\0\0\0\0\0\0", 8)));
	add_hex(&expected, "3a00");
	buf_add_le32(&expected, crc32c_masked(span_of("\x3a\0", 2)));
	assert_same(buf_span(&content), buf_span(&expected));
}

TEST(created_only_once)
{
	struct journal j, other;
	struct error err = {0};

	create(&j, 1);
	assert_refused(journal_create(folder.fd, "journal", &other, &err), -EEXIST, &err,
		       "journal: File exists");
	journal_close(&j);
	open_with(&j, 1);
	journal_close(&j);
}

TEST(none_there)
{
	cleanup_buf struct buf frames = {0};
	struct journal j;
	struct error err = {0};

	assert_int_equal(journal_open(folder.fd, &j, &frames, &err), -ENOENT);
	assert_int_equal(symlinkat("elsewhere", folder.fd, "journal"), 0);
	folder_write(&folder, "elsewhere", span_str("WFSJNL02"));
	assert_int_equal(journal_open(folder.fd, &j, &frames, &err), -EBADMSG);
	assert_int_equal(unlinkat(folder.fd, "journal", 0), 0);
	assert_int_equal(mkdirat(folder.fd, "journal", 0700), 0);
	assert_int_equal(journal_open(folder.fd, &j, &frames, &err), -EBADMSG);
	assert_int_equal(unlinkat(folder.fd, "journal", AT_REMOVEDIR), 0);
	assert_int_equal(mkfifoat(folder.fd, "journal", 0600), 0);
	assert_int_equal(journal_open(folder.fd, &j, &frames, &err), -EBADMSG);
}

/* Opens the first n bytes of a journal, of which the first `end` are whole, and appends to it. */
static void assert_cut(struct span content, size_t n, size_t end, uint32_t records)
{
	cleanup_buf struct buf now = {0};
	struct journal j;
	struct error err = {0};

	folder_write(&folder, "journal", span_first(content, n));
	open_with(&j, records);
	assert_int_equal(j.end, end);
	assert_int_equal(append(&j, 99, &err), 0);
	folder_read(&folder, "journal", &now);
	assert_int_equal(now.n, j.end);
	assert_int_equal(journal_whole(span_skip(buf_span(&now), 8)), now.n - 8);
	assert_same(span_first(buf_span(&now), end), span_first(content, end));
	journal_close(&j);
}

/*
 * Cut at every byte: what is left are the whole frames before the cut. What is appended stands
 * right behind them, and nothing of the torn frame stays, though it is the longer one.
 */
TEST(torn_tails_are_cut)
{
	enum { RECORDS = 6 };
	cleanup_buf struct buf content = {0};
	struct journal j;
	struct error err = {0};
	uint64_t ends[RECORDS + 1];

	create(&j, 0);
	ends[0] = j.end;
	for (uint32_t id = 1; id <= RECORDS; id++) {
		assert_int_equal(append(&j, id, &err), 0);
		ends[id] = j.end;
	}
	journal_close(&j);
	folder_read(&folder, "journal", &content);
	for (size_t n = 8; n <= content.n; n++) {
		uint32_t records = 0;

		while (records < RECORDS && ends[records + 1] <= n)
			records++;
		assert_cut(buf_span(&content), n, ends[records], records);
	}
}

/* A frame that was damaged hides those behind it; they must not come back by an append. */
TEST(what_a_torn_frame_hid_stays_hidden)
{
	cleanup_buf struct buf content = {0};
	struct journal j;
	struct error err = {0};
	uint64_t second;

	create(&j, 1);
	second = j.end;
	assert_int_equal(append(&j, 2, &err), 0);
	assert_int_equal(append(&j, 99, &err), 0);
	journal_close(&j);
	folder_read(&folder, "journal", &content);
	content.p[second + 14]++;
	folder_write(&folder, "journal", buf_span(&content));

	open_with(&j, 1);
	assert_int_equal(append(&j, 2, &err), 0);
	journal_close(&j);
	open_with(&j, 2);
	journal_close(&j);
}

/* One bit, anywhere: the frames before it are read, and none that was never written. */
TEST(every_bit_flipped)
{
	cleanup_buf struct buf content = {0};
	struct journal j;

	create(&j, 3);
	journal_close(&j);
	folder_read(&folder, "journal", &content);
	for (size_t bit = 8 * 8; bit < 8 * content.n; bit++) {
		cleanup_buf struct buf frames = {0};
		struct arena arena = {0};
		Weightfs__Record *record;
		struct error err = {0};
		struct span left;
		uint32_t id = 0;

		content.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		folder_write(&folder, "journal", buf_span(&content));
		content.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(journal_open(folder.fd, &j, &frames, &err), 0);
		left = buf_span(&frames);
		while (journal_next(&left, &arena, &record, &err) > 0)
			assert_int_equal(record->object->id, ++id);
		assert_true(id < 3);
		arena_release(&arena);
		journal_close(&j);
	}
}

/* How large files may grow; the signal that comes with it is not wanted. */
static void limit_files(rlim_t size)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A frame of which only a part could be written is taken back, and the next one is good. */
TEST(torn_appends_are_taken_back)
{
	cleanup_buf struct buf content = {0};
	struct journal j;
	struct error err = {0};
	uint64_t end;

	create(&j, 2);
	end = j.end;
	limit_files(end + 10);
	assert_refused(append(&j, 3, &err), -EFBIG, &err, "journal: File too large");
	limit_files(RLIM_INFINITY);
	folder_read(&folder, "journal", &content);
	assert_int_equal(content.n, end);
	assert_int_equal(append(&j, 3, &err), 0);
	journal_close(&j);
	open_with(&j, 3);
	journal_close(&j);
}

TEST(cut_by_hand)
{
	struct journal j;
	struct error err = {0};
	uint64_t end;

	create(&j, 2);
	end = j.end;
	assert_int_equal(append(&j, 9, &err), 0);
	assert_int_equal(journal_cut(&j, end - 8, &err), 0);
	assert_int_equal(append(&j, 3, &err), 0);
	journal_close(&j);
	open_with(&j, 3);
	journal_close(&j);
}

/* ---- other people's ---- */

static void assert_no_journal(struct span content, int code, const char *words)
{
	cleanup_buf struct buf frames = {0};
	struct journal j = {.fd = 42};
	struct error err = {0};

	folder_write(&folder, "journal", content);
	assert_refused(journal_open(folder.fd, &j, &frames, &err), code, &err, words);
	assert_int_equal(j.fd, 42);
	assert_int_equal(frames.n, 0);
}

TEST(no_journal_of_ours)
{
	static const char magic[] = "WFSJNL02";

	for (size_t n = 0; n < 8; n++)
		assert_no_journal(span_of(magic, n), -ENOENT, "never begun");
	assert_no_journal(span_of("\0\0\0\0\0\0\0\0some frame", 18), -ENOENT, "never begun");
	assert_no_journal(span_of("\0\0\0\0", 4), -EBADMSG, "no journal of weightfs");
	assert_no_journal(span_str("xFSJNL01"), -EBADMSG, "no journal of weightfs");
	assert_no_journal(span_str("WFSJNl01"), -EBADMSG, "no journal of weightfs");
	assert_no_journal(span_str("WFSJNL01"), -ENOTSUP,
			  "save or discard the edits with that one");
	assert_no_journal(span_str("WFSJNL03"), -ENOTSUP, "another version");
	assert_no_journal(span_str("WFSJNL99 and what follows"), -ENOTSUP, "another version");
}

/* A journal with one frame more, whose checksums are right. */
static void open_with_frame(struct span payload, struct journal *j, struct buf *ret_frames)
{
	cleanup_buf struct buf content = {0};
	struct error err = {0};
	size_t start;

	create(j, 1);
	journal_close(j);
	folder_read(&folder, "journal", &content);
	start = content.n;
	buf_add_le64(&content, payload.n);
	buf_add_le32(&content, crc32c_masked(span_of(content.p + start, 8)));
	buf_add(&content, payload);
	buf_add_le32(&content, crc32c_masked(payload));
	folder_write(&folder, "journal", buf_span(&content));
	if (journal_open(folder.fd, j, ret_frames, &err) < 0)
		fail_msg("%s", err.text);
}

/* Refused, never cut: who wrote it knows more than we do. */
TEST(unknown_kinds_are_refused)
{
	static const char *const payloads[] = {
		"",	      /* no kind */
		"f20600",     /* kind 110 */
		"f2060161",   /* with a content */
		"08",	      /* no message */
		"0801",	      /* kind 1 as a number */
		"1a030a0161", /* a region whose id is text */
		"1b",	      /* a group */
	};

	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
		cleanup_buf struct buf payload = {0}, frames = {0};
		struct arena arena = {0};
		Weightfs__Record *record;
		struct error err = {0};
		struct span left;
		struct journal j;

		add_hex(&payload, payloads[i]);
		open_with_frame(buf_span(&payload), &j, &frames);
		left = buf_span(&frames);
		assert_int_equal(journal_next(&left, &arena, &record, &err), 1);
		assert_refused(journal_next(&left, &arena, &record, &err), -ENOTSUP, &err,
			       "another version");
		arena_release(&arena);
		journal_close(&j);
		unlinkat(folder.fd, "journal", 0);
	}
}

TEST(lengths_that_lie)
{
	static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 15, (uint64_t)1 << 63, 1000, 1};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		cleanup_buf struct buf content = {0};
		struct journal j;

		buf_add_str(&content, "WFSJNL02");
		buf_add_le64(&content, lengths[i]);
		buf_add_le32(&content, crc32c_masked(span_skip(buf_span(&content), 8)));
		add_hex(&content, "3a00");
		buf_add_le32(&content, crc32c_masked(span_of("\x3a\0", 2)));
		folder_write(&folder, "journal", buf_span(&content));
		open_with(&j, 0);
		journal_close(&j);
	}
}

#define WITH_FOLDER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(appended_and_read_again),
		WITH_FOLDER(bytes_of_a_frame),
		WITH_FOLDER(created_only_once),
		WITH_FOLDER(none_there),
		WITH_FOLDER(torn_tails_are_cut),
		WITH_FOLDER(what_a_torn_frame_hid_stays_hidden),
		WITH_FOLDER(every_bit_flipped),
		WITH_FOLDER(torn_appends_are_taken_back),
		WITH_FOLDER(cut_by_hand),
		WITH_FOLDER(no_journal_of_ours),
		WITH_FOLDER(unknown_kinds_are_refused),
		WITH_FOLDER(lengths_that_lie),
	};

	return RUN(tests);
}
