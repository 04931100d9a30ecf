/* The door for names: what it refuses and how; and nodes that follow what they show. */
#include "bundles.h"

#include <sys/stat.h>

#include "codec/open.h"
#include "fs/view/change.h"
#include "fs/view/grow.h"
#include "fs/view/look.h"
#include "fs/view/root.h"

enum { FLOAT = 1, STRING = 7, BFLOAT16 = 14 };

static struct folder folder;
static struct view *view;
static uint8_t zeros[16];

static const struct made_tensor tensors[] = {
	{.key = "a/b", .dtype = FLOAT, .rank = 1, .dims = {4}},
	{.key = "c", .dtype = FLOAT, .rank = 1, .dims = {4}},
};

static int setup(void **state)
{
	uint8_t *contents[] = {zeros, zeros};

	(void)state;
	folder_make(&folder);
	bundle_make(&folder, "m", tensors, contents, ARRAY_SIZE(tensors));
	view = view_new();
	return view_add_model(view, open_model_in(folder.path, "m"));
}

static int teardown(void **state)
{
	(void)state;
	view_free(view);
	folder_unmake(&folder);
	return 0;
}

static node_id at(const char *path)
{
	return view_walk(view, span_str(path));
}

static int create(const struct spot *s, struct error *err)
{
	return change_create(view, s, err);
}

static int make_folder(const struct spot *s, struct error *err)
{
	return change_mkdir(view, s, err);
}

static int make_symlink(const struct spot *s, struct error *err)
{
	return change_symlink(view, s, "target", err);
}

static int make_link(const struct spot *s, struct error *err)
{
	return change_link(view, s, NODE_ROOT, err);
}

static int unlink_name(const struct spot *s, struct error *err)
{
	return change_unlink(view, s, err);
}

static int remove_folder(const struct spot *s, struct error *err)
{
	return change_rmdir(view, s, err);
}

static int rename_name(const struct spot *s, struct error *err)
{
	return change_rename(view, s, &(struct spot){NODE_ROOT, span_str("other")}, 0, err);
}

TEST(names_cannot_be_changed_yet)
{
	static const struct {
		int (*change)(const struct spot *s, struct error *err);
		const char *verb;
	} changes[] = {
		{create, "create"},	 {make_folder, "create"}, {make_symlink, "create"},
		{make_link, "link"},	 {unlink_name, "remove"}, {remove_folder, "remove"},
		{rename_name, "rename"},
	};
	/* A mount of a folder calls what stands in its root something else. */
	static const struct root_ops other = {.things = "checkpoints"};
	const char *of[] = {"tensors and documents", "checkpoints", "tensors and documents"};

	for (size_t i = 0; i < 3 * ARRAY_SIZE(changes); i++) {
		struct spot s = {i % 3 == 2 ? at("variables") : NODE_ROOT, span_str("x\n")};
		cleanup_buf struct buf words = {0};
		struct error err = {""};

		buf_printf(&words, "%s 'x\\x0a': the set of %s cannot be changed yet%c",
			   changes[i / 3].verb, of[i % 3], 0);
		view->root = i % 3 ? &other : &root_of_model;
		assert_int_equal(changes[i / 3].change(&s, &err), -EPERM);
		assert_string_equal(err.text, words.p);
	}
	view->root = &root_of_model;
}

TEST(a_type_cannot_be_changed_yet)
{
	struct error err = {""};

	assert_refused(change_type(view, at("variables/c"), "user.dtype", span_str("float32"),
				   span_str("int32"), &err),
		       -EPERM, &err, "user.dtype is float32 and cannot be changed yet");
}

/* As a rename will: the model has another key for the tensor. */
static void rename_in_model(struct tensor *t, const char *key)
{
	t->key = span_str(key);
	assert_int_equal(change_refresh(view, view->branches[0], THING_TENSOR, t->id), 0);
}

TEST(nodes_follow_their_tensor)
{
	struct tensor *t = model_find(view->branches[0]->model, span_str("a/b"));
	node_id raw = at("variables/a/b"), npy, link;
	cleanup_buf struct buf target = {0};

	/* What nobody has looked at is not made for that. */
	rename_in_model(t, "d/e");
	assert_int_equal(at("variables/d/e"), raw);
	assert_int_equal(at("variables/a/b"), NODE_NONE);
	npy = at("npy/d/e.npy");
	assert_int_not_equal(npy, NODE_NONE);

	assert_int_equal(at("names/a/b"), raw); /* its own name is what it was */
	link = tree_find(view->tree, at("names/a"), span_str("b.npy"));
	rename_in_model(t, "a/b");
	assert_int_equal(at("variables/a/b"), raw);
	assert_int_equal(at("npy/a/b.npy"), npy);
	assert_int_equal(at("npy/d/e.npy"), NODE_NONE);
	tree_link_path(view->tree, link, &target);
	assert_says(buf_span(&target), "../../npy/a/b.npy");
	rename_in_model(t, "a/b"); /* it is there already */
	assert_int_equal(at("variables/a/b"), raw);
}

TEST(nodes_come_and_go_with_a_type)
{
	struct branch *b = view->branches[0];
	struct tensor *t = model_find(b->model, span_str("c"));
	node_id npy = at("npy/c.npy");

	t->dtype = STRING;
	assert_int_equal(change_refresh(view, b, THING_TENSOR, t->id), 0);
	assert_int_not_equal(at("variables/c"), NODE_NONE);
	assert_int_equal(at("npy/c.npy"), NODE_NONE);
	assert_int_equal(branch_main_node(b, THING_TENSOR, t->id), at("variables/c"));
	t->dtype = FLOAT;
	assert_int_equal(change_refresh(view, b, THING_TENSOR, t->id), 0);
	assert_int_not_equal(at("npy/c.npy"), NODE_NONE);
	assert_int_not_equal(at("npy/c.npy"), npy); /* a file that came anew has a new number */
}

/* A name that is taken by another file is not shown, and shown again where it is free. */
TEST(what_has_no_place_is_not_shown)
{
	struct branch *b = view->branches[0];
	struct tensor *t = model_find(b->model, span_str("c"));
	node_id other = at("variables/a/b");

	rename_in_model(t, "a/b");
	assert_int_equal(at("variables/a/b"), other);
	assert_int_equal(at("variables/c"), NODE_NONE);
	assert_int_equal(branch_main_node(b, THING_TENSOR, t->id), NODE_NONE);
	rename_in_model(t, "c");
	assert_int_not_equal(at("variables/c"), NODE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_cannot_be_changed_yet, setup, teardown),
		cmocka_unit_test_setup_teardown(a_type_cannot_be_changed_yet, setup, teardown),
		cmocka_unit_test_setup_teardown(nodes_follow_their_tensor, setup, teardown),
		cmocka_unit_test_setup_teardown(nodes_come_and_go_with_a_type, setup, teardown),
		cmocka_unit_test_setup_teardown(what_has_no_place_is_not_shown, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
