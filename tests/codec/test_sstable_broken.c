/*
 * Tables with one thing wrong. Every field that steers the reader is broken here, with checksums
 * that fit unless they are the defect; each is refused with -EBADMSG and a sentence that says
 * where.
 */
#include "support.h"

#include <snappy-c.h>

#include "codec/base/crc32c.h"
#include "codec/container/sstable.h"

#define ENTRY_0	 "000006 08011a020801"
#define ENTRY_V	 "00010b 76 08011200280435 81a5da2b"
#define RESTARTS "00000000 01000000"
#define FF	 "ff"
#define FF9	 "ffffffffffffffffff"

/* A table of one data block; what is NULL (or 0) is as it should be. All in hex. */
struct defect {
	const char *name;
	const char *says;      /* part of the sentence */
	const char *contents;  /* of the data block */
	const char *separator; /* the index block's key */
	const char *handle;    /* the index block's value */
	const char *restarts;  /* the index block's */
	const char *footer;    /* the two handles */
	const char *magic;
	uint8_t type;		  /* of the data block */
	uint8_t flip, flip_index; /* bits that are wrong in a checksum */
};

static void add_sealed(struct buf *file, struct span contents, uint8_t type, uint8_t flip)
{
	size_t start = file->n;

	buf_add(file, contents);
	buf_add_u8(file, type);
	buf_add_le32(file, crc32c_masked(span_of(file->p + start, file->n - start)) ^ flip);
}

static void add_footer(struct buf *file, const struct defect *d, const uint64_t handles[4])
{
	size_t start = file->n;

	if (d->footer)
		add_hex(file, d->footer);
	for (size_t i = 0; !d->footer && i < 4; i++)
		buf_add_varint(file, handles[i]);
	while (file->n < start + 40)
		buf_add_u8(file, 0);
	add_hex(file, d->magic ? d->magic : "57fb808b247547db");
}

static void build(const struct defect *d, struct buf *file)
{
	cleanup_buf struct buf data = {0}, separator = {0}, handle = {0}, index = {0};
	uint64_t handles[4];

	add_hex(&data, d->contents ? d->contents : ENTRY_0 ENTRY_V RESTARTS);
	add_sealed(file, buf_span(&data), d->type, d->flip);
	handles[0] = file->n;
	handles[1] = 8;
	add_hex(file, "00000000 01000000 00 c0f2a1b0");

	add_hex(&separator, d->separator ? d->separator : "77");
	if (d->handle)
		add_hex(&handle, d->handle);
	else {
		buf_add_varint(&handle, 0);
		buf_add_varint(&handle, data.n);
	}
	buf_add_varint(&index, 0);
	buf_add_varint(&index, separator.n);
	buf_add_varint(&index, handle.n);
	buf_add(&index, buf_span(&separator));
	buf_add(&index, buf_span(&handle));
	add_hex(&index, d->restarts ? d->restarts : RESTARTS);
	handles[2] = file->n;
	handles[3] = index.n;
	add_sealed(file, buf_span(&index), 0, d->flip_index);
	add_footer(file, d, handles);
}

/* Reads all entries into out, lengths before each; what the first refusal was, or 0. */
static int read_all(struct span file, struct buf *out, struct error *err)
{
	struct sstable_reader r;
	struct span key, value;
	int res = sstable_open(&r, file, err);

	if (res == 0)
		while ((res = sstable_next(&r, &key, &value, err)) > 0) {
			buf_add_varint(out, key.n);
			buf_add(out, key);
			buf_add_varint(out, value.n);
			buf_add(out, value);
		}
	sstable_release(&r);
	return res;
}

