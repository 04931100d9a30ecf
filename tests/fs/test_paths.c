/* Keys and paths: the examples of the manual, and that the mapping is a bijection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "fs/view/paths.h"

#define VALUE "/.ATTRIBUTES/VARIABLE_VALUE"
#define LITERAL(s)                                   \
	{                                            \
		(const uint8_t *)"" s, sizeof(s) - 1 \
	} /* a span, NULs included */

enum { ROUNDS = 200000 };

static uint64_t seed;

/* xorshift64*: the same numbers in every run. */
static uint32_t below(uint32_t n)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1du) >> 33) % n;
}

static void check_equal(struct span found, struct span expected, struct span about)
{
	if (span_equal(found, expected))
		return;
	print_message("of      %s\n", quote(about));
	print_message("found   %s\n", quote(found));
	print_message("instead %s\n", quote(expected));
	fail();
}

/* What holds for every path, whatever the key. */
static void check_components(struct span path)
{
	static const char *const suffixes[] = {".slots", ".attrs", ".npy", ".txt", "%+"};
	struct span rest = path;

	for (;;) {
		const uint8_t *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
		size_t n = slash ? (size_t)(slash - rest.p) : rest.n;
		struct span component = span_first(rest, n);

		assert_in_range(n, 1, 251); /* the tree may add .npy */
		assert_null(memchr(component.p, 0, n));
		assert_false(span_is(component, ".") || span_is(component, ".."));
		assert_false(span_ends(component, span_str(".d")));
		for (size_t i = 0; !slash && i < ARRAY_SIZE(suffixes); i++)
			assert_false(span_ends(component, span_str(suffixes[i])));
		if (!slash)
			return;
		rest = span_skip(rest, n + 1);
	}
}

/* Key to path to key. False: the path is too long. */
static bool check_key(struct span key, bool object_based, struct buf *path)
{
	cleanup_buf struct buf back = {0};
	int r = path_from_key(key, object_based, path);

	if (r == -ENAMETOOLONG)
		return false;
	assert_int_equal(r, 0);
	assert_int_equal(path->p[path->n], 0);
	check_components(buf_span(path));
	r = key_from_path(buf_span(path), object_based, &back);
	if (r < 0)
		print_message("%s is refused\n", quote(buf_span(path)));
	assert_int_equal(r, 0);
	assert_int_equal(back.p[back.n], 0);
	check_equal(buf_span(&back), key, buf_span(path));
	return true;
}

struct example {
	struct span key;
	const char *path;
};

static void check_examples(const struct example *examples, size_t n, bool object_based)
{
	cleanup_buf struct buf path = {0};

	for (size_t i = 0; i < n; i++) {
		assert_true(check_key(examples[i].key, object_based, &path));
		check_equal(buf_span(&path), span_str(examples[i].path), examples[i].key);
	}
}

