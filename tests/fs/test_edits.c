/* Edits through the files of a view, without a mount: who sees what of them, and when. */
#include "views.h"

#include <fcntl.h>

static long long size_of(struct view *v, const char *path)
{
	return (long long)stat_of(v, walk(v, path)).st_size;
}

#define KERNEL "layer_with_weights-0/kernel"

/* A draft is seen where it is written; the other file keeps what is accepted. */
TEST(a_draft_is_seen_in_its_own_file)
{
	enum { SIZE = 784 * 64 * 4, HEADER = 128 };
	struct view *v = open_at("mlp", false);
	node_id raw = walk(v, "variables/" KERNEL), npy = walk(v, "npy/" KERNEL ".npy");
	cleanup_buf struct buf before = {0}, after = {0}, fresh = {0};
	struct handle *h;

	read_all(v, npy, &before);
	assert_int_equal(before.n, HEADER + SIZE);
	memset(buf_extend(&fresh, SIZE), 0x5a, SIZE);
	h = open_file(v, raw, O_WRONLY | O_TRUNC);
	assert_int_equal(size_of(v, "names/dense_1/kernel"), 0);
	write_file(h, 0, span_first(buf_span(&fresh), 1000));
	assert_int_equal(size_of(v, "names/dense_1/kernel"), 1000);
	read_all(v, npy, &after);
	assert_same(buf_span(&after), buf_span(&before));
	assert_int_equal(flush_file(h), -EINVAL);
	write_file(h, 1000, span_skip(buf_span(&fresh), 1000));
	assert_int_equal(flush_file(h), true);
	assert_false(close_file(h));
	buf_reset(&after);
	read_all(v, npy, &after);
	assert_same(span_first(buf_span(&after), HEADER), span_first(buf_span(&before), HEADER));
	assert_same(span_skip(buf_span(&after), HEADER), buf_span(&fresh));
	discard(v);
	buf_reset(&after);
	read_all(v, npy, &after);
	assert_same(buf_span(&after), buf_span(&before));
	view_free(v);
}

/* The same by way of the .npy. */
TEST(an_npy_is_accepted_as_a_whole)
{
	struct view *v = open_at("mlp", false);
	node_id raw = walk(v, "variables/" KERNEL), npy = walk(v, "npy/" KERNEL ".npy");
	cleanup_buf struct buf before = {0}, file = {0}, after = {0};
	struct handle *h;

	read_all(v, raw, &before);
	read_all(v, npy, &file);
	file.p[file.n - 1] ^= 1;
	h = open_file(v, npy, O_WRONLY | O_TRUNC);
	assert_int_equal(stat_of(v, npy).st_size, 0);
	assert_int_equal(stat_of(v, raw).st_size, before.n);
	write_file(h, 0, span_first(buf_span(&file), file.n - 1));
	assert_int_equal(flush_file(h), -EINVAL);
	write_file(h, file.n - 1, span_skip(buf_span(&file), file.n - 1));
	assert_int_equal(flush_file(h), true);
	assert_false(close_file(h));
	before.p[before.n - 1] ^= 1;
	read_all(v, raw, &after);
	assert_same(buf_span(&after), buf_span(&before));
	discard(v);
	view_free(v);
}

/* A text that is changed in place: the other numbers keep their bytes. */
TEST(a_text_is_accepted_as_a_whole)
{
	struct view *v = open_at("mlp", false);
	node_id raw = walk(v, "variables/" KERNEL), text = walk(v, "names/dense_1/kernel.txt");
	cleanup_buf struct buf before = {0}, shown = {0}, after = {0};
	struct handle *h;

	read_all(v, raw, &before);
	read_all(v, text, &shown);
	assert_int_equal(shown.n, stat_of(v, text).st_size);
	h = open_file(v, text, O_WRONLY);
	write_file(h, shown.n - 9, span_str("nonsense\n"));
	assert_int_equal(stat_of(v, text).st_size, shown.n);
	assert_int_equal(flush_file(h), -EINVAL);
	write_file(h, shown.n - 16, span_str("            0.25\n"));
	assert_int_equal(flush_file(h), true);
	assert_false(close_file(h));
	memcpy(before.p + before.n - 4, "\0\0\x80\x3e", 4);
	read_all(v, raw, &after);
	assert_same(buf_span(&after), buf_span(&before));
	assert_int_equal(stat_of(v, text).st_size, shown.n);
	discard(v);
	view_free(v);
}

/* What is written in place is in both at once, in the .npy behind its header. */
TEST(written_in_place_is_seen_in_both)
{
	enum { HEADER = 128 };
	static const char *const paths[] = {"variables/" KERNEL, "npy/" KERNEL ".npy"};
	struct view *v = open_at("mlp", false);

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct handle *h = open_file(v, walk(v, paths[i]), O_RDWR);
		size_t at = i ? HEADER + 5000 : 5000;
		cleanup_buf struct buf raw = {0}, npy = {0};

		write_file(h, at, span_of(&"ab"[i], 1));
		read_all(v, walk(v, paths[0]), &raw);
		read_all(v, walk(v, paths[1]), &npy);
		assert_int_equal(raw.p[5000], "ab"[i]);
		assert_same(span_skip(buf_span(&npy), HEADER), buf_span(&raw));
		close_file(h);
	}
	discard(v);
	view_free(v);
}

/* Strings are read and written as the text that shows them, which may have another size then. */
TEST(strings_are_edited_as_a_whole)
{
	static const struct {
		const char *text;
		int r;
	} edits[] = {
		{"[\"one\", \"two\"", -EINVAL},
		{"[\"a word too many\"]", -EINVAL},
		{"[\"x\", [\"nested\"]]", -EINVAL},
		{"[\"one\", \"two\", \"\", \"four\"]\n", true},
	};
	struct view *v = open_at("dtypes/dtypes", false);
	node_id id = walk(v, "variables/string/vector");
	cleanup_buf struct buf before = {0};

	read_all(v, id, &before);
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		struct handle *h = open_file(v, id, O_WRONLY | O_TRUNC);
		cleanup_buf struct buf after = {0};
		bool good = edits[i].r >= 0;

		write_file(h, 0, span_str(edits[i].text));
		assert_int_equal(stat_of(v, id).st_size, strlen(edits[i].text));
		assert_int_equal(flush_file(h), edits[i].r);
		assert_int_equal(close_file(h), !good);
		read_all(v, id, &after);
		assert_true(span_equal(buf_span(&after), buf_span(&before)) != good);
		assert_int_equal(stat_of(v, id).st_size, after.n);
	}
	discard(v);
	view_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_draft_is_seen_in_its_own_file),
		cmocka_unit_test(an_npy_is_accepted_as_a_whole),
		cmocka_unit_test(a_text_is_accepted_as_a_whole),
		cmocka_unit_test(written_in_place_is_seen_in_both),
		cmocka_unit_test(strings_are_edited_as_a_whole),
	};

	return cmocka_run_group_tests(tests, models_setup, models_teardown);
}
