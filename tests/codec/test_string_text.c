/* Tensors of strings as text: brackets, and how many there may be of them. */
#include "support.h"

#include "codec/tensor/stored.h"
#include "codec/content/string_text.h"

/* So many strings, all alike. */
static void store(uint64_t n, const char *text, struct buf *out)
{
	cleanup_buf struct buf lengths = {0}, bytes = {0};

	for (uint64_t i = 0; i < n; i++) {
		buf_add_varint(&lengths, strlen(text));
		buf_add_str(&bytes, text);
	}
	assert_int_equal(strings_store(buf_span(&lengths), buf_span(&bytes), n, out), 0);
}

static int print(uint32_t rank, const int64_t *dims, const char *text, struct buf *out,
		 struct error *err)
{
	struct tensor t = {.dtype = DTYPE_STRING, .shape = {rank, dims}};
	cleanup_buf struct buf stored = {0};
	uint64_t n;

	assert_int_equal(shape_elements(&t.shape, &n), 0);
	store(n, text, &stored);
	return string_print(&t, buf_span(&stored), out, err);
}

static void check(uint32_t rank, const int64_t *dims, const char *expected)
{
	cleanup_buf struct buf out = {0};
	struct error err = {""};

	assert_int_equal(print(rank, dims, "a\"", &out, &err), 0);
	assert_says(buf_span(&out), expected);
}

TEST(brackets_follow_the_shape)
{
	check(0, NULL, "a\"");
	check(1, (int64_t[]){2}, "[\"a\\\"\", \"a\\\"\"]\n");
	check(2, (int64_t[]){2, 1}, "[[\"a\\\"\"],\n[\"a\\\"\"]]\n");
	check(1, (int64_t[]){0}, "[]\n");
	check(2, (int64_t[]){3, 0}, "[[], [], []]\n");
	check(2, (int64_t[]){0, 1 << 30}, "[]\n");
}

/* What a few bytes of an index can ask for. */
TEST(too_many_brackets)
{
	int64_t flat[] = {1 << 30, 0}, deep[RANK_MAX], wide[RANK_MAX];
	cleanup_buf struct buf out = {0};
	struct error err = {""};

	for (size_t i = 0; i < RANK_MAX; i++)
		deep[i] = wide[i] = 1;
	deep[0] = 1 << 20;
	deep[RANK_MAX - 1] = 0;
	wide[0] = 1 << 20;
	assert_refused(print(2, flat, "", &out, &err), -ENOTSUP, &err, "too many brackets");
	assert_refused(print(RANK_MAX, deep, "", &out, &err), -ENOTSUP, &err, "too many brackets");
	assert_refused(print(RANK_MAX, wide, "", &out, &err), -ENOTSUP, &err, "too many brackets");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(brackets_follow_the_shape),
		cmocka_unit_test(too_many_brackets),
	};

	return RUN(tests);
}
