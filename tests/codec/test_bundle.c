#include "support.h"

#include "codec/bundle/bundle.h"
#include "codec/container/pbwire.h"

static const struct bundle_header two_shards = {.shards = 2};

/* ---- the header ---- */

static int decode_header(const char *hex, struct bundle_header *ret, struct error *err)
{
	cleanup_buf struct buf value = {0};

	add_hex(&value, hex);
	return bundle_decode_header(buf_span(&value), ret, err);
}

TEST(headers)
{
	struct bundle_header h = {0};
	struct error err = {0};

	assert_int_equal(decode_header("08011a020801", &h, &err), 0);
	assert_true(h.shards == 1 && !h.big_endian);
	assert_int_equal(decode_header("08ac02 1a020801", &h, &err), 0);
	assert_int_equal(h.shards, 300);
	assert_int_equal(decode_header("0801 1001 1a020801", &h, &err), 0);
	assert_true(h.shards == 1 && h.big_endian);
	/* No version is version 0, and no number of shards is none: TensorFlow reads both. */
	assert_int_equal(decode_header("0801", &h, &err), 0);
	assert_int_equal(decode_header("", &h, &err), 0);
	assert_int_equal(h.shards, 0);
	/* A newer producer that lets readers of version 1 in, but not those of 2. */
	assert_int_equal(decode_header("0801 1a07 0807 1001 1a0102", &h, &err), 0);
	assert_int_equal(decode_header("08a08d06 1a020801", &h, &err), 0);
	assert_int_equal(h.shards, BUNDLE_SHARDS_MAX);
}

static const struct {
	const char *name, *hex, *says;
} bad_headers[] = {
	{"cut", "08011a0208", "BundleHeaderProto"},
	{"other wire type", "0a0101 1a020801", "BundleHeaderProto"},
	{"shards below zero", "08ffffffffffffffffff01", "-1 shards"},
	{"too many shards", "08a18d06", "100001 shards"},
	{"byte order", "0801 1002", "byte order 2"},
	{"producer below zero", "0801 1a0b 08ffffffffffffffffff01", "producer -1"},
	{"needs a newer reader", "0801 1a04 0802 1002", "needs a reader of 2"},
	{"refuses this reader", "0801 1a05 0802 1a0101", "refuses readers of 1"},
	{"refuses it among others", "0801 1a07 0802 1a03000102", "refuses readers of 1"},
};

TEST(bad_headers_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_headers); i++) {
		struct bundle_header h = {.shards = 42};
		struct error err = {0};
		int r = decode_header(bad_headers[i].hex, &h, &err);

		assert_refused(r, -EBADMSG, &err, bad_headers[i].says);
		assert_int_equal(h.shards, 42);
	}
}

TEST(headers_keep_what_else_they_hold)
{
	cleanup_buf struct buf value = {0}, out = {0};

	add_hex(&value, "08011a020801");
	assert_int_equal(bundle_encode_header(buf_span(&value), 1, &out), 0);
	assert_hex(buf_span(&out), "08011a020801");
	assert_int_equal(bundle_encode_header(buf_span(&value), 300, &out), 0);
	assert_hex(buf_span(&out), "08ac02 1a020801");
	buf_reset(&value);
	add_hex(&value, "1a020801 0801 7a0161 1001");
	assert_int_equal(bundle_encode_header(buf_span(&value), 2, &out), 0);
	assert_hex(buf_span(&out), "0802 1a020801 7a0161 1001");
	assert_int_equal(bundle_encode_header(span_first(buf_span(&value), 3), 2, &out), -EBADMSG);
}

/* ---- entries ---- */

static int decode(const char *hex, struct arena *arena, struct bundle_entry *ret, struct error *err)
{
	cleanup_buf struct buf value = {0};

	add_hex(&value, hex);
	return bundle_decode_entry(buf_span(&value), &two_shards, arena, ret, err);
}

TEST(scalar)
{
	cleanup_buf struct buf out = {0};
	struct arena arena = {0};
	struct bundle_entry e;
	struct error err = {0};

	assert_int_equal(decode("0801 1200 2004 2804 35 81a5da2b", &arena, &e, &err), 0);
	assert_int_equal(e.dtype, 1);
	assert_int_equal(e.shape.rank, 0);
	assert_int_equal(e.slices, 0);
	assert_true(e.extent.shard == 0 && e.extent.offset == 4 && e.extent.size == 4);
	assert_int_equal(e.extent.crc, 0x2bdaa581);
	bundle_encode_entry(&e, &out);
	assert_hex(buf_span(&out), "0801 1200 2004 2804 35 81a5da2b");
	arena_release(&arena);
}

