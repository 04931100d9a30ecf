#include "support.h"

#include "codec/work/data_file.h"
#include "codec/work/region.h"

static struct folder folder;
static struct data_file *data;

static int setup(void **state)
{
	struct error err = {0};

	(void)state;
	folder_make(&folder);
	return data_file_create(folder.fd, 0, &data, &err);
}

static int teardown(void **state)
{
	(void)state;
	data_file_unref(data);
	folder_unmake(&folder);
	return 0;
}

static struct region *new_region(uint64_t size)
{
	uint64_t offset;
	struct region *r;

	assert_int_equal(data_file_allocate(data, size, &offset), 0);
	r = region_new(7, data_file_ref(data), offset, size);
	assert_non_null(r);
	return r;
}

TEST(sizes_in_blocks)
{
	static const struct {
		uint64_t size, blocks;
	} sizes[] = {{0, 0},	{1, 1},		 {4095, 1},	     {4096, 1},
		     {4097, 2}, {64 * 4096, 64}, {64 * 4096 + 1, 65}};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct region *r = new_region(sizes[i].size);

		assert_int_equal(region_blocks(r), sizes[i].blocks);
		for (uint64_t b = 0; b < sizes[i].blocks; b++)
			assert_false(region_has(r, b));
		assert_null(region_free(r));
	}
	assert_null(region_free(NULL));
}

TEST(all_at_once)
{
	struct region *r = new_region(100 * 4096 + 5);
	bool present;

	assert_int_equal(region_run(r, 0, r->size, &present), r->size);
	assert_false(present);
	region_set_all(r);
	assert_true(region_has(r, 0) && region_has(r, 100));
	assert_int_equal(region_run(r, 0, r->size, &present), r->size);
	assert_true(present);
	assert_int_equal(region_run(r, r->size - 1, 1, &present), 1);
	region_set(r, 3, 5);
	region_clear_from(r, 3); /* what is complete stays so */
	assert_true(region_has(r, 50));
	region_free(r);
}

/* How long a run is, block by block. */
static uint64_t slow_run(const bool *there, uint64_t at, uint64_t n)
{
	uint64_t i = 1;

	while (i < n && there[(at + i) / REGION_BLOCK] == there[at / REGION_BLOCK])
		i++;
	return i;
}

static void change(struct region *r, bool *there, uint64_t blocks, uint64_t *seed)
{
	uint64_t first = random_below(seed, blocks + 1), count;

	if (random_below(seed, 4)) {
		count = random_below(seed, blocks - first + 1);
		count = random_below(seed, count + 1);
		region_set(r, first, count);
		memset(there + first, true, count);
	} else {
		region_clear_from(r, first);
		memset(there + first, false, blocks - first);
	}
}

static void assert_like(const struct region *r, const bool *there, uint64_t *seed)
{
	uint64_t at = random_below(seed, r->size), n = 1 + random_below(seed, r->size - at);
	bool present;

	for (uint64_t b = 0; b < region_blocks(r); b++)
		assert_int_equal(region_has(r, b), there[b]);
	assert_int_equal(region_run(r, at, n, &present), slow_run(there, at, n));
	assert_int_equal(present, there[at / REGION_BLOCK]);
}

TEST(runs_agree_with_a_model)
{
	uint64_t seed = 1;

	for (int round = 0; round < 40; round++) {
		uint64_t size = 1 + random_below(&seed, 200 * REGION_BLOCK);
		struct region *r = new_region(size);
		bool *there = calloc(region_blocks(r), sizeof(*there));

		assert_non_null(there);
		for (int i = 0; i < 40; i++) {
			change(r, there, region_blocks(r), &seed);
			assert_like(r, there, &seed);
		}
		free(there);
		region_free(r);
	}
}

/* A word of the bitmap is 64 blocks: whatever begins or ends at its edge. */
TEST(runs_at_the_edges_of_words)
{
	struct region *r = new_region(256 * REGION_BLOCK);
	bool present;

	region_set(r, 64, 64);
	assert_int_equal(region_run(r, 0, r->size, &present), 64 * REGION_BLOCK);
	assert_false(present);
	assert_int_equal(region_run(r, 64 * REGION_BLOCK, r->size - 64 * REGION_BLOCK, &present),
			 64 * REGION_BLOCK);
	assert_true(present);
	assert_int_equal(region_run(r, 128 * REGION_BLOCK - 1, 2, &present), 1);
	assert_true(present);
	assert_int_equal(region_run(r, 128 * REGION_BLOCK, 128 * REGION_BLOCK, &present),
			 128 * REGION_BLOCK);
	assert_false(present);
	region_free(r);
}

/* ---- the file that the regions lie in ---- */

TEST(regions_do_not_overlap)
{
	uint64_t seed = 2, end = DATA_HEADER, offset;

	for (int i = 0; i < 200; i++) {
		uint64_t size = random_below(&seed, i % 2 ? 100 : 100000);

		assert_int_equal(data_file_allocate(data, size, &offset), 0);
		assert_true(offset >= end || data->end >= end);
		assert_int_equal(data_file_adopt(data, offset, size), 0);
		end = offset + size;
		assert_int_equal(data->end, end);
	}
	assert_int_equal(data_file_adopt(data, end, 1), -EBADMSG);
	assert_int_equal(data_file_adopt(data, end, 0), 0);
	assert_int_equal(data_file_adopt(data, end + 1, 0), -EBADMSG);
	assert_int_equal(data_file_adopt(data, 0, 1), -EBADMSG);
	assert_int_equal(data_file_adopt(data, UINT64_MAX, 2), -EBADMSG);
	assert_int_equal(data_file_adopt(data, DATA_HEADER, UINT64_MAX), -EBADMSG);
	assert_int_equal(data_file_allocate(data, UINT64_MAX, &offset), -EFBIG);
	assert_int_equal(data_file_allocate(data, INT64_MAX, &offset), -EFBIG);
}

TEST(data_files_are_known_again)
{
	struct data_file *again = NULL, *other = NULL;
	struct error err = {0};

	assert_true(data_file_is_ours(data->fd));
	assert_int_equal(data_file_create(folder.fd, 0, &other, &err), -EEXIST);
	assert_int_equal(data_file_open(folder.fd, 0, &again, &err), 0);
	assert_int_equal(again->end, data->end);
	data_file_unref(again);
	assert_int_equal(data_file_open(folder.fd, 1, &other, &err), -ENOENT);
	folder_write(&folder, "data.1", span_str("weightfs appended shard, version 1\n"));
	assert_refused(data_file_open(folder.fd, 1, &other, &err), -EBADMSG, &err, "no data file");
	folder_write(&folder, "data.1", (struct span){0});
	assert_refused(data_file_open(folder.fd, 1, &other, &err), -EBADMSG, &err, "no data file");
	assert_int_equal(symlinkat("data.0", folder.fd, "data.2"), 0);
	assert_int_equal(data_file_open(folder.fd, 2, &other, &err), -ELOOP);
	assert_null(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_in_blocks),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(runs_agree_with_a_model),
		cmocka_unit_test(runs_at_the_edges_of_words),
		cmocka_unit_test(regions_do_not_overlap),
		cmocka_unit_test(data_files_are_known_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
