/* The tree: finding, listing, renaming, and its memory of what the kernel knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "fs/view/tree.h"

static const struct node a_file = {.type = NODE_FILE, .kind = 3, .branch = 1, .object = 42};
static const struct node a_folder = {.type = NODE_FOLDER};

static struct span numbered(char text[32], int i)
{
	snprintf(text, 32, "name%d", i);
	return span_str(text);
}

static void children_are_found_by_name(void **state)
{
	struct tree *t = tree_new();
	node_id folder = tree_add(t, NODE_ROOT, span_str("f"), &a_folder);
	node_id file = tree_add(t, folder, span_str("x"), &a_file);
	struct node n;

	(void)state;
	assert_int_equal(tree_find(t, NODE_ROOT, span_str("f")), folder);
	assert_int_equal(tree_find(t, folder, span_str("x")), file);
	assert_int_equal(tree_find(t, NODE_ROOT, span_str("x")), NODE_NONE);
	assert_int_equal(tree_find(t, folder, span_str("y")), NODE_NONE);
	assert_true(tree_get(t, file, &n));
	assert_int_equal(n.parent, folder);
	assert_int_equal(n.object, 42);
	assert_int_equal(n.kind, 3);
	assert_int_equal(n.branch, 1);
	assert_false(tree_get(t, 99, &n));
	assert_false(tree_get(t, NODE_NONE, &n));
	tree_free(t);
}

static void listing_keeps_the_order_and_resumes_anywhere(void **state)
{
	enum { N = 5000 };
	struct tree *t = tree_new();
	uint32_t position = 0;
	struct node n;
	char text[32];
	int seen = 0;

	(void)state;
	for (int i = 0; i < N; i++)
		assert_int_not_equal(tree_add(t, NODE_ROOT, numbered(text, i), &a_file), NODE_NONE);
	while (tree_next(t, NODE_ROOT, position, &n)) {
		assert_string_equal(n.name, (numbered(text, seen), text));
		assert_true(n.position > position);
		position = n.position;
		seen++;
	}
	assert_int_equal(seen, N);
	/* As a second listing that began before would. */
	assert_int_not_equal(tree_next(t, NODE_ROOT, 2500, &n), NODE_NONE);
	assert_string_equal(n.name, "name2500");
	tree_free(t);
}

static void a_renamed_node_keeps_its_number_and_children(void **state)
{
	struct tree *t = tree_new();
	node_id folder = tree_add(t, NODE_ROOT, span_str("w"), &a_folder);
	node_id file = tree_add(t, folder, span_str("Adam"), &a_file);
	cleanup_buf struct buf path = {0};

	(void)state;
	assert_int_equal(tree_move(t, folder, NODE_ROOT, span_str("w.d")), 0);
	assert_int_equal(tree_find(t, NODE_ROOT, span_str("w")), NODE_NONE);
	assert_int_equal(tree_find(t, NODE_ROOT, span_str("w.d")), folder);
	assert_int_equal(tree_find(t, folder, span_str("Adam")), file);
	tree_path(t, NODE_ROOT, file, &path);
	assert_true(span_is(buf_span(&path), "w.d/Adam"));
	tree_free(t);
}

/* What is left of the root's children, by name, and what comes behind a position. */
static void assert_children(struct tree *t, uint32_t position, const char *expected)
{
	cleanup_buf struct buf names = {0};
	struct node n = {.position = position};

	while (tree_next(t, NODE_ROOT, n.position, &n))
		buf_add_str(&names, n.name);
	buf_add_u8(&names, 0);
	assert_string_equal((char *)names.p, expected);
}

static void what_is_taken_out_is_not_found_and_stays_what_it_is(void **state)
{
	struct tree *t = tree_new();
	node_id ids[4], file;
	cleanup_buf struct buf path = {0};
	struct node n;

	(void)state;
	for (int i = 0; i < 4; i++)
		ids[i] = tree_add(t, NODE_ROOT, span_of("abcd" + i, 1), &a_folder);
	file = tree_add(t, ids[1], span_str("x"), &a_file);
	assert_int_not_equal(tree_next(t, NODE_ROOT, 0, &n), NODE_NONE);
	tree_remove(t, ids[0]); /* where a listing has just stopped */
	assert_children(t, n.position, "bcd");
	tree_remove(t, ids[1]);
	assert_int_equal(tree_find(t, NODE_ROOT, span_str("b")), NODE_NONE);
	assert_int_equal(tree_find(t, ids[1], span_str("x")), file);
	tree_path(t, NODE_ROOT, file, &path);
	assert_true(span_is(buf_span(&path), "b/x"));
	tree_remove(t, ids[3]);
	assert_children(t, 0, "c");
	tree_remove(t, ids[2]);
	assert_children(t, 0, "");
	assert_true(tree_get(t, ids[1], &n) && n.type == NODE_FOLDER);
	tree_free(t);
}

/* A listing that stopped behind what is gone now misses nothing that came. */
static void a_position_is_given_once(void **state)
{
	struct tree *t = tree_new();
	node_id last;
	struct node n;

	(void)state;
	tree_add(t, NODE_ROOT, span_str("a"), &a_folder);
	last = tree_add(t, NODE_ROOT, span_str("b"), &a_folder);
	assert_true(tree_get(t, last, &n));
	tree_remove(t, last);
	tree_add(t, NODE_ROOT, span_str("c"), &a_folder);
	assert_children(t, n.position, "c");
	tree_free(t);
}

