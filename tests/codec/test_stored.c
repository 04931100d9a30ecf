#include "support.h"

#include <sys/mman.h>

#include "codec/base/crc32c.h"
#include "codec/base/file.h"
#include "codec/tensor/stored.h"

/* A file in memory that begins with some bytes of nobody. */
enum { BEFORE = 7 };

static int file_of(struct span bytes)
{
	int fd = memfd_create("shard", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write_at(fd, "before.", BEFORE, 0), 0);
	assert_int_equal(write_at(fd, bytes.p, bytes.n, BEFORE), 0);
	return fd;
}

static int checksum(struct span bytes, uint32_t dtype, uint64_t elements, bool big_endian,
		    uint32_t *ret, struct error *err)
{
	const struct stored_run run = {
		.extent = {.offset = BEFORE, .size = bytes.n},
		.elements = elements,
		.dtype = dtype,
		.big_endian = big_endian,
	};
	int fd = file_of(bytes);
	int r = stored_checksum(fd, &run, ret, err);

	close(fd);
	return r;
}

static void assert_checksum(struct span bytes, uint32_t dtype, uint64_t elements, bool big_endian,
			    uint32_t crc)
{
	uint32_t found = 0;
	struct error err = {0};

	if (checksum(bytes, dtype, elements, big_endian, &found, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(found, crc);
}

static const struct {
	uint64_t elements;
	const char *hex;
	uint32_t crc;
} golden[] = {
	{1, "02 d8d81073 6869", 0x154deb09},   /* "hi" */
	{2, "0200 78270b34 6162", 0x4db08891}, /* ["ab", ""] */
	{0, "d8ea82a2", 0x640cc1f6},	       /* [] */
	{0, "", 0xa282ead8},		       /* [] of other writers */
};

TEST(golden_strings)
{
	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		cleanup_buf struct buf bytes = {0};

		add_hex(&bytes, golden[i].hex);
		assert_checksum(buf_span(&bytes), DTYPE_STRING, golden[i].elements, false,
				golden[i].crc);
	}
}

TEST(numbers_are_their_bytes)
{
	assert_checksum((struct span){0}, 1, 0, false, 0xa282ead8);
	assert_checksum(span_str("123456789"), 4, 9, false, crc32c_mask(0xe3069283));
	assert_checksum(span_str("123456789"), 34, 1, true, crc32c_mask(0xe3069283));
}

TEST(verified)
{
	const struct stored_run run = {
		.extent = {.crc = crc32c_mask(0xe3069283), .offset = BEFORE, .size = 9},
		.elements = 9,
		.dtype = 4,
	};
	struct stored_run other = run, longer = run, far = run;
	struct error err = {0};
	int fd = file_of(span_str("123456789"));

	assert_int_equal(stored_verify(fd, &run, &err), 0);
	other.extent.crc++;
	assert_refused(stored_verify(fd, &other, &err), -EIO, &err, "checksum mismatch: stored");
	longer.extent.size++;
	longer.elements++;
	assert_refused(stored_verify(fd, &longer, &err), -EIO, &err, "the file ends before");
	far.extent.offset = INT64_MAX - 9;
	assert_int_equal(stored_verify(fd, &far, &err), -EIO);
	close(fd);
}

/* ---- strings, built by the rules of the format ---- */

static void add_number(struct buf *out, uint64_t v, size_t n, bool big_endian)
{
	for (size_t i = 0; i < n; i++)
		buf_add_u8(out, (uint8_t)(v >> 8 * (big_endian ? n - 1 - i : i)));
}

/* The stored form of n strings of the letter x, with these lengths; returns its checksum. */
static uint32_t build_strings(const size_t *lengths, size_t n, bool big_endian, struct buf *out)
{
	cleanup_buf struct buf checked = {0};
	size_t start;
	uint32_t crc;

	for (size_t i = 0; i < n; i++) {
		buf_add_varint(out, lengths[i]);
		add_number(&checked, lengths[i], 4, big_endian);
	}
	crc = crc32c_extend(0, buf_span(&checked));
	start = out->n;
	add_number(out, crc32c_mask(crc), 4, big_endian);
	for (size_t i = 0; i < n; i++)
		memset(buf_extend(out, lengths[i]), 'x', lengths[i]);
	return crc32c_mask(crc32c_extend(crc, span_skip(buf_span(out), start)));
}

TEST(strings_of_all_lengths)
{
	uint64_t seed = 1;

	for (int round = 0; round < 60; round++) {
		cleanup_buf struct buf out = {0};
		size_t lengths[200], n = random_below(&seed, 200);
		bool big_endian = round % 2;
		uint32_t crc;

		for (size_t i = 0; i < n; i++)
			lengths[i] = random_below(&seed, round < 50 ? 200 : 20000);
		crc = build_strings(lengths, n, big_endian, &out);
		assert_checksum(buf_span(&out), DTYPE_STRING, n, big_endian, crc);
	}
}

/* Lengths, and strings, that do not fit in the window through which they are read. */
TEST(more_strings_than_a_window)
{
	enum { COUNT = 200000 };
	size_t *lengths = calloc(COUNT, sizeof(*lengths));
	cleanup_buf struct buf out = {0};
	uint32_t crc;

	assert_non_null(lengths);
	for (size_t i = 0; i < COUNT; i++)
		lengths[i] = i % 300;
	lengths[COUNT / 2] = 3 << 20;
	crc = build_strings(lengths, COUNT, false, &out);
	assert_checksum(buf_span(&out), DTYPE_STRING, COUNT, false, crc);
	free(lengths);
}

/* A length that needs 64 bits is checked as such. The file is one of zeros that takes no space. */
TEST(a_string_of_four_gigabytes)
{
	const uint64_t length = ((uint64_t)1 << 32) + 5;
	static const uint8_t zeros[1 << 20];
	cleanup_buf struct buf checked = {0}, head = {0};
	struct stored_run run = {
		.extent = {.offset = BEFORE}, .elements = 1, .dtype = DTYPE_STRING};
	struct error err = {0};
	uint32_t crc, found = 0;
	int fd;

	add_number(&checked, length, 8, false);
	crc = crc32c_extend(0, buf_span(&checked));
	buf_add_varint(&head, length);
	add_number(&head, crc32c_mask(crc), 4, false);
	crc = crc32c_extend(crc, span_skip(buf_span(&head), head.n - 4));
	for (uint64_t left = length; left; left -= left < sizeof(zeros) ? left : sizeof(zeros))
		crc = crc32c_extend(crc,
				    span_of(zeros, left < sizeof(zeros) ? left : sizeof(zeros)));
	run.extent.size = head.n + length;
	fd = file_of(buf_span(&head));
	assert_int_equal(ftruncate(fd, (off_t)(run.extent.offset + run.extent.size)), 0);
	assert_int_equal(stored_checksum(fd, &run, &found, &err), 0);
	assert_int_equal(found, crc32c_mask(crc));
	close(fd);
}

static const struct {
	const char *name, *hex, *says;
	uint64_t elements;
} bad_strings[] = {
	{"inner checksum", "02 d8d81074 6869", "inner checksum mismatch", 1},
	{"byte order", "02 7310d8d8 6869", "inner checksum mismatch", 1},
	{"longer than all", "03 d8d81073 6869", "inner checksum mismatch", 1},
	{"no room for the checksum", "02 d8d810", "past the end", 1},
	{"nothing", "", "past the end", 1},
	{"fewer lengths than elements", "0202020202", "past the end", 6},
	{"a length of 11 bytes", "8080808080808080808000 d8d81073", "past the end", 1},
	{"lengths that wrap", "ffffffffffffffffff01 01 d8d81073 61", "past the end", 2},
	{"elements by the billion", "02 d8d81073 6869", "past the end", (uint64_t)1 << 60},
};

TEST(bad_strings_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_strings); i++) {
		cleanup_buf struct buf bytes = {0};
		struct error err = {0};
		uint32_t crc = 42;

		add_hex(&bytes, bad_strings[i].hex);
		assert_refused(checksum(buf_span(&bytes), DTYPE_STRING, bad_strings[i].elements,
					false, &crc, &err),
			       -EBADMSG, &err, bad_strings[i].says);
		assert_int_equal(crc, 42);
	}
}