static const struct defect defects[] = {
	{"footer_magic", "bad magic number at offset 109", .magic = "57fb808b247547dc"},
	{"handle_offset", "block at offset 127, size 14: lies outside", .footer = "2508 7f0e"},
	{"handle_size", "block at offset 50, size 127: lies outside", .footer = "2508 327f"},
	{"handle_size_leaves_no_trailer", "lies outside", .footer = "2508 320f"},
	{"handle_wraps", "lies outside", .footer = "2508 f0" FF FF FF FF FF FF FF FF "01 18"},
	{"handle_size_wraps", "block at offset 50", .footer = "2508 32" FF9 "01"},
	{"handle_size_and_trailer_wrap", "lies outside",
	 .footer = "2508 32 fb" FF FF FF FF FF FF FF FF "01"},
	{"handle_of_11_bytes", "in the footer at offset 69", .footer = FF9 FF "01"},
	{"handle_of_65_bits", "in the footer at offset 69", .footer = FF9 "02"},
	{"index_block_crc", "block at offset 50: checksum", .flip_index = 0x80},
	{"index_restart_count", "block at offset 50", .restarts = "00000000 00000040"},
	{"index_value_past_end", "in the index block", .restarts = "00017f 78 00000000 01000000"},
	{"data_handle_offset", "block at offset 127, size 32: lies outside", .handle = "7f20"},
	{"data_handle_size", "block at offset 0, size 127: lies outside", .handle = "007f"},
	{"data_handle_wraps", "lies outside", .handle = "f0" FF FF FF FF FF FF FF FF "01 18"},
	{"data_handle_without_size", "in the index block", .handle = "00"},
	{"data_handle_of_11_bytes", "in the index block", .handle = FF9 FF "01 20"},
	{"block_too_short", "block at offset 0: bad restart points", .contents = "000000"},
	{"restart_count", "block at offset 0: bad restart points",
	 .contents = ENTRY_0 ENTRY_V "00000000 09000000"},
	{"restart_count_times_4_is_0", "block at offset 0: bad restart points",
	 .contents = ENTRY_0 ENTRY_V "00000000 00000040"},
	{"no_restart_and_entries", "block at offset 0: bad restart points",
	 .contents = ENTRY_0 ENTRY_V "00000000"},
	{"restart_offset", "block at offset 0: bad restart points",
	 .contents = ENTRY_0 ENTRY_V "19000000 01000000"},
	{"restart_offset_at_the_end", "block at offset 0: bad restart points",
	 .contents = ENTRY_0 ENTRY_V "00000000 18000000 02000000"},
	{"shared_longer_than_the_key_before", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "01000b 08011200280435 81a5da2b" RESTARTS},
	{"shared_at_the_first_key", "block at offset 0: bad or unsorted entry",
	 .contents = "010006 08011a020801" RESTARTS},
	{"non_shared_past_end", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "000d0b 76 08011200280435 81a5da2b" RESTARTS},
	{"value_past_end", "block at offset 0: bad or unsorted entry, 15 bytes before its end",
	 .contents = ENTRY_0 "00010c 76 08011200280435 81a5da2b" RESTARTS},
	{"key_and_value_wrap", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "00 ffffffff0f 02 76 08011200280435 81a5da2b" RESTARTS},
	{"varint_of_11_bytes", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "00 01" FF9 FF "01 76" RESTARTS},
	{"varint_of_6_bytes", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "00 01 808080808000 76" RESTARTS},
	{"varint_of_33_bits", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "00 01 8080808010 76" RESTARTS},
	{"varint_cut_by_the_end", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "0001ff" RESTARTS},
	{"block_type", "block at offset 0: unknown type 7", .type = 7},
	{"block_crc", "block at offset 0: checksum mismatch", .flip = 1},
	{"unsorted", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "000100 76 000100 75" RESTARTS},
	{"unsorted_by_a_shorter_key", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "000200 7661 000100 76" RESTARTS},
	{"duplicate", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "000100 76 000100 76" RESTARTS},
	{"duplicate_by_sharing_all", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "000100 76 010000" RESTARTS},
	{"duplicate_header", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 ENTRY_0 RESTARTS},
	{"key_above_its_separator", "block at offset 0: bad or unsorted entry", .separator = "75"},
	{"key_longer_than_its_separator", "block at offset 0: bad or unsorted entry",
	 .contents = ENTRY_0 "000200 7661" RESTARTS, .separator = "76"},
	{"snappy_bomb", "block at offset 0: its Snappy length", .contents = "ffffffff0f 0000",
	 .type = 1},
	{"snappy_without_length", "block at offset 0: its Snappy length", .contents = "ff",
	 .type = 1},
	{"snappy_length_only", "block at offset 0", .contents = "20", .type = 1},
	{"snappy_nothing", "block at offset 0", .contents = "00", .type = 1},
	{"snappy_copy_from_nowhere", "block at offset 0: corrupt Snappy",
	 .contents = "20 0000 0500", .type = 1},
	{"snappy_too_short", "block at offset 0: corrupt Snappy", .contents = "20 0441", .type = 1},
	{"snappy_too_long", "block at offset 0: corrupt Snappy", .contents = "01 044142",
	 .type = 1},
};