/* Entries as TensorFlow writes them come out as they went in. */
static const char *const canonical[] = {
	"0801 1200 2804 35 81a5da2b",
	"0801 1202 1200 35 d8ea82a2",				       /* shape [0] */
	"0801 1208 1202 0802 1202 0803 1801 20b960 2818 35 81a5da2b",  /* [2, 3], shard 1 */
	"0807 1200 2805 35 81a5da2b",				       /* a string */
	"0815 1200 2864 35 81a5da2b",				       /* a variant */
	"0822 1200 2864 35 81a5da2b",				       /* dtype-34 */
	"0801 1207 1205 0880808008 2880808020 35 81a5da2b",	       /* 2^24 */
	"0801 1200 20ffffffff07 2804 35 81a5da2b",		       /* offset of 2^31 - 1 */
	"0801 1200 20808080808080808040 2804 35 81a5da2b",	       /* offset of 2^62 */
	"0801 1200 2804",					       /* a checksum of 0 */
	"0801 1208 1202 0804 1202 0802 3a0a 0a04 0802 1002 0a02 1002", /* [2, 4) of the rows */
	"0801 1208 1202 0804 1202 0802 3a06 0a02 1002 0a00 3a08 0a04 0802 1002 0a00",
	"0801 1204 1202 0804 3a04 0a02 1000", /* a slice of length 0, which is not the whole */
};

TEST(canonical_entries_round_trip)
{
	struct arena arena = {0};

	for (size_t i = 0; i < ARRAY_SIZE(canonical); i++) {
		cleanup_buf struct buf out = {0};
		struct bundle_entry e;
		struct error err = {0};

		if (decode(canonical[i], &arena, &e, &err) < 0)
			fail_msg("%s: %s", canonical[i], err.text);
		bundle_encode_entry(&e, &out);
		assert_hex(buf_span(&out), canonical[i]);
	}
	arena_release(&arena);
}

/* What is no mistake, but spelled in another way: no shape, names, fields in any order. */
TEST(other_spellings_are_read)
{
	static const char *const spellings[] = {
		"0801 2804 35 81a5da2b",
		"35 81a5da2b 2804 1200 0801",
		"0801 1202 1801 2804 35 81a5da2b",
		"0803 0801 1200 1800 2000 2804 35 81a5da2b",
		"0801 1200 2804 35 81a5da2b 7a0161",
	};
	struct arena arena = {0};

	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		cleanup_buf struct buf out = {0};
		struct bundle_entry e;
		struct error err = {0};

		assert_int_equal(decode(spellings[i], &arena, &e, &err), 0);
		bundle_encode_entry(&e, &out);
		assert_hex(buf_span(&out), "0801 1200 2804 35 81a5da2b");
	}
	arena_release(&arena);
}

TEST(slices)
{
	struct arena arena = {0};
	struct bundle_entry e;
	struct error err = {0};

	assert_int_equal(decode("0801 1208 1202 0804 1202 0802 3a06 0a02 1003 0a00"
				"3a08 0a04 0803 1001 0a00",
				&arena, &e, &err),
			 0);
	assert_int_equal(e.slices, 2);
	assert_true(e.start[0] == 0 && e.length[0] == 3 && !e.full[0]);
	assert_true(e.start[1] == 0 && e.length[1] == 2 && e.full[1]);
	assert_true(e.start[2] == 3 && e.length[2] == 1 && !e.full[2]);
	assert_true(e.start[3] == 0 && e.length[3] == 2 && e.full[3]);
	arena_release(&arena);
}

/* What an entry of slices says of an extent means nothing. */
TEST(extent_beside_slices_is_ignored)
{
	struct arena arena = {0};
	struct bundle_entry e;
	struct error err = {0};

	assert_int_equal(decode("0801 1204 1202 0804 1863 28ffffffffffffffffff01 3a04 0a02 1004",
				&arena, &e, &err),
			 0);
	assert_int_equal(e.slices, 1);
	arena_release(&arena);
}