/* The lengths are right, and their checksum: the strings are cut. */
TEST(strings_past_the_end)
{
	cleanup_buf struct buf out = {0};
	struct error err = {0};
	uint32_t crc;

	(void)build_strings((size_t[]){5, 7}, 2, false, &out);
	assert_refused(checksum(span_first(buf_span(&out), out.n - 1), DTYPE_STRING, 2, false, &crc,
				&err),
		       -EBADMSG, &err, "past the end");
}

/* ---- variants ---- */

static uint32_t build_variants(const size_t *lengths, size_t n, bool big_endian, struct buf *out)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < n; i++) {
		cleanup_buf struct buf checked = {0};
		size_t start;

		add_number(&checked, lengths[i], 8, big_endian);
		crc = crc32c_extend(crc, buf_span(&checked));
		buf_add_varint(out, lengths[i]);
		start = out->n;
		memset(buf_extend(out, lengths[i]), 'x', lengths[i]);
		crc = crc32c_extend(crc, span_skip(buf_span(out), start));
		start = out->n;
		add_number(out, crc32c_mask(crc), 4, big_endian);
		crc = crc32c_extend(crc, span_skip(buf_span(out), start));
	}
	return crc32c_mask(crc);
}

TEST(variants)
{
	static const size_t lengths[] = {3, 0, 300, 300000};
	cleanup_buf struct buf little = {0}, big = {0};
	struct error err = {0};
	uint32_t crc = build_variants(lengths, 4, false, &little);

	assert_checksum(buf_span(&little), DTYPE_VARIANT, 4, false, crc);
	assert_int_equal(checksum(buf_span(&little), DTYPE_VARIANT, 4, true, &crc, &err), -EBADMSG);
	crc = build_variants(lengths, 4, true, &big);
	assert_checksum(buf_span(&big), DTYPE_VARIANT, 4, true, crc);
	assert_checksum((struct span){0}, DTYPE_VARIANT, 0, false, 0xa282ead8);
	little.p[6]++;
	assert_refused(checksum(buf_span(&little), DTYPE_VARIANT, 4, false, &crc, &err), -EBADMSG,
		       &err, "inner checksum mismatch");
}