/* The table of names grows meanwhile, and the name is free. */
static void a_name_can_be_used_again(void **state)
{
	struct tree *t = tree_new();
	node_id id = NODE_NONE, before;
	char text[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		before = id;
		id = tree_add(t, NODE_ROOT, span_str("latest"), &a_folder);
		assert_int_not_equal(id, before);
		assert_int_equal(tree_find(t, NODE_ROOT, span_str("latest")), id);
		tree_remove(t, id);
		tree_add(t, NODE_ROOT, numbered(text, i), &a_file);
	}
	assert_int_equal(tree_find(t, NODE_ROOT, span_str("latest")), NODE_NONE);
	assert_int_not_equal(tree_find(t, NODE_ROOT, span_str("name999")), NODE_NONE);
	tree_free(t);
}

/* Adds folders and, at the end, a node of that type; the names are those of path. */
static node_id plant(struct tree *t, const char *path, const struct node *like)
{
	node_id folder = NODE_ROOT;
	const char *slash;

	for (; (slash = strchr(path, '/')); path = slash + 1) {
		struct span name = span_of(path, (size_t)(slash - path));
		node_id id = tree_find(t, folder, name);

		folder = id ? id : tree_add(t, folder, name, &a_folder);
	}
	return tree_add(t, folder, span_str(path), like);
}

static void assert_links(const char *link, const char *target, const char *expected)
{
	struct tree *t = tree_new();
	node_id to = target[0] ? plant(t, target, &a_folder) : NODE_ROOT;
	node_id from = plant(t, link, &(struct node){.type = NODE_LINK, .object = to});
	cleanup_buf struct buf text = {0};

	tree_link_path(t, from, &text);
	buf_add_u8(&text, 0);
	assert_string_equal((char *)text.p, expected);
	tree_free(t);
}

static void a_link_says_the_way_to_its_node(void **state)
{
	(void)state;
	assert_links("names/dense/kernel", "variables/3", "../../variables/3");
	assert_links("latest", "ckpt-3", "ckpt-3");
	assert_links("signatures", "metagraphs/serve/signatures", "metagraphs/serve/signatures");
	assert_links("ckpt-1/names/w", "ckpt-1/variables/a/b", "../variables/a/b");
	assert_links("a/b/c", "a/d", "../d");
	assert_links("a/b/c", "a", "..");
	assert_links("a/b", "", "..");
	assert_links("a", "", ".");
}

static void a_link_follows_its_node(void **state)
{
	struct tree *t = tree_new();
	node_id to = plant(t, "variables/w/Adam", &a_file);
	node_id link = plant(t, "names/x", &(struct node){.type = NODE_LINK, .object = to});
	cleanup_buf struct buf text = {0};
	struct node n;

	(void)state;
	assert_true(tree_get(t, to, &n));
	assert_true(tree_get(t, n.parent, &n));
	assert_int_equal(
		tree_move(t, tree_find(t, n.parent, span_str("w")), n.parent, span_str("w.d")), 0);
	tree_link_path(t, link, &text);
	assert_true(span_is(buf_span(&text), "../variables/w.d/Adam"));
	tree_free(t);
}

static void a_node_moves_behind_the_others_of_its_new_folder(void **state)
{
	struct tree *t = tree_new();
	node_id from = plant(t, "from/a", &a_file);
	node_id last, next = plant(t, "from/b", &a_file), other = plant(t, "to/c", &a_file);
	struct node n, to;

	(void)state;
	assert_true(tree_get(t, other, &to));
	tree_next(t, to.parent, 0, &n);
	assert_int_equal(tree_move(t, from, to.parent, span_str("d")), 0);
	last = tree_next(t, to.parent, to.position, &n);
	assert_int_equal(last, from);
	assert_string_equal(n.name, "d");
	assert_int_equal(tree_find(t, to.parent, span_str("d")), from);
	assert_true(tree_get(t, next, &n));
	assert_int_equal(tree_next(t, n.parent, 0, &n), next);
	assert_int_equal(tree_next(t, n.parent, n.position, &n), NODE_NONE);
	tree_free(t);
}

static void what_the_kernel_forgets_is_never_below_zero(void **state)
{
	struct tree *t = tree_new();
	node_id file = tree_add(t, NODE_ROOT, span_str("x"), &a_file);
	struct node n;

	(void)state;
	tree_remember(t, file, 3);
	tree_forget(t, file, 1);
	assert_true(tree_get(t, file, &n));
	assert_int_equal(n.known, 2);
	tree_forget(t, file, 10);
	assert_true(tree_get(t, file, &n));
	assert_int_equal(n.known, 0);
	tree_forget(t, 12345, 1);
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(children_are_found_by_name),
		cmocka_unit_test(listing_keeps_the_order_and_resumes_anywhere),
		cmocka_unit_test(a_renamed_node_keeps_its_number_and_children),
		cmocka_unit_test(what_is_taken_out_is_not_found_and_stays_what_it_is),
		cmocka_unit_test(a_position_is_given_once),
		cmocka_unit_test(a_name_can_be_used_again),
		cmocka_unit_test(a_link_says_the_way_to_its_node),
		cmocka_unit_test(a_link_follows_its_node),
		cmocka_unit_test(a_node_moves_behind_the_others_of_its_new_folder),
		cmocka_unit_test(what_the_kernel_forgets_is_never_below_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