/* One defect, which is the state that the test is given. */
static void refused(void **state)
{
	const struct defect *d = *state;
	cleanup_buf struct buf file = {0}, entries = {0};
	struct error err = {0};
	int r;

	build(d, &file);
	r = read_all(buf_span(&file), &entries, &err);
	assert_refused(r, -EBADMSG, &err, d->says);
	assert_non_null(strstr(err.text, "offset"));
}

TEST(nothing_wrong)
{
	static const struct defect none = {.name = "none"};
	cleanup_buf struct buf file = {0}, entries = {0};
	struct error err = {0};

	build(&none, &file);
	assert_int_equal(file.n, 117);
	assert_int_equal(read_all(buf_span(&file), &entries, &err), 0);
	assert_hex(buf_span(&entries), "00 06 08011a020801 01 76 0b 08011200280435 81a5da2b");
}

TEST(compressed_block)
{
	static const struct defect none = {.name = "none"};
	cleanup_buf struct buf contents = {0}, hex = {0}, file = {0}, entries = {0};
	uint8_t stored[200];
	size_t n = sizeof(stored);
	struct defect compressed = none;
	struct error err = {0};

	add_hex(&contents, ENTRY_0 ENTRY_V RESTARTS);
	assert_int_equal(snappy_compress((const char *)contents.p, contents.n, (char *)stored, &n),
			 SNAPPY_OK);
	for (size_t i = 0; i < n; i++)
		buf_printf(&hex, "%02x", stored[i]);
	buf_add_u8(&hex, 0);
	compressed.contents = (const char *)hex.p;
	compressed.type = 1;
	build(&compressed, &file);
	assert_int_equal(read_all(buf_span(&file), &entries, &err), 0);
	assert_hex(buf_span(&entries), "00 06 08011a020801 01 76 0b 08011200280435 81a5da2b");
}

/* Any bit but those that nobody looks at: an error, never other entries. */
TEST(every_bit_flipped)
{
	static const struct defect none = {.name = "none"};
	cleanup_buf struct buf file = {0}, good = {0};
	struct error err = {0};

	build(&none, &file);
	assert_int_equal(read_all(buf_span(&file), &good, &err), 0);
	for (size_t bit = 0; bit < 8 * file.n; bit++) {
		cleanup_buf struct buf entries = {0};
		/* The metaindex block, its handle, the padding; a size spelled with a byte more. */
		size_t at = bit / 8;
		bool ignored = (at >= 37 && at < 50) || at == 69 || at == 70 ||
			       (at >= 73 && at < 109) || bit == 8 * 72 + 7;
		int r;

		file.p[at] ^= (uint8_t)(1 << bit % 8);
		r = read_all(buf_span(&file), &entries, &err);
		if (r == 0 && ignored)
			assert_same(buf_span(&entries), buf_span(&good));
		else
			assert_int_equal(r, -EBADMSG);
		file.p[at] ^= (uint8_t)(1 << bit % 8);
	}
}

TEST(every_length_and_every_beginning)
{
	static const struct defect none = {.name = "none"};
	cleanup_buf struct buf file = {0}, entries = {0};
	struct error err = {0};

	build(&none, &file);
	for (size_t n = 0; n < file.n; n++)
		assert_int_equal(read_all(span_first(buf_span(&file), n), &entries, &err),
				 -EBADMSG);
	for (size_t n = 1; n <= file.n; n++)
		assert_int_equal(read_all(span_skip(buf_span(&file), n), &entries, &err), -EBADMSG);
	assert_refused(read_all(span_skip(buf_span(&file), file.n), &entries, &err), -EBADMSG, &err,
		       "0 bytes are too few");
}

/* ---- two data blocks ---- */

/* Reads a table of two data blocks, whose contents and that of its index block are in hex. */
static int read_two(const char *first, const char *second, const char *index, struct buf *entries,
		    struct error *err)
{
	cleanup_buf struct buf file = {0}, contents = {0};
	static const struct defect none = {.name = "none"};
	uint64_t handles[4] = {0, 0};

