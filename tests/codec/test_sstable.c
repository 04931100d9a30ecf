#include "support.h"

#include "codec/container/sstable.h"

/* The file of a bundle with one float scalar v, byte by byte as TensorFlow writes it. */
static const char golden[] =
	"00 00 06  08011a020801  00 01 0b  76  08011200280435 81a5da2b  00000000 01000000"
	"00 95ced3f3"
	"00000000 01000000  00 c0f2a1b0"
	"00 01 02  77  0020  00000000 01000000  00 3e1ea462"
	"25 08 32 0e 000000000000000000000000 000000000000000000000000 000000000000000000000000"
	"57fb808b247547db";

static void add(struct sstable_writer *w, struct span key, struct span value)
{
	assert_int_equal(sstable_add(w, key, value), 0);
}

TEST(golden_file_written)
{
	cleanup_buf struct buf header = {0}, entry = {0};
	struct sstable_writer w = {0};

	add_hex(&header, "08011a020801");
	add_hex(&entry, "08011200280435 81a5da2b");
	add(&w, span_str(""), buf_span(&header));
	add(&w, span_str("v"), buf_span(&entry));
	assert_int_equal(sstable_finish(&w), 0);
	assert_int_equal(w.file.n, 117);
	assert_hex(buf_span(&w.file), golden);
	sstable_writer_release(&w);
}

TEST(golden_file_read)
{
	cleanup_buf struct buf file = {0};
	struct sstable_reader r;
	struct span key, value;
	struct error err = {0};

	add_hex(&file, golden);
	assert_true(sstable_magic(buf_span(&file)));
	assert_int_equal(sstable_open(&r, buf_span(&file), &err), 0);
	assert_int_equal(sstable_next(&r, &key, &value, &err), 1);
	assert_int_equal(key.n, 0);
	assert_hex(value, "08011a020801");
	assert_int_equal(sstable_next(&r, &key, &value, &err), 1);
	assert_says(key, "v");
	assert_hex(value, "08011200280435 81a5da2b");
	assert_int_equal(sstable_next(&r, &key, &value, &err), 0);
	assert_int_equal(sstable_next(&r, &key, &value, &err), 0);
	sstable_release(&r);
}

TEST(magic_is_at_the_end)
{
	cleanup_buf struct buf file = {0};

	assert_false(sstable_magic((struct span){0}));
	add_hex(&file, golden);
	assert_false(sstable_magic(span_first(buf_span(&file), file.n - 1)));
	assert_true(sstable_magic(span_skip(buf_span(&file), file.n - 48)));
	assert_false(sstable_magic(span_skip(buf_span(&file), file.n - 47)));
}

/* No entry at all: nothing writes that, and it is a table. */
TEST(table_of_nothing)
{
	struct sstable_writer w = {0};
	struct sstable_reader r;
	struct span key, value;
	struct error err = {0};

	assert_int_equal(sstable_finish(&w), 0);
	assert_int_equal(sstable_open(&r, buf_span(&w.file), &err), 0);
	assert_int_equal(sstable_next(&r, &key, &value, &err), 0);
	sstable_release(&r);
	sstable_writer_release(&w);
}

TEST(keys_must_ascend)
{
	struct sstable_writer w = {0}, other = {0};

	add(&w, span_str("b"), span_str(""));
	assert_int_equal(sstable_add(&w, span_str("b"), span_str("")), -EINVAL);
	assert_int_equal(sstable_add(&w, span_str("a"), span_str("")), -EINVAL);
	assert_int_equal(sstable_add(&w, span_str(""), span_str("")), -EINVAL);
	add(&w, span_str("b\xff"), span_str(""));
	assert_int_equal(sstable_add(&w, span_str("b\x01"), span_str("")), -EINVAL);
	sstable_writer_release(&w);

	add(&other, span_str(""), span_str(""));
	assert_int_equal(sstable_add(&other, span_str(""), span_str("")), -EINVAL);
	sstable_writer_release(&other);
}

/* ---- many entries ---- */

struct entry {
	struct span key, value;
};

