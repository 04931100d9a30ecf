#include "support.h"

#include "codec/tensor/slices.h"

/* ---- keys ---- */

/* A key of rank 1: what stands for its start. The name is "w", the length 1. */
static void assert_start(int64_t start, const char *hex)
{
	cleanup_buf struct buf key = {0}, expected = {0};
	const int64_t length = 1;
	const bool full = false;

	slice_key(span_str("w"), 1, &start, &length, &full, &key);
	add_hex(&expected, "00 77 0001 0101");
	add_hex(&expected, hex);
	add_hex(&expected, "81");
	assert_same(buf_span(&key), buf_span(&expected));
}

static const struct {
	int64_t number;
	const char *hex;
} signed_numbers[] = {
	{0, "80"},
	{1, "81"},
	{-1, "7f"},
	{63, "bf"},
	{64, "c040"},
	{100, "c064"},
	{128, "c080"},
	{8191, "dfff"},
	{8192, "e02000"},
	{1048575, "efffff"},
	{1048576, "f0100000"},
	{INT64_C(1) << 31, "f880000000"},
	{-64, "40"},
	{-65, "3fbf"},
	{-8193, "1fdfff"},
	{(INT64_C(1) << 55) - 1, "ff7fffffffffffff"},
	{INT64_C(1) << 55, "ff8080000000000000"},
	{INT64_MAX, "ffc07fffffffffffffff"},
	{INT64_MIN, "003f8000000000000000"},
};

TEST(numbers_of_keys)
{
	for (size_t i = 0; i < ARRAY_SIZE(signed_numbers); i++)
		assert_start(signed_numbers[i].number, signed_numbers[i].hex);
}

/* That is what the encoding is for. */
TEST(numbers_sort_as_their_keys)
{
	uint64_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		cleanup_buf struct buf a = {0}, b = {0};
		int64_t x = (int64_t)random_next(&seed) >> random_below(&seed, 64);
		int64_t y = (int64_t)random_next(&seed) >> random_below(&seed, 64);
		const int64_t length = 1;
		const bool full = false;
		int c;

		slice_key(span_str("w"), 1, &x, &length, &full, &a);
		slice_key(span_str("w"), 1, &y, &length, &full, &b);
		c = span_compare(buf_span(&a), buf_span(&b));
		assert_int_equal((c > 0) - (c < 0), (x > y) - (x < y));
	}
}

TEST(keys)
{
	cleanup_buf struct buf key = {0};

	slice_key(span_str("w"), 2, (int64_t[]){0, 0}, (int64_t[]){5, 7}, (bool[]){false, true},
		  &key);
	assert_hex(buf_span(&key), "00 77 0001 0102 8085 807f");
	buf_reset(&key);
	slice_key(span_str("embedding/weights"), 2, (int64_t[]){0, 0}, (int64_t[]){250000, 16},
		  (bool[]){false, true}, &key);
	assert_hex(buf_span(&key), "00 656d62656464696e672f77656967687473 0001 0102 80e3d090 807f");
	/* What a name may hold; a start of a whole dimension means nothing. */
	buf_reset(&key);
	slice_key(span_of("a\0\xff", 3), 1, (int64_t[]){9}, (int64_t[]){9}, (bool[]){true}, &key);
	assert_hex(buf_span(&key), "00 61 00ff ff00 0001 0101 807f");
	buf_reset(&key);
	slice_key((struct span){0}, 0, NULL, NULL, NULL, &key);
	assert_hex(buf_span(&key), "00 0001 00");
}