static void test_object_based(void **state)
{
	static const struct example examples[] = {
		{LITERAL("layer_with_weights-0/kernel" VALUE), "layer_with_weights-0/kernel"},
		{LITERAL("x/.OPTIMIZER_SLOT/opt/m" VALUE), "x.slots/opt/m"},
		{LITERAL("x/.OPTIMIZER_SLOT/opt/m/.ATTRIBUTES/a"), "x.slots/opt/m.attrs/a"},
		{LITERAL("table/.ATTRIBUTES/table-keys"), "table.attrs/table-keys"},
		{LITERAL("table/.ATTRIBUTES/"), "table.attrs/%."},
		{LITERAL(VALUE), "%."},
		{LITERAL("/" VALUE), "%./%."},
		{LITERAL("/.ATTRIBUTES/a"), "%..attrs/a"},
		{LITERAL(""), "%.%"},
		{LITERAL("global_step"), "global_step%"},
		{LITERAL("a/b"), "a/b%"},
		{LITERAL("a/"), "a/%.%"},
		{LITERAL(".ATTRIBUTES/VARIABLE_VALUE"), ".ATTRIBUTES/VARIABLE_VALUE%"},
		{LITERAL(".ATTRIBUTES/a"), ".ATTRIBUTES/a%"},
		{LITERAL("a/.ATTRIBUTES"), "a/.ATTRIBUTES%"},
		{LITERAL("a/.ATTRIBUTES" VALUE), "a/.ATTRIBUTES"},
		{LITERAL("a" VALUE VALUE), "a/.ATTRIBUTES/VARIABLE_VALUE"},
		{LITERAL("a" VALUE "/.ATTRIBUTES/b"), "a/.ATTRIBUTES/VARIABLE_VALUE.attrs/b"},
		{LITERAL("a/.ATTRIBUTES/.ATTRIBUTES/b"), "a/.ATTRIBUTES.attrs/b"},
		{LITERAL("a/.ATTRIBUTES/x.npy"), "a.attrs/x%2Enpy"},
		{LITERAL(".OPTIMIZER_SLOT/a" VALUE), ".OPTIMIZER_SLOT/a"},
		{LITERAL("a/.OPTIMIZER_SLOT" VALUE), "a/.OPTIMIZER_SLOT"},
		{LITERAL("a/.OPTIMIZER_SLOT/.ATTRIBUTES/b"), "a/.OPTIMIZER_SLOT.attrs/b"},
		{LITERAL("a/.OPTIMIZER_SLOT/b"), "a.slots/b%"},
		{LITERAL("a/.OPTIMIZER_SLOT"), "a/.OPTIMIZER_SLOT%"},
		{LITERAL("/.OPTIMIZER_SLOT/b" VALUE), "%..slots/b"},
		{LITERAL("a/.OPTIMIZER_SLOT/.OPTIMIZER_SLOT/b" VALUE), "a.slots/.OPTIMIZER_SLOT/b"},
		{LITERAL("a/.OPTIMIZER_SLOT/.OPTIMIZER_SLOT/.OPTIMIZER_SLOT/b" VALUE),
		 "a.slots/.OPTIMIZER_SLOT.slots/b"},
		{LITERAL("a/.OPTIMIZER_SLOT/b/.OPTIMIZER_SLOT/c" VALUE), "a.slots/b.slots/c"},
		{LITERAL("a.slots/.OPTIMIZER_SLOT/b" VALUE), "a%2Eslots.slots/b"},
		{LITERAL("a%" VALUE), "a%25"},
		{LITERAL("a%"), "a%25%"},
		{LITERAL("a.d"), "a%2Ed%"},
	};
	(void)state;

	check_examples(examples, ARRAY_SIZE(examples), true);
}

static void test_name_based(void **state)
{
	static const struct example examples[] = {
		{LITERAL("w/Adam"), "w/Adam"},
		{LITERAL("global_step"), "global_step"},
		{LITERAL(""), "%."},
		{LITERAL("/"), "%./%."},
		{LITERAL("a//b"), "a/%./b"},
		{LITERAL("./../..."), "%2E/%2E%2E/..."},
		{LITERAL("a\0b%00"), "a%00b%2500"},
		{LITERAL("a" VALUE), "a/.ATTRIBUTES/VARIABLE_VALUE"},
		{LITERAL("a/.OPTIMIZER_SLOT/b"), "a/.OPTIMIZER_SLOT/b"},
		{LITERAL("w.d/a.slots/b.attrs/c.npy"), "w%2Ed/a%2Eslots/b%2Eattrs/c%2Enpy"},
		{LITERAL(".d/.npy"), "%2Ed/%2Enpy"},
		{LITERAL("a.txt/b.txt.npy"), "a%2Etxt/b.txt%2Enpy"},
		{LITERAL("w.d.d/.d./d"), "w.d%2Ed/.d./d"},
		{LITERAL("\xff\xc3\xa9\n \\~"), "\xff\xc3\xa9\n \\~"},
	};
	(void)state;

	check_examples(examples, ARRAY_SIZE(examples), false);
}

/* n times the byte c, then tail; and the same for the path. */
static void check_long(char c, int n, const char *tail, int first, const char *path_tail)
{
	cleanup_buf struct buf key = {0}, expected = {0}, path = {0};

	for (int i = 0; i < n; i++)
		buf_add_u8(&key, (uint8_t)c);
	buf_add_str(&key, tail);
	for (int i = 0; i < n; i++) {
		if (i == first)
			buf_add_str(&expected, "%+/");
		buf_add_u8(&expected, (uint8_t)c);
	}
	buf_add_str(&expected, path_tail);
	assert_true(check_key(buf_span(&key), false, &path));
	check_equal(buf_span(&path), buf_span(&expected), buf_span(&key));
}

