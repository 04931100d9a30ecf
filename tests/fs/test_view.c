/*
 * A view without a mount: grown out of a model, listed, walked and stat'ed. trees/NAME.txt says
 * what is to be seen of some models of tests/data, a line a node in the order of the listing:
 *
 *	MODE SIZE PATH [-> TARGET]	"*" for the size of a text that says much about a model
 *
 * With WEIGHTFS_TREES=DIR what was seen is written to DIR/NAME.txt, too.
 */
#include "views.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "codec/base/file.h"
#include "fs/view/look.h"

/* ---- walking ---- */

typedef void visitor(void *context, struct view *v, node_id id, const char *path);

/* All below a folder, in the order of the listings, each folder before what is in it. */
static void visit_all(struct view *v, node_id in, visitor *visit, void *context)
{
	struct node n = {0};
	node_id id;

	assert_int_equal(view_look(v, in), 0);
	while ((id = next_in(v, in, n.position, &n))) {
		cleanup_buf struct buf path = {0};

		view_path(v, id, &path);
		visit(context, v, id, (const char *)path.p);
		if (n.type == NODE_FOLDER)
			visit_all(v, id, visit, context);
	}
}

/* ---- what is to be seen ---- */

static void add_mode(mode_t mode, struct buf *out)
{
	buf_add_u8(out, S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : '-');
	for (int bit = 8; bit >= 0; bit--)
		buf_add_u8(out, mode >> bit & 1 ? (uint8_t) "xwr"[bit % 3] : '-');
}

static bool has_text(const char *path)
{
	struct span s = span_str(path);

	return span_ends(s, span_str(".json")) || span_ends(s, span_str(".tsv"));
}

static void print_node(void *out, struct view *v, node_id id, const char *path)
{
	struct stat st = stat_of(v, id);

	add_mode(st.st_mode, out);
	if (S_ISREG(st.st_mode) && has_text(path))
		buf_printf(out, " * %s", path);
	else
		buf_printf(out, " %lld %s", (long long)st.st_size, path);
	if (S_ISLNK(st.st_mode)) {
		buf_add_str(out, " -> ");
		add_link_target(v, id, out);
	}
	buf_add_u8(out, '\n');
}

/* The first line that differs. */
static void fail_at_difference(const char *name, struct span found, struct span expected)
{
	size_t line = 1, start = 0, i = 0;

	for (; i < found.n && i < expected.n && found.p[i] == expected.p[i]; i++) {
		if (found.p[i] == '\n') {
			start = i + 1;
			line++;
		}
	}
	found = span_skip(found, start);
	expected = span_skip(expected, start);
	fail_msg("%s.txt:%zu\nfound    %.*s\nexpected %.*s", name, line,
		 (int)strcspn((const char *)found.p, "\n"), found.p,
		 (int)strcspn((const char *)expected.p, "\n"), expected.p);
}

static void write_tree(const char *name, struct span tree)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.txt", getenv("WEIGHTFS_TREES"), name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(tree.p, 1, tree.n, file), tree.n);
	fclose(file);
}

static void compare_tree(const char *name, struct buf *found)
{
	cleanup_file struct file expected = {0};
	char path[512];
	struct error err = {""};

	if (getenv("WEIGHTFS_TREES"))
		write_tree(name, buf_span(found));
	snprintf(path, sizeof(path), "%s/../fs/trees/%s.txt", getenv("WEIGHTFS_DATA"), name);
	if (file_read(AT_FDCWD, path, 1 << 20, &expected, &err) < 0)
		fail_msg("%s", err.text);
	buf_add_u8(found, 0);
	buf_add_u8(&expected.bytes, 0);
	if (!span_equal(buf_span(found), buf_span(&expected.bytes)))
		fail_at_difference(name, buf_span(found), buf_span(&expected.bytes));
}

static const struct {
	const char *name, *argument;
} shown[] = {
	{"keras3", "keras3"},
	{"mlp", "mlp"},
	{"sliced", "sliced/sliced"},
	{"tags", "tags"},
	{"tf1", "tf1"},
	{"train", "train"},
	{"v1", "v1/sharded-00000-of-00002"},
	{"vocab", "vocab"},
};

TEST(what_is_seen_of_models)
{
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		struct view *v = open_at(shown[i].argument, false);
		cleanup_buf struct buf tree = {0};

		visit_all(v, NODE_ROOT, print_node, &tree);
		compare_tree(shown[i].name, &tree);
		view_free(v);
	}
}

/* ---- what holds of every node ---- */

static void check_folder(const struct stat *st)
{
	assert_int_equal(st->st_size, 0);
	assert_int_equal(st->st_nlink, 2);
}

