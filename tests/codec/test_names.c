#include "support.h"

#include <string.h>

#include "codec/model/names.h"

/* Names separated by spaces, and what they become. */
static void check_numbers(const char *text, const char *expected)
{
	struct span names[64] = {0}, rest = span_str(text);
	uint32_t numbers[64];
	cleanup_buf struct buf out = {0};
	size_t n = 0;

	while (rest.n) {
		const uint8_t *space = memchr(rest.p, ' ', rest.n);
		size_t length = space ? (size_t)(space - rest.p) : rest.n;

		names[n++] = span_first(rest, length);
		rest = span_skip(rest, space ? length + 1 : length);
	}
	assert_int_equal(names_number(names, n, numbers), 0);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_add_u8(&out, ' ');
		name_add(&out, names[i], numbers[i]);
	}
	assert_says(buf_span(&out), expected);
}

TEST(the_first_of_a_name_keeps_it)
{
	check_numbers("a", "a");
	check_numbers("b a b a b", "b a b#2 a#2 b#3");
	check_numbers("", "");
}

TEST(a_name_that_another_has_is_left_out)
{
	check_numbers("a a#2 a", "a a#2 a#3");
	check_numbers("a a a a#3 a#2", "a a#4 a#5 a#3 a#2");
	check_numbers("a#2 a#2 a a", "a#2 a#2#2 a a#3");
	check_numbers("a a a#02", "a a#2 a#02");
}

/* Ten times longer would take ten times as long, and not a hundred. */
TEST(many_names_that_get_in_each_others_way)
{
	enum { N = 200000 };
	struct span *names = calloc(N, sizeof(*names));
	uint32_t *numbers = calloc(N, sizeof(*numbers));
	cleanup_arena struct arena arena = {0};

	for (uint32_t i = 0; i < N; i++) {
		cleanup_buf struct buf text = {0};

		name_add(&text, span_str("kernel"), i < N / 2 ? 1 : i);
		names[i] = arena_copy(&arena, buf_span(&text));
	}
	assert_int_equal(names_number(names, N, numbers), 0);
	assert_int_equal(numbers[1], 2);
	assert_int_equal(numbers[N / 2 - 2], N / 2 - 1);
	assert_int_equal(numbers[N / 2 - 1], N); /* behind all that are names themselves */
	assert_int_equal(numbers[N - 1], 1);
	free(names);
	free(numbers);
}

/* ---- a model ---- */

struct spec {
	const char *key, *variable;
	uint32_t node;
	bool used;
};

static int add_line(void *context, tensor_id tensor, struct span name)
{
	buf_add(context, name);
	buf_printf(context, " %u\n", tensor);
	return 0;
}

static void check_model(const struct spec *specs, size_t n, const char *expected)
{
	cleanup_model struct model *m = model_new();
	cleanup_buf struct buf out = {0};

	for (size_t i = 0; i < n; i++) {
		const struct tensor t = {
			.key = span_str(specs[i].key),
			.variable = span_str(specs[i].variable),
			.node = specs[i].node,
			.used = specs[i].used,
		};
		tensor_id id;

		assert_int_equal(model_add_tensor(m, &t, &id), 0);
	}
	assert_int_equal(model_names(m, add_line, &out), 0);
	assert_says(buf_span(&out), expected);
	assert_int_equal(model_has_names(m), expected[0] != 0);
}

TEST(functions_then_the_graph_say_who_keeps_a_name)
{
	static const struct spec specs[] = {
		{.key = "_all/0", .variable = "w", .node = 17},
		{.key = "a", .variable = "x", .node = 9},
		{.key = "b", .variable = "x", .node = 5},
		{.key = "c", .variable = "", .node = 6},
		{.key = "variables/0", .variable = "w", .node = 18, .used = true},
		{.key = "z", .variable = "w", .node = 2},
	};

	check_model(specs, ARRAY_SIZE(specs), "w 4\nw#2 5\nw#3 0\nx 2\nx#2 1\n");
}

TEST(a_model_may_have_no_names)
{
	static const struct spec specs[] = {
		{.key = "a", .variable = "", .node = 9},
	};

	check_model(specs, ARRAY_SIZE(specs), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_of_a_name_keeps_it),
		cmocka_unit_test(a_name_that_another_has_is_left_out),
		cmocka_unit_test(many_names_that_get_in_each_others_way),
		cmocka_unit_test(functions_then_the_graph_say_who_keeps_a_name),
		cmocka_unit_test(a_model_may_have_no_names),
	};

	return RUN(tests);
}