static void test_long_components(void **state)
{
	(void)state;
	check_long('a', 240, "", -1, "");
	check_long('a', 241, "", 240, "");
	check_long('a', 237, "%", -1, "%25");
	check_long('a', 238, "%", -1, "%+/%25");
	check_long('a', 239, "%", -1, "%+/%25");
	check_long('a', 240, "%", -1, "%+/%25");
	check_long('a', 240, ".", -1, "%+/%2E");
	check_long('a', 240, "..", -1, "%+/%2E%2E");
	check_long('a', 240, "./b", -1, "%+/%2E/b");
	check_long('a', 240, "...", -1, "%+/...");
	check_long('a', 238, ".d", -1, "%+/%2Ed");     /* escaped it has 242 bytes, */
	check_long('a', 235, ".npy", -1, "%2Enp%+/y"); /* and here 241 */
	check_long('a', 238, "\xc3\xa9", -1, "\xc3\xa9");
	check_long('a', 239, "\xc3\xa9", -1, "%+/\xc3\xa9");
	check_long('a', 238, "\xe2\x82\xac", -1, "%+/\xe2\x82\xac");
	check_long('a', 237, "\xf0\x9f\x98\x80", -1, "%+/\xf0\x9f\x98\x80");
	check_long('a', 236, "\xf0\x9f\x98\x80", -1, "\xf0\x9f\x98\x80");
	check_long('\x80', 241, "", 240, ""); /* no characters: nothing to keep whole, */
	check_long('a', 238, "\xc3z\x80", -1, "\xc3z%+/\x80"); /* nor here */
	check_long('a', 236, "\x80\x80\x80\x80\x80", -1, "\x80\x80\x80\x80%+/\x80");
}

/* Suffixes come behind the last piece. */
static void test_long_with_suffix(void **state)
{
	cleanup_buf struct buf key = {0}, path = {0};
	(void)state;

	for (int i = 0; i < 481; i++)
		buf_add_u8(&key, 'a');
	buf_add_str(&key, "/.OPTIMIZER_SLOT/b");
	assert_true(check_key(buf_span(&key), true, &path));
	assert_true(span_ends(buf_span(&path), span_str("a%+/a.slots/b%")));
	assert_int_equal(path.n, 240 + 3 + 240 + 3 + strlen("a.slots/b%"));
}

static void test_refused(void **state)
{
	static const struct {
		struct span path;
		bool named_too; /* refused in a name-based bundle as well */
	} examples[] = {
		{LITERAL(""), true},
		{LITERAL("/"), true},
		{LITERAL("/a"), true},
		{LITERAL("a/"), true},
		{LITERAL("a//b"), true},
		{LITERAL("a/./b"), true},
		{LITERAL(".."), true},
		{LITERAL("a\0b"), true},
		{LITERAL("a%2eslots"), true},
		{LITERAL("a%2Eb"), true},
		{LITERAL("a%20b"), true},
		{LITERAL("a%2"), true},
		{LITERAL("a%."), true},
		{LITERAL("%.a"), true},
		{LITERAL("a%+"), true},
		{LITERAL("a%+/b"), true},
		{LITERAL("%+/b"), true},
		{LITERAL("a.npy"), true},
		{LITERAL("a.slots"), true},
		{LITERAL("a.d"), true},
		{LITERAL(".d/a"), true},
		{LITERAL("a.d.d/b"), true},
		{LITERAL("%"), true},
		{LITERAL("a%%"), true},
		{LITERAL("a.slots/b/%+"), true},
		{LITERAL("a.attrs/b%"), true},
		{LITERAL("a.attrs/b/c"), true},
		{LITERAL("a.attrs.slots/b"), true},
		{LITERAL("a.slots.attrs/b"), true},
		{LITERAL("a.attrs/VARIABLE_VALUE"), true},
		{LITERAL("a/.ATTRIBUTES/b%"), true},
		{LITERAL("a/.OPTIMIZER_SLOT/b"), false},
		{LITERAL(".slots/b"), true},
	};
	cleanup_buf struct buf key = {0};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		if (key_from_path(examples[i].path, true, &key) != -EINVAL)
			fail_msg("%s was taken for %s", quote(examples[i].path),
				 quote(buf_span(&key)));
		if (examples[i].named_too)
			assert_int_equal(key_from_path(examples[i].path, false, &key), -EINVAL);
	}
}

static void test_folder_marks(void **state)
{
	static const struct example examples[] = {
		{LITERAL("w/Adam"), "w.d/Adam"},       {LITERAL("w/v/Adam"), "w.d/v.d/Adam"},
		{LITERAL("w.d/Adam"), "w%2Ed.d/Adam"}, {LITERAL("%/Adam"), "%25.d/Adam"},
		{LITERAL("/Adam"), "%..d/Adam"},
	};
	cleanup_buf struct buf key = {0};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		assert_int_equal(key_from_path(span_str(examples[i].path), false, &key), 0);
		check_equal(buf_span(&key), examples[i].key, span_str(examples[i].path));
	}
}