static void check_file(struct view *v, node_id id, const struct stat *st)
{
	cleanup_buf struct buf content = {0};

	read_all(v, id, &content);
	assert_int_equal(st->st_size, content.n);
	assert_int_equal(st->st_nlink, 1);
	assert_int_equal(st->st_blocks, (content.n + 511) / 512);
	assert_int_equal(st->st_mode & 0333 & ~0200u, 0);
}

/* Goes up and down as the words of a link say, from the folder in which it stands. */
static void check_link(struct view *v, node_id id, const char *path, const struct stat *st)
{
	cleanup_buf struct buf target = {0}, full = {0};
	struct span words;

	add_link_target(v, id, &target);
	assert_int_equal(st->st_size, target.n);
	words = buf_span(&target);
	buf_add_str(&full, path);
	while (full.n && full.p[full.n - 1] != '/')
		full.n--;
	for (; span_starts(words, span_str("../")); words = span_skip(words, 3))
		for (full.n--; full.n && full.p[full.n - 1] != '/';)
			full.n--;
	buf_add(&full, words);
	assert_int_equal(view_walk(v, buf_span(&full)), walk(v, path));
	assert_true(walk(v, path) != id);
}

static void check_node(void *read_only, struct view *v, node_id id, const char *path)
{
	struct stat st = stat_of(v, id);

	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(st.st_gid, getegid());
	if (read_only && !S_ISLNK(st.st_mode))
		assert_int_equal(st.st_mode & 0777, S_ISDIR(st.st_mode) ? 0755 : 0444);
	if (S_ISLNK(st.st_mode)) {
		check_link(v, id, path, &st);
		return;
	}
	assert_int_equal(walk(v, path), id);
	if (S_ISDIR(st.st_mode))
		check_folder(&st);
	else
		check_file(v, id, &st);
}

TEST(what_holds_of_every_node)
{
	static const char *const more[] = {"deep/deep",	  "dtypes/dtypes", "many/many",
					   "multi",	  "names/names",   "nested",
					   "train_slots", "v1/v1.ckpt"};
	static const bool yes = true;

	for (size_t i = 0; i < 2 * (ARRAY_SIZE(shown) + ARRAY_SIZE(more)); i++) {
		size_t model = i / 2;
		struct view *v =
			open_at(model < ARRAY_SIZE(shown) ? shown[model].argument
							  : more[model - ARRAY_SIZE(shown)],
				i % 2);

		visit_all(v, NODE_ROOT, check_node, i % 2 ? (void *)(uintptr_t)&yes : NULL);
		view_free(v);
	}
}

/* ---- twins: two files of the same bytes ---- */

/* Another file with the same bytes, and how much further behind they begin there. */
static node_id twin_of(struct view *v, node_id id, int64_t *ret_shift)
{
	struct twin twin;
	struct node n;
	uint8_t kind = 0;

	assert_true(tree_get(v->tree, id, &n));
	while (view_next_twin(v, &n, &kind, &twin)) {
		*ret_shift = twin.shift;
		if (twin.shifted)
			return twin.node;
	}
	return NODE_NONE;
}

static void check_twin(void *count, struct view *v, node_id id, const char *path)
{
	cleanup_buf struct buf mine = {0}, other = {0};
	int64_t shift = 0, back = 0;
	node_id twin;

	if (!S_ISREG(stat_of(v, id).st_mode))
		return;
	twin = twin_of(v, id, &shift);
	if (!twin) {
		assert_false(span_starts(span_str(path), span_str("npy/")));
		return;
	}
	++*(size_t *)count;
	assert_int_equal(twin_of(v, twin, &back), id);
	assert_int_equal(shift + back, 0);
	read_all(v, id, &mine);
	read_all(v, twin, &other);
	assert_same(span_skip(buf_span(&mine), back > 0 ? (size_t)back : 0),
		    span_skip(buf_span(&other), shift > 0 ? (size_t)shift : 0));
	assert_true((shift < 0) == span_starts(span_str(path), span_str("npy/")));
}

TEST(raw_bytes_and_npy_are_twins)
{
	static const struct {
		const char *argument;
		size_t twins; /* two a tensor; strings and variants have none */
	} cases[] = {{"mlp", 48}, {"sliced/sliced", 16}, {"vocab", 4}, {"tags", 2}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct view *v = open_at(cases[i].argument, false);
		size_t count = 0;

		visit_all(v, walk(v, "npy"), check_twin, &count);
		visit_all(v, walk(v, "variables"), check_twin, &count);
		assert_int_equal(count, cases[i].twins);
		view_free(v);
	}
}

/* ---- folders that are filled when somebody looks ---- */

