/* weightctl cat: the content of one file of the tree. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/cmd/ctl.h"
#include "fs/view/handle.h"
#include "fs/view/log.h"
#include "fs/view/look.h"
#include "fs/view/root.h"

/* All files that a name can mean: by path, by key, by a variable's own name. */
struct matches {
	struct view *view;
	struct span name;
	struct span folder; /* of the checkpoint, with a slash behind; or nothing */
	node_id *found;
	size_t n, capacity;
	bool failed; /* no memory */
};

enum { PATHS = 2 }; /* so many matches may be found by their paths before others */

static void add_match(struct matches *m, node_id id)
{
	node_id *grown;
	struct node n;

	if (!id || !tree_get(m->view->tree, id, &n) || n.type != NODE_FILE)
		return;
	/* A tensor is found once; but what a path led to, which came first, may come again. */
	for (size_t i = 0; i < m->n && i < PATHS; i++)
		if (m->found[i] == id)
			return;
	grown = vector_grow(m->found, m->n, &m->capacity, sizeof(*grown));
	m->failed |= !grown;
	if (!grown)
		return;
	m->found = grown;
	m->found[m->n++] = id;
}

/* The path of a file, or what of it follows "variables/" or the like. */
static void match_path(struct matches *m, const char *folder)
{
	cleanup_buf struct buf path = {0};

	buf_add(&path, m->folder);
	buf_add_str(&path, folder);
	buf_add(&path, m->name);
	add_match(m, view_walk(m->view, buf_span(&path)));
}

static void match_tensors(struct matches *m, const struct branch *b)
{
	const struct tensor *t;

	for (size_t i = 0; (t = model_next(b->model, &i));)
		if (span_equal(t->key, m->name) || span_equal(t->variable, m->name))
			add_match(m, branch_main_node(b, THING_TENSOR, t->id));
}

static void list_matches(const struct matches *m)
{
	say("weightctl: '%s' is ambiguous; by path:", quote(m->name));
	for (size_t i = 0; i < m->n; i++) {
		cleanup_buf struct buf path = {0};

		view_path(m->view, m->found[i], &path);
		say("  %s", quote(buf_span(&path)));
	}
}

static node_id choose(const struct matches *m)
{
	if (m->n == 1)
		return m->found[0];
	if (m->failed)
		say("weightctl: %s", strerror(ENOMEM));
	else if (m->n)
		list_matches(m);
	else
		say("weightctl: '%s' is no tensor, path or variable of this model", quote(m->name));
	return NODE_NONE;
}

static node_id find(struct view *v, const char *name)
{
	struct matches m = {.view = v, .name = span_str(name)};
	struct error err = {""};
	node_id id, root = v->root->choose ? v->root->choose(v, &m.name, &err) : NODE_ROOT;
	struct branch *b;

	if (!root && err.text[0])
		say("weightctl: %s", err.text);
	if (!root)
		return NODE_NONE;
	m.folder = span_of(name, (size_t)((const char *)m.name.p - name));
	match_path(&m, "");
	match_path(&m, "variables/");
	for (size_t k = 0; (b = view_next_branch(v, &k));)
		if (b->root == root)
			match_tensors(&m, b);
	if (!m.n)
		match_path(&m, "names/"); /* kernel#2 */
	id = choose(&m);
	free(m.found);
	return id;
}

/* What is mapped is copied and not looked at: a file may become shorter meanwhile. */
static int copy_out(struct handle *h, struct error *err)
{
	enum { PART = 1 << 20 };
	cleanup_free uint8_t *part = malloc(PART);
	uint64_t at = 0;
	ssize_t n = 0;

	if (!part)
		return -ENOMEM;
	while ((n = opened_copy(h->opened, at, PART, part, err)) > 0) {
		if (fwrite(part, 1, (size_t)n, stdout) != (size_t)n)
			return error_errno(err, "standard output");
		at += (uint64_t)n;
	}
	return (int)n;
}

static int cat(struct view *v, node_id id)
{
	struct error err = {""};
	struct handle *h;
	int r = handle_open(v, id, O_RDONLY, 0, &h, &err);

	if (r == 0) {
		r = copy_out(h, &err);
		handle_close(h);
	}
	if (r == 0 && fflush(stdout) != 0)
		r = error_errno(&err, "standard output");
	if (r < 0)
		say("weightctl: %s", err.text[0] ? err.text : strerror(-r));
	return r < 0 ? EXIT_FINDING : EXIT_FINE;
}

static int run(int argc, char **argv)
{
	struct view *v;
	node_id id;
	int code;

	if (argc != 3)
		return ctl_usage(&ctl_cat);
	v = ctl_open(argv[1]);
	if (!v)
		return EXIT_NOT_MOUNTABLE;
	id = find(v, argv[2]);
	code = id ? cat(v, id) : EXIT_USAGE;
	view_free(v);
	return code;
}

const struct ctl_command ctl_cat = {
	.name = "cat",
	.arguments = "MODEL NAME",
	.what = "write a tensor or document; NAME: its key, path or own name",
	.run = run,
};
