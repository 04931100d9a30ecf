/* Numbers that are written as a text: what becomes of the tensor, and what is stored of it. */
#include "bundles.h"
#include "numbers.h"

#include "codec/open.h"
#include "codec/save/recover.h"
#include "codec/work/edits.h"
#include "codec/work/ledger.h"
#include "codec/work/region.h"

/* 40 blocks of float32, in one piece and in slices; and dtypes whose text does not show all. */
enum { BLOCKS = 40, NUMBERS = BLOCKS * REGION_BLOCK / 4, HALF = NUMBERS / 128 };

static const struct made_tensor tensors[] = {
	{"bools", DTYPE_BOOL, 1, {100}, {{0}}, false},
	{"parts", DTYPE_FLOAT32, 2, {NUMBERS / 64, 64}, {{HALF, HALF}, {10, 54}}, false},
	{"whole", DTYPE_FLOAT32, 1, {NUMBERS}, {{0}}, false},
};

enum { BOOLS, PARTS, WHOLE, TENSORS };

static struct folder folder;
static struct model *model;
static uint8_t *base[TENSORS];
static uint8_t expected[NUMBERS * 4];

static struct tensor *find(size_t i)
{
	return model_find(model, span_str(tensors[i].key));
}

static int setup(void **state)
{
	uint64_t seed = 5;

	(void)state;
	folder_make(&folder);
	for (size_t i = 0; i < TENSORS; i++) {
		size_t n = made_size(&tensors[i]);

		base[i] = malloc(n);
		for (size_t at = 0; at < n; at++)
			base[i][at] = (uint8_t)random_next(&seed);
	}
	bundle_make(&folder, "m", tensors, base, TENSORS);
	model = open_to_edit(folder.path, "m", EDITS_LOCK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(edits_remove(model, NULL), 0);
	model = model_close(model);
	for (size_t i = 0; i < TENSORS; i++)
		free(base[i]);
	folder_unmake(&folder);
	return 0;
}

/* The tensor has the bytes in `expected`. */
static void check_bytes(size_t i)
{
	size_t n = made_size(&tensors[i]);
	cleanup_free uint8_t *seen = malloc(n);
	struct content *c;

	assert_int_equal(content_open(model, find(i), false, &c, NULL), 0);
	assert_int_equal(content_copy(c, 0, n, seen, NULL), 0);
	content_close(c, false, NULL);
	assert_same(span_of(seen, n), span_of(expected, n));
}

static unsigned count_blocks(size_t i)
{
	struct region *overlay = ledger_region(model, find(i)->id);
	unsigned n = 0;

	for (uint64_t b = 0; overlay && b < region_blocks(overlay); b++)
		n += region_has(overlay, b);
	return n;
}

/* Another number in that block; not a NaN. */
static void change(uint8_t *bytes, size_t block)
{
	float number = (float)block + 0.5F;

	memcpy(bytes + block * REGION_BLOCK + 400, &number, sizeof(number));
}

/* Writes what `expected` says, as a text. */
static void write_text(size_t i, int outcome)
{
	struct error err = {""};

	if (numbers_write(model, find(i), expected, "", &err) != outcome)
		fail_msg("%s: %s", tensors[i].key, err.text);
}

/* In a text with all of the numbers some are changed: their blocks are stored, no others. */
TEST(only_changed_blocks)
{
	for (size_t i = PARTS; i <= WHOLE; i++) {
		memcpy(expected, base[i], sizeof(expected));
		change(expected, 3);
		change(expected, 4);
		change(expected, BLOCKS - 1);
		write_text(i, CONTENT_ACCEPTED);
		check_bytes(i);
		assert_int_equal(count_blocks(i), 3);
		write_text(i, CONTENT_SAME);
		/* What was stored before is stored still. */
		change(expected, 20);
		memcpy(expected + 3 * REGION_BLOCK, base[i] + 3 * REGION_BLOCK, REGION_BLOCK);
		write_text(i, CONTENT_ACCEPTED);
		check_bytes(i);
		assert_int_equal(count_blocks(i), 4);
	}
}

/* The last number of all is wrong: nothing has changed, neither now nor after a kill. */
TEST(all_or_nothing)
{
	static const char *const behind[] = {" 1", "x", "\n# fine\n\n \xff"};
	struct recovery found;
	struct error err;

	memcpy(expected, base[WHOLE], sizeof(expected));
	for (size_t i = 0; i < ARRAY_SIZE(behind); i++) {
		change(expected, 7);
		assert_int_equal(numbers_write(model, find(WHOLE), expected, behind[i], &err),
				 -EINVAL);
		assert_non_null(strstr(err.text, "line "));
		memcpy(expected, base[WHOLE], sizeof(expected));
		check_bytes(WHOLE);
		assert_false(ledger_find(model, object_tensor(find(WHOLE)->id), NULL));
	}
	model = model_close(model);
	model = open_to_edit(folder.path, "m", EDITS_LOCK);
	assert_int_equal(recover_edits(model, &found, &err), 0);
	assert_int_equal(found.tensors + found.dropped, 0);
	check_bytes(WHOLE);
}

/* What was accepted is there after a kill: the blocks that were stored, and no others. */
TEST(taken_up)
{
	struct recovery found;

	memcpy(expected, base[WHOLE], sizeof(expected));
	change(expected, 1);
	write_text(WHOLE, CONTENT_ACCEPTED);
	change(expected, 39);
	write_text(WHOLE, CONTENT_ACCEPTED);
	model = model_close(model);
	model = open_to_edit(folder.path, "m", EDITS_LOCK);
	assert_int_equal(recover_edits(model, &found, NULL), 0);
	assert_int_equal(found.tensors, 1);
	check_bytes(WHOLE);
	assert_int_equal(count_blocks(WHOLE), 2);
}

/* The bytes are random: NaNs of all kinds, and bools of other bytes than 0 and 1, stay as they are.
 */
TEST(the_same_text)
{
	for (size_t i = 0; i < TENSORS; i++) {
		memcpy(expected, base[i], made_size(&tensors[i]));
		write_text(i, CONTENT_SAME);
		assert_null(ledger_region(model, find(i)->id));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_text, setup, teardown),
		cmocka_unit_test_setup_teardown(only_changed_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(taken_up, setup, teardown),
	};

	return RUN(tests);
}