static size_t count_in(struct view *v, node_id in)
{
	struct node n = {0};
	size_t count = 0;

	while (next_in(v, in, n.position, &n))
		count++;
	return count;
}

TEST(some_folders_are_filled_by_a_look)
{
	static const char *const lazy[] = {"npy", "text", "names", "layers"};
	struct view *v = open_at("mlp", false);

	assert_true(count_in(v, walk(v, "variables")) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(lazy); i++) {
		node_id id = walk(v, lazy[i]);
		size_t count;

		assert_true(id && count_in(v, id) == 0);
		assert_int_equal(view_look(v, id), 0);
		count = count_in(v, id);
		assert_true(count > 0);
		assert_int_equal(view_look(v, id), 0);
		assert_int_equal(count_in(v, id), count);
	}
	view_free(v);
}

/* A look at the links needs what they lead to. */
TEST(a_path_is_a_look)
{
	struct view *v = open_at("mlp", false);
	node_id npy = walk(v, "names/dense_1/kernel.npy");

	assert_true(npy != NODE_NONE);
	assert_int_equal(walk(v, "npy/layer_with_weights-0/kernel.npy"), npy);
	assert_int_equal(walk(v, "names/dense_1/kernel"),
			 walk(v, "variables/layer_with_weights-0/kernel"));
	view_free(v);
}

TEST(paths_that_lead_nowhere)
{
	static const char *const paths[] = {
		"none",
		"variables/none",
		"model.json/x",
		"names/dense_1/kernel/x",
		"/",
		"variables//x",
		"npy/layer_with_weights-0/kernel",
		"names/none.npy",
		"signatures/none.json",
		"..",
	};
	struct view *v = open_at("mlp", false);

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_int_equal(walk(v, paths[i]), NODE_NONE);
	assert_int_equal(walk(v, ""), NODE_ROOT);
	view_free(v);
}

TEST(the_files_of_the_mount)
{
	static const struct {
		const char *path;
		mode_t mode;
	} files[] = {
		{".weightfs/control", 0600},
		{".weightfs/log", 0444},
		{".weightfs/status", 0444},
		{".weightfs/version", 0444},
	};
	struct view *v = open_at("sliced/sliced", false);

	assert_int_equal(walk(v, ".weightfs"), NODE_NONE);
	add_control(v);
	assert_int_equal(count_in(v, walk(v, ".weightfs")), ARRAY_SIZE(files));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(stat_of(v, walk(v, files[i].path)).st_mode,
				 S_IFREG | files[i].mode);
	view_free(v);
}

/* ---- a folder of checkpoints ---- */

static void copy_file(const char *from, const char *to)
{
	cleanup_buf struct buf content = {0};

	folder_read(&models, from, &content);
	folder_write(&models, to, buf_span(&content));
}

static void copy_checkpoint(const char *from, const char *to)
{
	static const char *const endings[] = {"data-00000-of-00001", "index"};
	char old[64], fresh[64];

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		snprintf(old, sizeof(old), "train/%s.%s", from, endings[i]);
		snprintf(fresh, sizeof(fresh), "train/%s.%s", to, endings[i]);
		copy_file(old, fresh);
	}
}

TEST(checkpoints_come_and_go)
{
	struct view *v = open_at("train", false);
	node_id third = walk(v, "ckpt-3"), latest = walk(v, "latest");

	assert_true(third && latest && latest == walk(v, "ckpt-5"));
	assert_int_equal(walk(v, "ckpt-6"), NODE_NONE);
	copy_checkpoint("ckpt-3", "ckpt-6");
	assert_true(walk(v, "ckpt-6/variables") != NODE_NONE);
	unlinkat(models.fd, "train/ckpt-6.index", 0);
	unlinkat(models.fd, "train/ckpt-6.data-00000-of-00001", 0);
	assert_int_equal(walk(v, "ckpt-6"), NODE_NONE);
	assert_int_equal(walk(v, "ckpt-3"), third);
	folder_write(&models, "train/checkpoint", span_str("model_checkpoint_path: \"ckpt-3\"\n"));
	assert_int_equal(walk(v, "latest"), third);
	view_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_seen_of_models),
		cmocka_unit_test(what_holds_of_every_node),
		cmocka_unit_test(raw_bytes_and_npy_are_twins),
		cmocka_unit_test(some_folders_are_filled_by_a_look),
		cmocka_unit_test(a_path_is_a_look),
		cmocka_unit_test(paths_that_lead_nowhere),
		cmocka_unit_test(the_files_of_the_mount),
		cmocka_unit_test(checkpoints_come_and_go),
	};

	return cmocka_run_group_tests(tests, models_setup, models_teardown);
}