TEST(names_in_keys)
{
	static const struct span names[] = {
		{(const uint8_t *)"w", 1},
		{(const uint8_t *)"a\0\xff", 3},
		{(const uint8_t *)"\xff\0\1", 3},
		{(const uint8_t *)"", 0},
	};
	static const char *const others[] = {
		"",	      "00",	 "77", "00 77", "00 77 00", "00 77 0002 01", "00 ff01 0001",
		"77 0001 01", "00 77 ff"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_buf struct buf key = {0}, name = {0};

		slice_key(names[i], 1, (int64_t[]){3}, (int64_t[]){4}, (bool[]){false}, &key);
		assert_true(slice_key_name(buf_span(&key), &name));
		assert_same(buf_span(&name), names[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		cleanup_buf struct buf key = {0}, name = {0};

		add_hex(&key, others[i]);
		assert_false(slice_key_name(buf_span(&key), &name));
	}
}

TEST(ranks_of_keys)
{
	cleanup_buf struct buf key = {0};
	int64_t zeros[300] = {0};
	bool full[300];

	memset(full, true, sizeof(full));
	slice_key(span_str("w"), 254, zeros, zeros, full, &key);
	assert_hex(span_first(buf_span(&key), 8), "00 77 0001 01fe 807f");
	assert_int_equal(key.n, 6 + 2 * 254);
	buf_reset(&key);
	slice_key(span_str("w"), 300, zeros, zeros, full, &key);
	assert_hex(span_first(buf_span(&key), 9), "00 77 0001 02012c 807f");
}

/* ---- partitions ---- */

enum { PARTS = 64, DIMS = 4 };

struct partition {
	struct shape shape;
	int64_t dims[DIMS];
	size_t n;
	int64_t start[PARTS * DIMS], length[PARTS * DIMS]; /* n times rank numbers */
};

/* Cuts one part in two along a dimension where it is longer than 1. */
static void cut_once(struct partition *p, uint64_t *seed)
{
	uint32_t rank = p->shape.rank;
	size_t i = random_below(seed, p->n), d = random_below(seed, rank);
	int64_t *start = p->start + i * rank, *length = p->length + i * rank;
	int64_t first;

	if (length[d] < 2 || p->n == PARTS)
		return;
	first = 1 + (int64_t)random_below(seed, (uint64_t)length[d] - 1);
	memcpy(p->start + p->n * rank, start, rank * sizeof(*start));
	memcpy(p->length + p->n * rank, length, rank * sizeof(*length));
	p->start[p->n * rank + d] += first;
	p->length[p->n * rank + d] -= first;
	length[d] = first;
	p->n++;
}

/* A random shape, cut at random. */
static void make_partition(struct partition *p, uint64_t *seed)
{
	uint32_t rank = 1 + (uint32_t)random_below(seed, DIMS);

	*p = (struct partition){.shape = {rank, p->dims}, .n = 1};
	for (uint32_t d = 0; d < rank; d++)
		p->dims[d] = p->length[d] = 1 + (int64_t)random_below(seed, 7);
	for (uint64_t cuts = random_below(seed, 20); cuts; cuts--)
		cut_once(p, seed);
}

static int check(const struct partition *p, struct error *err)
{
	return slices_check(p->n, p->start, p->length, &p->shape, err);
}

TEST(partitions_are_accepted)
{
	uint64_t seed = 1;

	for (int i = 0; i < 3000; i++) {
		struct partition p;
		struct error err = {0};

		make_partition(&p, &seed);
		if (check(&p, &err) < 0)
			fail_msg("partition %d: %s", i, err.text);
	}
}

/* One number changed: a hole, an overlap, or something outside, in every case refused. */
TEST(changed_partitions_are_refused)
{
	uint64_t seed = 2;

	for (int i = 0; i < 3000; i++) {
		struct partition p;
		struct error err = {0};
		size_t at;
		int64_t by;

		make_partition(&p, &seed);
		at = random_below(&seed, p.n * p.shape.rank);
		by = (int64_t)random_below(&seed, 20) - 10;
		if (!by)
			continue;
		*(i % 2 ? &p.start[at] : &p.length[at]) += by;
		assert_int_equal(check(&p, &err), -EBADMSG);
		assert_true(err.text[0]);
	}
}

static int check_rows(size_t n, const int64_t *start, const int64_t *length, struct error *err)
{
	static const int64_t dims[] = {10};

	return slices_check(n, start, length, &(struct shape){1, dims}, err);
}

#define ROWS(...) ((const int64_t[]){__VA_ARGS__})

TEST(what_is_no_partition)
{
	static const int64_t huge[] = {INT64_MAX, 2};
	struct error err = {0};

	assert_int_equal(check_rows(2, ROWS(0, 4), ROWS(4, 6), &err), 0);
	assert_int_equal(check_rows(2, ROWS(4, 0), ROWS(6, 4), &err), 0);
	assert_refused(check_rows(1, ROWS(0), ROWS(9), &err), -EBADMSG, &err,
		       "its 1 slices have 9 elements, the whole has 10");
	assert_refused(check_rows(2, ROWS(0, 4), ROWS(5, 5), &err), -EBADMSG, &err, "overlap");
	assert_refused(check_rows(2, ROWS(0, 0), ROWS(5, 5), &err), -EBADMSG, &err, "overlap");
	assert_refused(check_rows(2, ROWS(0, 6), ROWS(5, 5), &err), -EBADMSG, &err,
		       "slice 1 lies outside");
	assert_refused(check_rows(1, ROWS(-1), ROWS(11), &err), -EBADMSG, &err,
		       "slice 0 lies outside");
	assert_refused(check_rows(1, ROWS(0), ROWS(-1), &err), -EBADMSG, &err,
		       "slice 0 lies outside");
	assert_refused(check_rows(1, ROWS(1), ROWS(INT64_MAX), &err), -EBADMSG, &err, "outside");
	assert_refused(check_rows(1, ROWS(INT64_MAX), ROWS(1), &err), -EBADMSG, &err, "outside");
	assert_refused(check_rows(0, NULL, NULL, &err), -EBADMSG, &err, "0 slices have 0 elements");
	assert_refused(slices_check(1, ROWS(0), ROWS(0), &(struct shape){0, NULL}, &err), -EBADMSG,
		       &err, "scalar");
	assert_int_equal(slices_check(1, ROWS(0, 0), huge, &(struct shape){2, huge}, &err),
			 -EBADMSG);
}

TEST(too_many_slices)
{
	int64_t *start = calloc(SLICES_MAX + 1, sizeof(*start));
	int64_t *length = calloc(SLICES_MAX + 1, sizeof(*length));
	int64_t dims[] = {SLICES_MAX};
	const struct shape shape = {1, dims};
	struct error err = {0};

	assert_true(start && length);
	for (int64_t i = 0; i <= SLICES_MAX; i++) {
		start[i] = i;
		length[i] = 1;
	}
	assert_int_equal(slices_check(SLICES_MAX, start, length, &shape, &err), 0);
	dims[0]++;
	assert_refused(slices_check(SLICES_MAX + 1, start, length, &shape, &err), -EBADMSG, &err,
		       "10001 slices");
	free(start);
	free(length);
}

/* ---- where bytes lie ---- */

/* Where an element of the whole lies, found the slow way. */
static void place_of(const struct partition *p, uint64_t element, size_t *ret_slice,
		     uint64_t *ret_place)
{
	uint32_t rank = p->shape.rank;
	int64_t at[DIMS];

	for (uint32_t d = rank; d-- > 0; element /= (uint64_t)p->dims[d])
		at[d] = (int64_t)(element % (uint64_t)p->dims[d]);
	for (size_t i = 0; i < p->n; i++) {
		bool inside = true;

		*ret_place = 0;
		for (uint32_t d = 0; d < rank; d++) {
			int64_t from = at[d] - p->start[i * rank + d];

			inside &= from >= 0 && from < p->length[i * rank + d];
			*ret_place =
				*ret_place * (uint64_t)p->length[i * rank + d] + (uint64_t)from;
		}
		if (inside) {
			*ret_slice = i;
			return;
		}
	}
	fail_msg("element %llu is in no slice", (unsigned long long)element);
}

/* Every byte of a run lies where the slow way finds it, and the next byte does not follow. */
static void assert_run(const struct partition *p, struct slice_run run, uint32_t size,
		       uint64_t offset, uint64_t total)
{
	size_t slice;
	uint64_t place;

	assert_in_range(run.size, 1, total - offset);
	for (uint64_t i = 0; i < run.size; i++) {
		place_of(p, (offset + i) / size, &slice, &place);
		assert_int_equal(slice, run.slice);
		assert_int_equal(place * size + (offset + i) % size, run.offset + i);
	}
	if (offset + run.size == total)
		return;
	place_of(p, (offset + run.size) / size, &slice, &place);
	assert_true(slice != run.slice || place * size != run.offset + run.size);
}

/* From the slice back to the whole: the same run. */
static void assert_way_back(const struct slices *s, const struct shape *shape, uint32_t size,
			    uint64_t offset, struct slice_run run)
{
	struct slice_run back = slices_reverse(s, shape, size, run.slice, run.offset);

	assert_int_equal(back.slice, run.slice);
	assert_int_equal(back.offset, offset);
	assert_int_equal(back.size, run.size);
}

TEST(runs_agree_with_a_model)
{
	uint64_t seed = 3;

	for (int round = 0; round < 400; round++) {
		struct partition p;
		struct slice slice[PARTS];
		struct slices s = {.slice = slice};
		uint32_t size = (uint32_t[]){1, 2, 3, 4, 8, 16}[random_below(&seed, 6)];
		uint64_t elements;

		make_partition(&p, &seed);
		for (s.n = 0; s.n < p.n; s.n++)
			slice[s.n] = (struct slice){.start = p.start + s.n * p.shape.rank,
						    .length = p.length + s.n * p.shape.rank};
		assert_int_equal(shape_elements(&p.shape, &elements), 0);
		for (uint64_t at = 0; at < elements * size; at += 1 + random_below(&seed, size)) {
			size_t hint = random_below(&seed, s.n);
			struct slice_run run = slices_find(&s, &p.shape, size, at, hint);

			assert_run(&p, run, size, at, elements * size);
			assert_way_back(&s, &p.shape, size, at, run);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_keys),
		cmocka_unit_test(numbers_sort_as_their_keys),
		cmocka_unit_test(keys),
		cmocka_unit_test(names_in_keys),
		cmocka_unit_test(ranks_of_keys),
		cmocka_unit_test(partitions_are_accepted),
		cmocka_unit_test(changed_partitions_are_refused),
		cmocka_unit_test(what_is_no_partition),
		cmocka_unit_test(too_many_slices),
		cmocka_unit_test(runs_agree_with_a_model),
	};

	return RUN(tests);
}