static const struct {
	const char *name, *hex, *says;
} bad_entries[] = {
	{"cut", "0801 1200 28", "BundleEntryProto"},
	{"group", "0801 0b0c 2804", "BundleEntryProto"},
	{"no dtype", "1200 2804", "dtype 0"},
	{"dtype below zero", "08ffffffffffffffffff01 1200 2804", "dtype -1"},
	{"dtype resource", "0814 1200 2804", "dtype 20"},
	{"first dtype reference", "0864 1200 2804", "dtype 100"},
	{"dtype reference", "0865 1200 2804", "dtype 101"},
	{"dimension unknown", "0801 120d 120b 08ffffffffffffffffff01 2804", "dimension 0 is -1"},
	{"second dimension", "0801 1211 1202 0804 120b 08feffffffffffffffff01",
	 "dimension 1 is -2"},
	{"too many elements", "0801 1216 1209 0880808080808080 20 1209 0880808080808080 20",
	 "too many elements"},
	{"bytes overflow", "0801 120c 120a 08 808080808080808040 2804",
	 "are more than a file can hold"},
	{"shard not counted", "0801 1200 1802 2804", "shard 2 of 2"},
	{"shard below zero", "0801 1200 18ffffffffffffffffff01 2804", "shard -1 of 2"},
	{"offset below zero", "0801 1200 20ffffffffffffffffff01 2804", "offset -1"},
	{"size below zero", "0801 1200 28ffffffffffffffffff01", "size -1"},
	{"offset and size overflow", "0801 1200 20fdffffffffffffff7f 2804",
	 "offset 9223372036854775805"},
	{"size too small", "0801 1200 2803", "stored size is 3, but float32 of this shape takes 4"},
	{"size too large", "0801 1200 2805", "stored size is 5"},
	{"size of an empty shape", "0801 1202 1200 2804", "of this shape takes 0"},
	{"no size", "0801 1200", "stored size is 0"},
	{"strings in too few bytes", "0807 1204 1202 0805 2804", "4 bytes cannot hold 5 strings"},
	{"slice of another rank", "0801 1204 1202 0804 3a06 0a02 1004 0a00",
	 "slice 0 has 2 dimensions"},
	{"slice without rank", "0801 1204 1202 0804 3a04 0a02 1004 3a00",
	 "slice 1 has 0 dimensions"},
};

TEST(bad_entries_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_entries); i++) {
		struct arena arena = {0};
		struct bundle_entry e = {.dtype = 42};
		struct error err = {0};
		int r = decode(bad_entries[i].hex, &arena, &e, &err);

		assert_refused(r, -EBADMSG, &err, bad_entries[i].says);
		assert_int_equal(e.dtype, 42);
		arena_release(&arena);
	}
}

/* An entry with that many dimensions of 1. */
static void add_ranked(struct buf *out, size_t rank)
{
	cleanup_buf struct buf shape = {0};

	for (size_t i = 0; i < rank; i++)
		add_hex(&shape, "12020801");
	add_hex(out, "0801");
	pb_add_bytes(out, 2, buf_span(&shape));
	add_hex(out, "2804");
}

TEST(at_most_254_dimensions)
{
	cleanup_buf struct buf most = {0}, more = {0};
	struct arena arena = {0};
	struct bundle_entry e;
	struct error err = {0};
	int r;

	add_ranked(&most, 254);
	assert_int_equal(bundle_decode_entry(buf_span(&most), &two_shards, &arena, &e, &err), 0);
	assert_int_equal(e.shape.rank, 254);
	add_ranked(&more, 255);
	r = bundle_decode_entry(buf_span(&more), &two_shards, &arena, &e, &err);
	assert_refused(r, -EBADMSG, &err, "255 dimensions");
	arena_release(&arena);
}

/* A few bytes for each slice must not ask for a shape's worth of memory each. */
TEST(memory_of_slices_is_bounded)
{
	enum { SLICES = 200000 };
	cleanup_buf struct buf value = {0};
	struct arena arena = {0};
	struct bundle_entry e;
	struct error err = {0};

	add_ranked(&value, 254);
	for (size_t i = 0; i < SLICES; i++)
		add_hex(&value, "3a00");
	assert_int_equal(bundle_decode_entry(buf_span(&value), &two_shards, &arena, &e, &err),
			 -EBADMSG);
	assert_true(arena.used < 64 * value.n);
	arena_release(&arena);
}

/* ---- another place ---- */

static void assert_moves(const char *from, const struct extent *extent, const char *to)
{
	cleanup_buf struct buf value = {0}, out = {0};

	add_hex(&value, from);
	buf_add_str(&out, "emptied first");
	assert_int_equal(bundle_move_entry(buf_span(&value), extent, &out), 0);
	assert_hex(buf_span(&out), to);
}