static void test_limits(void **state)
{
	cleanup_buf struct buf key = {0}, path = {0}, back = {0};
	(void)state;

	for (int i = 0; i < 2000; i++)
		buf_add_str(&key, "ab");
	key.p[0] = key.p[200] = '/'; /* "%." for the first, and 15 cuts: 4000 + 2 + 15 * 3 */
	assert_int_equal(path_from_key(buf_span(&key), false, &path), -ENAMETOOLONG);
	assert_int_equal(path_from_key(span_first(buf_span(&key), 3953), false, &path), 0);
	assert_int_equal(path.n, PATH_BYTES_MAX);
	assert_int_equal(path_from_key(span_first(buf_span(&key), 3954), false, &path),
			 -ENAMETOOLONG);

	buf_reset(&key);
	for (int i = 0; i < PATH_FOLDERS_MAX; i++)
		buf_add_str(&key, "a/");
	buf_add_str(&key, "a");
	assert_true(check_key(buf_span(&key), false, &path));
	buf_add_str(&key, "/a");
	assert_int_equal(path_from_key(buf_span(&key), false, &path), -ENAMETOOLONG);
	assert_int_equal(key_from_path(buf_span(&key), false, &back), -ENAMETOOLONG);
}

/* Components that are near to something that means something. */
static void add_nasty(struct buf *out, bool of_path)
{
	static const struct span pool[] = {
		LITERAL(""),
		LITERAL("."),
		LITERAL(".."),
		LITERAL("..."),
		LITERAL(".ATTRIBUTES"),
		LITERAL("VARIABLE_VALUE"),
		LITERAL(".OPTIMIZER_SLOT"),
		LITERAL(".d"),
		LITERAL("w.d"),
		LITERAL("a.slots"),
		LITERAL("x.attrs"),
		LITERAL("k.npy"),
		LITERAL("%"),
		LITERAL("%."),
		LITERAL("%+"),
		LITERAL("%2E"),
		LITERAL("%00"),
		LITERAL("%25"),
		LITERAL("a%"),
		LITERAL("a%+"),
		LITERAL("%2Ed"),
		LITERAL("\0"),
		LITERAL("a\0b"),
		LITERAL("\xff"),
		LITERAL("\xc3\xa9"),
		LITERAL("w"),
		LITERAL("a"),
		LITERAL(".slots"),
		LITERAL(".attrs"),
		LITERAL("%."),
		LITERAL("a.d.d"),
		LITERAL("a%2Eslots"),
		LITERAL("%..slots"),
		LITERAL("a.slots.d"),
		LITERAL(".npy"),
	};
	uint32_t which = below(ARRAY_SIZE(pool));

	/* What is empty or has a NUL is refused at once. */
	if (of_path && (!pool[which].n || memchr(pool[which].p, 0, pool[which].n)) && below(8))
		buf_add_str(out, "a");
	else
		buf_add(out, pool[which]);
}

/* A long one, with something that must not be cut where it would be cut. */
static void add_long(struct buf *out)
{
	static const struct span at_the_cut[] = {
		LITERAL("%"),
		LITERAL("\0"),
		LITERAL("\xc3\xa9"),
		LITERAL("\xe2\x82\xac"),
		LITERAL("\xf0\x9f\x98\x80"),
		LITERAL("\x80\x80\x80\x80\x80"),
		LITERAL("."),
		LITERAL(".."),
		LITERAL(".npy"),
		LITERAL("%2E"),
		LITERAL("%+"),
		LITERAL("\xf0\x80"),
	};
	static const uint32_t around[] = {80, 240, 480, 720};
	uint32_t n = around[below(ARRAY_SIZE(around))] - 4 + below(8);
	uint8_t filler = below(8) ? 'a' : below(2) ? '%' : 0x80;

	for (uint32_t i = 0; i < n; i++)
		buf_add_u8(out, filler);
	for (uint32_t i = below(3); i; i--)
		buf_add(out, at_the_cut[below(ARRAY_SIZE(at_the_cut))]);
	for (uint32_t i = below(3) ? 0 : below(245); i; i--)
		buf_add_u8(out, 'b');
}

static void add_random(struct buf *out, bool of_path)
{
	static const char few[] = ".%+/ad";
	bool any = below(2);

	for (uint32_t n = below(6); n; n--)
		buf_add_u8(out, any ? (uint8_t)below(256) : (uint8_t)few[below(6)]);
	if (of_path && !below(2))
		buf_add_str(out, below(2) ? "%" : "%+");
}

static void random_string(struct buf *out, bool of_path)
{
	uint32_t n = 1 + below(7), kind;

	buf_reset(out);
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_add_u8(out, '/');
		kind = below(16);
		if (kind == 0)
			add_long(out);
		else if (kind < 4)
			add_random(out, of_path);
		else
			add_nasty(out, of_path);
	}
	if (!of_path && !below(4))
		buf_add_str(out, VALUE);
}

