/*
 * Pieces against a byte array: a file of bytes, contents, a file and generated parts, read from
 * anywhere to anywhere, in as many iovecs as there are, in too few, and copied.
 */
#include "bundles.h"

#include <fcntl.h>
#include <unistd.h>

#include "codec/work/edits.h"
#include "codec/open.h"
#include "fs/view/pieces.h"

enum { A_SIZE = 24, B_SIZE = 40000, FILE_SIZE = 300, MADE_SIZE = 5000 };

static struct folder folder;
static struct model *model;
static uint8_t a_bytes[A_SIZE], b_bytes[B_SIZE];
static uint64_t seed = 1;

static const struct made_tensor tensors[] = {
	{.key = "a", .dtype = 1, .rank = 1, .dims = {A_SIZE / 4}},
	{.key = "b", .dtype = 1, .rank = 1, .dims = {B_SIZE / 4}},
};

static struct tensor *find(const char *key)
{
	return model_find(model, span_str(key));
}

static int setup(void **state)
{
	uint8_t *contents[] = {a_bytes, b_bytes};

	(void)state;
	for (size_t i = 0; i < B_SIZE; i++)
		b_bytes[i] = (uint8_t)random_next(&seed);
	memcpy(a_bytes, b_bytes + 100, A_SIZE);
	folder_make(&folder);
	bundle_make(&folder, "m", tensors, contents, ARRAY_SIZE(tensors));
	model = open_to_edit(folder.path, "m", EDITS_LOCK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	edits_remove(model, NULL);
	model_close(model);
	folder_unmake(&folder);
	return 0;
}

static uint8_t made_byte(uint64_t i)
{
	return (uint8_t)(i * 7 + i / 256);
}

/* The context says where it fails. */
static int generate(void *context, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	const uint64_t *bad = context;

	if (*bad >= offset && *bad - offset < n)
		return error_set(err, -EIO, "made badly");
	for (size_t i = 0; i < n; i++)
		to[i] = made_byte(offset + i);
	return 0;
}

static uint64_t *bad_at(uint64_t offset)
{
	uint64_t *bad = malloc(sizeof(*bad));

	assert_non_null(bad);
	*bad = offset;
	return bad;
}

/* head a b "between" FILE made b */
static void compose(struct pieces *p, struct buf *expected, uint64_t bad)
{
	int fd = openat(folder.fd, ".", O_TMPFILE | O_RDWR, 0600);

	buf_add_str(&p->bytes, "head");
	assert_int_equal(pieces_add_content(p, model, find("a"), NULL), 0);
	assert_int_equal(pieces_add_content(p, model, find("b"), NULL), 0);
	buf_add_str(&p->bytes, "bet");
	buf_add_str(&p->bytes, "ween");
	assert_int_equal(write(fd, b_bytes, FILE_SIZE), FILE_SIZE);
	assert_int_equal(pieces_add_file(p, fd, FILE_SIZE), 0);
	assert_int_equal(pieces_add_generated(p, MADE_SIZE, generate, bad_at(bad)), 0);
	assert_int_equal(pieces_add_content(p, model, find("b"), NULL), 0);
	assert_int_equal(pieces_end(p), 0);

	buf_add_str(expected, "head");
	buf_add(expected, span_of(a_bytes, A_SIZE));
	buf_add(expected, span_of(b_bytes, B_SIZE));
	buf_add_str(expected, "between");
	buf_add(expected, span_of(b_bytes, FILE_SIZE));
	for (uint64_t i = 0; i < MADE_SIZE; i++)
		buf_add_u8(expected, made_byte(i));
	buf_add(expected, span_of(b_bytes, B_SIZE));
}

static void check_read(const struct pieces *p, uint64_t offset, size_t n, int max,
		       struct span expected)
{
	static uint8_t buffer[2 * B_SIZE + MADE_SIZE + 1000];
	cleanup_buf struct buf found = {0};
	struct iovec iov[8];
	int r;

	pieces_hold(p, offset, n);
	r = pieces_read(p, offset, n, buffer, iov, max, NULL);
	assert_in_range(r, 1, max);
	for (int i = 0; i < r; i++)
		buf_add(&found, span_of(iov[i].iov_base, iov[i].iov_len));
	assert_same(buf_span(&found), expected);
	assert_int_equal(pieces_copy(p, offset, n, buffer, NULL), 0);
	assert_same(span_of(buffer, n), expected);
	pieces_unhold(p, offset, n);
}

TEST(is_read_from_anywhere_to_anywhere)
{
	cleanup_pieces struct pieces p = {0};
	cleanup_buf struct buf expected = {0};

	compose(&p, &expected, UINT64_MAX);
	assert_int_equal(p.size, expected.n);
	assert_int_equal(pieces_seen(&p), expected.n);
	for (int i = 0; i < 2000; i++) {
		uint64_t from = random_below(&seed, expected.n);
		size_t n = (size_t)(1 + random_below(&seed, i % 2 ? 100 : expected.n - from));

		n = n < expected.n - from ? n : expected.n - from;
		check_read(&p, from, n, i % 3 ? 8 : 1, span_of(expected.p + from, n));
	}
}

TEST(a_content_and_bytes_are_handed_over_where_they_lie)
{
	cleanup_pieces struct pieces p = {0};
	struct iovec iov[4];
	uint8_t buffer[1];

	buf_add_str(&p.bytes, "head");
	assert_int_equal(pieces_add_content(&p, model, find("b"), NULL), 0);
	assert_int_equal(pieces_end(&p), 0);
	pieces_hold(&p, 0, 1000);
	assert_int_equal(pieces_read(&p, 0, 1000, buffer, iov, 4, NULL), 2);
	assert_ptr_equal(iov[0].iov_base, p.bytes.p);
	assert_int_equal(iov[1].iov_len, 996);
	pieces_unhold(&p, 0, 1000);
}

TEST(what_a_generator_says_is_heard)
{
	cleanup_pieces struct pieces p = {0};
	cleanup_buf struct buf expected = {0};
	struct error err = {""};
	struct iovec iov[8];
	static uint8_t buffer[2 * B_SIZE + MADE_SIZE + 1000];

	compose(&p, &expected, 4999);
	assert_refused(pieces_read(&p, 0, expected.n, buffer, iov, 8, &err), -EIO, &err,
		       "made badly");
	check_read(&p, 0, 1000, 8, span_of(expected.p, 1000));
}

/* The draft of the raw bytes is seen there alone. */
TEST(a_draft_is_seen_only_where_the_content_is_all_there_is)
{
	cleanup_pieces struct pieces raw = {0}, npy = {0};
	uint8_t seen[A_SIZE];
	struct content *c;

	assert_int_equal(pieces_add_content(&raw, model, find("a"), NULL), 0);
	assert_int_equal(pieces_end(&raw), 0);
	buf_add_str(&npy.bytes, "head");
	assert_int_equal(pieces_add_content(&npy, model, find("a"), NULL), 0);
	assert_int_equal(pieces_end(&npy), 0);
	assert_non_null(pieces_whole_content(&raw));
	assert_null(pieces_whole_content(&npy));

	assert_int_equal(content_open(model, find("a"), true, &c, NULL), 0);
	assert_int_equal(content_truncate(c, 0, NULL), 0);
	assert_int_equal(content_write(c, "new", 3, 0, NULL), 3);
	pieces_hold(&raw, 0, 3);
	assert_int_equal(pieces_seen(&raw), 3);
	assert_int_equal(pieces_copy(&raw, 0, 3, seen, NULL), 0);
	pieces_unhold(&raw, 0, 3);
	assert_memory_equal(seen, "new", 3);
	check_read(&npy, 4, A_SIZE, 4, span_of(a_bytes, A_SIZE));
	content_close(c, true, NULL);
}

/* Steps down from the head into the content; what differs before it is refused. */
TEST(is_written_in_place)
{
	cleanup_pieces struct pieces p = {0};
	struct error err = {""};

	buf_add_str(&p.bytes, "head");
	assert_int_equal(pieces_add_content(&p, model, find("a"), NULL), 0);
	assert_int_equal(pieces_end(&p), 0);
	assert_true(pieces_in_place(&p));
	assert_refused((int)pieces_write(&p, (const uint8_t *)"hexd", 4, 0, &err), -EINVAL, &err,
		       "in place");
	assert_refused((int)pieces_write(&p, (const uint8_t *)"x", 1, 4 + A_SIZE, &err), -EFBIG,
		       &err, "28 bytes");
	assert_int_equal(pieces_write(&p, (const uint8_t *)"adWXYZ", 6, 2, NULL), 6);
	memcpy(a_bytes, "WXYZ", 4);
	check_read(&p, 4, A_SIZE, 4, span_of(a_bytes, A_SIZE));
	memcpy(a_bytes + A_SIZE - 2, "!?", 2);
	assert_int_equal(pieces_write(&p, (const uint8_t *)"!?+", 3, 2 + A_SIZE, NULL), 2);
	check_read(&p, 4, A_SIZE, 4, span_of(a_bytes, A_SIZE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_read_from_anywhere_to_anywhere),
		cmocka_unit_test(a_content_and_bytes_are_handed_over_where_they_lie),
		cmocka_unit_test(what_a_generator_says_is_heard),
		cmocka_unit_test(a_draft_is_seen_only_where_the_content_is_all_there_is),
		cmocka_unit_test(is_written_in_place),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