	add_hex(&contents, first);
	add_sealed(&file, buf_span(&contents), 0, 0);
	buf_reset(&contents);
	add_hex(&contents, second);
	add_sealed(&file, buf_span(&contents), 0, 0);
	buf_reset(&contents);
	add_hex(&contents, index);
	handles[2] = file.n;
	handles[3] = contents.n;
	add_sealed(&file, buf_span(&contents), 0, 0);
	add_footer(&file, &none, handles);
	return read_all(buf_span(&file), entries, err);
}

/* Each block has 12 bytes, and 5 behind them. */
#define BLOCK_OF(key) "000100" key RESTARTS
#define INDEX_OF(a, b)    \
	"000102" a "000c" \
	"000102" b "110c" \
	"00000000 06000000 02000000"
#define SECOND_IS(places) "000102 6d 000c 000102 7a" places "00000000 06000000 02000000"

TEST(two_blocks)
{
	cleanup_buf struct buf entries = {0};
	struct error err = {0};
	int r = read_two(BLOCK_OF("61"), BLOCK_OF("70"), INDEX_OF("6d", "7a"), &entries, &err);

	assert_int_equal(r, 0);
	assert_hex(buf_span(&entries), "01 61 00 01 70 00");
}

#define UNSORTED_AT(offset) "block at offset " offset ": bad or unsorted entry"
#define UNSORTED_INDEX	    "in the index block, behind the block at offset 0"

/* What is wrong with two blocks together, or with what leads to them. */
static const struct pair {
	const char *name, *first, *second, *index, *says;
} pairs[] = {
	{"key_below_the_separator_before", BLOCK_OF("61"), BLOCK_OF("6c"), INDEX_OF("6d", "7a"),
	 UNSORTED_AT("17")},
	{"key_of_the_separator_before", BLOCK_OF("61"), BLOCK_OF("6d"), INDEX_OF("6d", "7a"),
	 UNSORTED_AT("17")},
	{"second_block_unsorted", BLOCK_OF("61"), BLOCK_OF("61"), INDEX_OF("61", "7a"),
	 UNSORTED_AT("17")},
	/* The first key of a block stands whole: a search may come to it without the one before. */
	{"second_block_begins_like_the_first", BLOCK_OF("61"), "010100 70" RESTARTS,
	 INDEX_OF("61", "7a"), UNSORTED_AT("17")},
	{"separators_unsorted", BLOCK_OF("61"), BLOCK_OF("70"), INDEX_OF("7a", "79"),
	 UNSORTED_INDEX},
	{"separators_the_same", BLOCK_OF("61"), BLOCK_OF("70"), INDEX_OF("7a", "7a"),
	 UNSORTED_INDEX},
	{"one_block_twice", BLOCK_OF("61"), BLOCK_OF("70"), SECOND_IS("000c"), UNSORTED_AT("0")},
	{"second_block_outside", BLOCK_OF("61"), BLOCK_OF("70"), SECOND_IS("7f0c"),
	 "block at offset 127, size 12: lies outside"},
};

static void pair_refused(void **state)
{
	const struct pair *p = *state;
	cleanup_buf struct buf entries = {0};
	struct error err = {0};

	assert_refused(read_two(p->first, p->second, p->index, &entries, &err), -EBADMSG, &err,
		       p->says);
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(nothing_wrong),     cmocka_unit_test(compressed_block),
	cmocka_unit_test(every_bit_flipped), cmocka_unit_test(every_length_and_every_beginning),
	cmocka_unit_test(two_blocks),
};

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(defects) + ARRAY_SIZE(pairs) + ARRAY_SIZE(others)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(defects); i++)
		tests[n++] = (struct CMUnitTest){
			.name = defects[i].name,
			.test_func = refused,
			.initial_state = (void *)(uintptr_t)&defects[i],
		};
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		tests[n++] = (struct CMUnitTest){
			.name = pairs[i].name,
			.test_func = pair_refused,
			.initial_state = (void *)(uintptr_t)&pairs[i],
		};
	memcpy(tests + n, others, sizeof(others));
	return RUN(tests);
}