static void test_random_keys(void **state)
{
	cleanup_buf struct buf key = {0}, path = {0};
	unsigned shown = 0;
	(void)state;

	seed = 1;
	for (unsigned i = 0; i < ROUNDS; i++) {
		random_string(&key, false);
		shown += check_key(buf_span(&key), true, &path);
		shown += check_key(buf_span(&key), false, &path);
	}
	assert_true(shown > 2 * ROUNDS / 100 * 99);
}

/* The path without one .d at the end of each folder. */
static void without_marks(struct span path, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < path.n; i++) {
		buf_add_u8(out, path.p[i]);
		if (path.p[i] == '/' && span_ends(buf_span(out), span_str(".d/"))) {
			out->n -= 3;
			buf_add_u8(out, '/');
		}
	}
}

/* Path to key to path: 1 if it is the path of a key. */
static unsigned check_path(struct span path, bool object_based, struct buf *scratch)
{
	cleanup_buf struct buf key = {0}, again = {0};
	int r = key_from_path(path, object_based, &key);

	if (r == -EINVAL || r == -ENAMETOOLONG)
		return 0;
	assert_int_equal(r, 0);
	assert_int_equal(path_from_key(buf_span(&key), object_based, &again), 0);
	without_marks(path, scratch);
	check_equal(buf_span(&again), buf_span(scratch), path);
	return 1;
}

static void test_random_paths(void **state)
{
	cleanup_buf struct buf path = {0}, key = {0}, scratch = {0};
	unsigned good = 0;
	(void)state;

	seed = 2;
	for (unsigned i = 0; i < ROUNDS; i++) {
		random_string(&path, true);
		good += check_path(buf_span(&path), i % 2, &scratch);
	}
	assert_in_range(good, ROUNDS / 100, ROUNDS / 2);

	/* And what is one byte away from the path of a key. */
	for (unsigned i = 0; i < ROUNDS; i++) {
		random_string(&key, false);
		if (path_from_key(buf_span(&key), i % 2, &path) < 0)
			continue;
		path.p[below((uint32_t)path.n)] = (uint8_t) "%./+EdaA2"[below(9)];
		check_path(buf_span(&path), i % 2, &scratch);
	}
}

static int compare_spans(const void *a, const void *b)
{
	return span_compare(*(const struct span *)a, *(const struct span *)b);
}

/* All sequences of up to DEPTH components of a small pool: no two share a path. */
static void check_injective(bool object_based)
{
	static const char *const pool[] = {"",	".ATTRIBUTES", "VARIABLE_VALUE", ".OPTIMIZER_SLOT",
					   "a", "a.slots",     "a.attrs",	 "%",
					   "%+"};
	enum { POOL = ARRAY_SIZE(pool), DEPTH = 5 };
	cleanup_free struct span *paths = malloc(70000 * sizeof(*paths));
	cleanup_buf struct buf key = {0}, path = {0};
	struct arena arena = {0};
	size_t n = 0, sequences = 1;

	assert_non_null(paths);
	for (unsigned depth = 1; depth <= DEPTH; depth++) {
		sequences *= POOL;
		for (size_t i = 0; i < sequences; i++) {
			size_t digits = i;

			buf_reset(&key);
			for (unsigned j = 0; j < depth; j++, digits /= POOL) {
				if (j)
					buf_add_u8(&key, '/');
				buf_add_str(&key, pool[digits % POOL]);
			}
			assert_true(check_key(buf_span(&key), object_based, &path));
			paths[n++] = arena_copy(&arena, buf_span(&path));
		}
	}
	qsort(paths, n, sizeof(*paths), compare_spans);
	for (size_t i = 1; i < n; i++)
		if (span_equal(paths[i - 1], paths[i]))
			fail_msg("two keys have the path %s", quote(paths[i]));
	assert_int_equal(n, 9 + 81 + 729 + 6561 + 59049);
	arena_release(&arena);
}

static void test_injective(void **state)
{
	(void)state;
	check_injective(true);
	check_injective(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object_based),	cmocka_unit_test(test_name_based),
		cmocka_unit_test(test_long_components), cmocka_unit_test(test_long_with_suffix),
		cmocka_unit_test(test_refused),		cmocka_unit_test(test_folder_marks),
		cmocka_unit_test(test_limits),		cmocka_unit_test(test_random_keys),
		cmocka_unit_test(test_random_paths),	cmocka_unit_test(test_injective),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