static int compare_entries(const void *a, const void *b)
{
	return span_compare(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

/* A key of a few letters, so that many begin alike; with the greatest and the least byte. */
static struct span random_key(uint64_t *seed, struct arena *arena)
{
	static const uint8_t letters[] = {0x00, 0x01, 'a', 'b', '/', 0x7f, 0x80, 0xfe, 0xff};
	uint8_t key[40];
	size_t n = random_below(seed, sizeof(key) + 1);

	for (size_t i = 0; i < n; i++)
		key[i] = letters[random_below(seed, sizeof(letters))];
	return arena_copy(arena, span_of(key, n));
}

static size_t drop_equal(struct entry *e, size_t n)
{
	size_t kept = 1;

	for (size_t i = 1; i < n; i++)
		if (!span_equal(e[i].key, e[kept - 1].key))
			e[kept++] = e[i];
	return kept;
}

/* Sorted, the first of them the empty key; returns how many of the n are left. */
static size_t random_entries(struct entry *e, size_t n, uint64_t *seed, struct arena *arena)
{
	uint8_t value[100];

	for (size_t i = 0; i < n; i++) {
		size_t size = random_below(seed, sizeof(value));

		for (size_t j = 0; j < size; j++)
			value[j] = (uint8_t)random_next(seed);
		e[i].key = i ? random_key(seed, arena) : span_str("");
		e[i].value = arena_copy(arena, span_of(value, size));
	}
	qsort(e, n, sizeof(*e), compare_entries);
	return drop_equal(e, n);
}

static void assert_reads_as(struct span file, const struct entry *e, size_t n)
{
	struct sstable_reader r;
	struct span key, value;
	struct error err = {0};

	assert_int_equal(sstable_open(&r, file, &err), 0);
	for (size_t i = 0; i < n; i++) {
		if (sstable_next(&r, &key, &value, &err) != 1)
			fail_msg("entry %zu: %s", i, err.text);
		assert_same(key, e[i].key);
		assert_same(value, e[i].value);
	}
	assert_int_equal(sstable_next(&r, &key, &value, &err), 0);
	sstable_release(&r);
}

/* The entries of the index block: how many, and the separators in seps (if not NULL). */
static size_t list_blocks(struct span file, struct span *seps, size_t max)
{
	struct sstable_reader r;
	struct error err = {0};
	uint32_t shared = 0, own = 0, size = 0;
	struct span key = {0}, value;
	size_t n = 0;

	assert_int_equal(sstable_open(&r, file, &err), 0);
	for (; r.index.n; n++) {
		assert_int_equal(span_take_varint32(&r.index, &shared), 0);
		assert_int_equal(span_take_varint32(&r.index, &own), 0);
		assert_int_equal(span_take_varint32(&r.index, &size), 0);
		assert_int_equal(span_take(&r.index, own, &key), 0);
		assert_int_equal(span_take(&r.index, size, &value), 0);
		assert_int_equal(shared, 0);
		if (n < max)
			seps[n] = key;
	}
	sstable_release(&r);
	return n;
}

TEST(round_trips)
{
	enum { COUNT = 40000, ROUNDS = 5 };
	struct entry *e = calloc(COUNT, sizeof(*e));
	uint64_t seed = 1;

	assert_non_null(e);
	for (size_t round = 0; round < ROUNDS; round++) {
		struct arena arena = {0};
		struct sstable_writer w = {0};
		size_t n = random_entries(e, round ? 100 * round : COUNT, &seed, &arena);

		for (size_t i = 0; i < n; i++)
			add(&w, e[i].key, e[i].value);
		assert_int_equal(sstable_finish(&w), 0);
		if (!round)
			assert_true(n > 30000 && list_blocks(buf_span(&w.file), NULL, 0) > 5);
		assert_reads_as(buf_span(&w.file), e, n);
		sstable_writer_release(&w);
		arena_release(&arena);
	}
	free(e);
}

/* ---- where a block ends ---- */

enum { BLOCK = 262144 };

/* How many blocks two entries make, whose keys and values together have these sizes. */
static size_t blocks_of(size_t first, size_t second)
{
	struct sstable_writer w = {0};
	uint8_t *zeros = calloc(1, 2 * BLOCK + 1);
	size_t n;

	assert_non_null(zeros);
	add(&w, span_str("a"), span_of(zeros, first - 1));
	add(&w, span_str("b"), span_of(zeros, second - 1));
	assert_int_equal(sstable_finish(&w), 0);
	n = list_blocks(buf_span(&w.file), NULL, 0);
	sstable_writer_release(&w);
	free(zeros);
	return n;
}

/* An entry of twice a block's size does not join what is there; a smaller one does. */
TEST(huge_entries_stand_alone)
{
	assert_int_equal(blocks_of(2, 2 * BLOCK), 2);
	assert_int_equal(blocks_of(2, 2 * BLOCK - 1), 1);
	assert_int_equal(blocks_of(2 * BLOCK, 2), 2);
}

/* An entry of n + 1 bytes is 5 bytes of lengths more, then 4 of its restart and 4 of the count. */
TEST(a_block_is_full_at_its_size)
{
	assert_int_equal(blocks_of(BLOCK - 5 - 8, 2), 2);
	assert_int_equal(blocks_of(BLOCK - 5 - 8 - 1, 2), 1);
}

/* Three keys, of which the second begins a block: what the index calls the first two blocks. */
static const struct {
	const char *last, *next, *between, *above;
} separators[] = {
	{"abc", "abz", "abd", "b"},
	{"abcdef", "abz", "abd", "b"},
	{"abc", "abd", "abc", "b"},
	{"abc", "abcd", "abc", "b"},
	{"", "x", "", "y"},
	{"a\xff", "b", "a\xff", "c"},
	{"a\xff", "c", "b", "d"},
	{"ab\xff\x01", "ab\xff\x03", "ab\xff\x02", "b"},
	{"\x01zz", "\x80", "\x02", "\x81"},
	{"a", "\xff", "b", "\xff"},
	{"\xfe", "\xff\xff", "\xfe", "\xff\xff"},
	{"\xff",
	 "\xff"
	 "a",
	 "\xff",
	 "\xff"
	 "b"},
};

TEST(separators_are_shortened)
{
	uint8_t *zeros = calloc(1, 2 * BLOCK);

	assert_non_null(zeros);
	for (size_t i = 0; i < ARRAY_SIZE(separators); i++) {
		struct sstable_writer w = {0};
		struct span seps[2] = {{0}};

		add(&w, span_str(separators[i].last), span_str("value"));
		add(&w, span_str(separators[i].next), span_of(zeros, 2 * BLOCK));
		assert_int_equal(sstable_finish(&w), 0);
		assert_int_equal(list_blocks(buf_span(&w.file), seps, 2), 2);
		assert_says(seps[0], separators[i].between);
		assert_says(seps[1], separators[i].above);
		sstable_writer_release(&w);
	}
	free(zeros);
}

/* The seventeenth key stands whole, and is the second restart. */
TEST(every_sixteenth_key_stands_whole)
{
	struct sstable_writer w = {0};
	char key[] = "key/a";

	for (int i = 0; i < 18; i++, key[4]++)
		add(&w, span_str(key), span_str(""));
	assert_int_equal(sstable_finish(&w), 0);
	assert_hex(span_first(buf_span(&w.file), 12), "00 05 00 6b65792f61 04 01 00 62");
	assert_hex(span_of(w.file.p + 8 + 15 * 4, 12), "00 05 00 6b65792f71 04 01 00 72");
	assert_hex(span_of(w.file.p + 2 * 8 + 16 * 4, 12), "00000000 44000000 02000000");
	sstable_writer_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_file_written),
		cmocka_unit_test(golden_file_read),
		cmocka_unit_test(magic_is_at_the_end),
		cmocka_unit_test(table_of_nothing),
		cmocka_unit_test(keys_must_ascend),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(huge_entries_stand_alone),
		cmocka_unit_test(a_block_is_full_at_its_size),
		cmocka_unit_test(separators_are_shortened),
		cmocka_unit_test(every_sixteenth_key_stands_whole),
	};

	return RUN(tests);
}