TEST(variants_past_the_end)
{
	static const size_t lengths[] = {3, 5};
	cleanup_buf struct buf bytes = {0};
	struct error err = {0};
	uint32_t crc;

	(void)build_variants(lengths, 2, false, &bytes);
	for (size_t n = 0; n < bytes.n; n++)
		assert_refused(checksum(span_first(buf_span(&bytes), n), DTYPE_VARIANT, 2, false,
					&crc, &err),
			       -EBADMSG, &err, "past the end");
}

/* ---- walking ---- */

TEST(strings_walked)
{
	cleanup_buf struct buf bytes = {0};
	struct strings s;
	struct span text;
	struct error err = {0};

	add_hex(&bytes, "0200 78270b34 6162");
	assert_int_equal(strings_open(&s, buf_span(&bytes), 2, &err), 0);
	assert_true(strings_next(&s, &text));
	assert_says(text, "ab");
	assert_true(strings_next(&s, &text));
	assert_says(text, "");
	assert_false(strings_next(&s, &text));
	assert_false(strings_next(&s, &text));
	/* Bytes behind the last one belong to nothing. */
	buf_add_str(&bytes, "cd");
	assert_int_equal(strings_open(&s, buf_span(&bytes), 2, &err), 0);
	assert_true(strings_next(&s, &text) && strings_next(&s, &text));
	assert_false(strings_next(&s, &text));
}

TEST(no_strings)
{
	struct strings s;
	struct span text;

	assert_int_equal(strings_open(&s, (struct span){0}, 0, NULL), 0);
	assert_false(strings_next(&s, &text));
	assert_int_equal(strings_open(&s, span_str("\xd8\xea\x82\xa2"), 0, NULL), 0);
	assert_false(strings_next(&s, &text));
}

TEST(strings_that_do_not_add_up)
{
	static const char *const wrong[] = {
		"",
		"02",
		"0200 78270b",
		"0201 78270b34 6162",
		"02ff 78270b34 6162",
		"02 ffffffffffffffffff01 78270b34 6162",
		"ffffffffffffffffff01 03 78270b34 6162",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cleanup_buf struct buf bytes = {0};
		struct strings s;
		struct error err = {0};

		add_hex(&bytes, wrong[i]);
		assert_int_equal(strings_open(&s, buf_span(&bytes), 2, &err), -EBADMSG);
		assert_true(err.text[0]);
		assert_int_equal(strings_open(&s, buf_span(&bytes), (uint64_t)1 << 60, &err),
				 -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_strings),
		cmocka_unit_test(numbers_are_their_bytes),
		cmocka_unit_test(verified),
		cmocka_unit_test(strings_of_all_lengths),
		cmocka_unit_test(more_strings_than_a_window),
		cmocka_unit_test(a_string_of_four_gigabytes),
		cmocka_unit_test(bad_strings_are_refused),
		cmocka_unit_test(strings_past_the_end),
		cmocka_unit_test(variants),
		cmocka_unit_test(variants_past_the_end),
		cmocka_unit_test(strings_walked),
		cmocka_unit_test(no_strings),
		cmocka_unit_test(strings_that_do_not_add_up),
	};

	return RUN(tests);
}