TEST(moved_entries_keep_all_else)
{
	const struct extent there = {.shard = 3, .crc = 0x2bdaa581, .offset = 300, .size = 4};
	const struct extent first = {.size = 4};

	assert_moves("0801 1200 2004 2804 35 11223344", &there,
		     "0801 1200 1803 20ac02 2804 35 81a5da2b");
	assert_moves("0801 1200 2004 2804 35 11223344", &first, "0801 1200 2804");
	assert_moves("0801 1200", &there, "0801 1200 1803 20ac02 2804 35 81a5da2b");
	assert_moves("0801 1200 2804 7a0161", &there,
		     "0801 1200 1803 20ac02 2804 35 81a5da2b 7a0161");
	assert_moves("35 11223344 2804 1200 0801", &there,
		     "1803 20ac02 2804 35 81a5da2b 1200 0801");
	assert_moves("0801 1200 7a0161", &first, "0801 1200 2804 7a0161");
	/* Longer than it need be, and a dimension's name: nothing of ours. */
	assert_moves("088100 1206 1204 08011200 2804", &first, "088100 1206 1204 08011200 2804");
}

TEST(what_is_no_message_is_not_moved)
{
	cleanup_buf struct buf value = {0}, out = {0};
	const struct extent first = {.size = 4};

	add_hex(&value, "0801 1200 28");
	assert_int_equal(bundle_move_entry(buf_span(&value), &first, &out), -EBADMSG);
}

/* ---- names ---- */

TEST(names_of_files)
{
	cleanup_buf struct buf name = {0};

	bundle_index_name("a/model", &name);
	assert_says(buf_span(&name), "a/model.index");
	assert_int_equal(name.p[name.n], 0);
	buf_reset(&name);
	bundle_shard_name("m", 7, 12, &name);
	assert_says(buf_span(&name), "m.data-00007-of-00012");
	assert_int_equal(name.p[name.n], 0);
	buf_reset(&name);
	bundle_shard_name("m", 99999, 100000, &name);
	assert_says(buf_span(&name), "m.data-99999-of-100000");
}

TEST(names_are_understood)
{
	size_t n;
	uint32_t shard, shards;

	assert_true(bundle_parse_shard_name("m.data-00007-of-00012", &n, &shard, &shards));
	assert_true(n == 1 && shard == 7 && shards == 12);
	assert_true(bundle_parse_shard_name("m.data-99999-of-100000", &n, &shard, &shards));
	assert_true(n == 1 && shard == 99999 && shards == 100000);
	assert_true(bundle_parse_shard_name(".data-00000-of-00001", &n, &shard, &shards));
	assert_int_equal(n, 0);
	assert_true(bundle_parse_shard_name("m.data-00000-of-00002.data-00001-of-00003", &n, &shard,
					    &shards));
	assert_true(n == 21 && shard == 1 && shards == 3);
}

TEST(names_that_are_no_shards)
{
	static const char *const strangers[] = {
		"",
		"m",
		"m.index",
		"m.data-",
		"m.data-0-of-1",
		"m.data-00000-of-00001x",
		"m.data-00000-of-00001.tempstate42",
		"m.data-00000-of-0001",
		"m.data-+0000-of-00001",
		"m.data- 0000-of-00001",
		"m.data-000000-of-00001",
		"m.data-00000-of-9999999999",
		"m.data-00000-of--0001",
		"m.data-00000_of-00001",
	};
	size_t n;
	uint32_t shard, shards;

	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++)
		assert_false(bundle_parse_shard_name(strangers[i], &n, &shard, &shards));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(bad_headers_are_refused),
		cmocka_unit_test(headers_keep_what_else_they_hold),
		cmocka_unit_test(scalar),
		cmocka_unit_test(canonical_entries_round_trip),
		cmocka_unit_test(other_spellings_are_read),
		cmocka_unit_test(slices),
		cmocka_unit_test(extent_beside_slices_is_ignored),
		cmocka_unit_test(bad_entries_are_refused),
		cmocka_unit_test(at_most_254_dimensions),
		cmocka_unit_test(memory_of_slices_is_bounded),
		cmocka_unit_test(moved_entries_keep_all_else),
		cmocka_unit_test(what_is_no_message_is_not_moved),
		cmocka_unit_test(names_of_files),
		cmocka_unit_test(names_are_understood),
		cmocka_unit_test(names_that_are_no_shards),
	};

	return RUN(tests);
}
