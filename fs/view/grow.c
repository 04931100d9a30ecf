/*
 * A name can be file and folder at once (TF1's w and w/Adam): then the file keeps the name and
 * the folder is called w.d. Which comes first does not matter.
 */
#include "fs/view/grow.h"

#include "codec/open.h"
#include "fs/view/assets.h"
#include "fs/view/links.h"
#include "fs/view/log.h"

/* A model of n tensors has so many folders at most; what needs more is not shown. */
enum {
	FOLDERS_PER_TENSOR = 8,
	FOLDERS_FLOOR = 100000,
};
enum { HIDDEN_LOGGED = 20 }; /* of the things that could not be shown */

struct grower {
	struct view *view;
	struct branch *branch; /* NULL for the mount's own files */
	node_id root;
	const char *folder; /* of the kinds that grow now; NULL: of those that always do */
	size_t folders_left;
	unsigned long hidden; /* things that could not be shown */
};

static node_id add_folder(struct grower *g, node_id folder, struct span name)
{
	struct node like = {.type = NODE_FOLDER, .branch = g->branch ? g->branch->number : 0};

	if (!g->folders_left)
		return NODE_NONE;
	g->folders_left--;
	return tree_add(g->view->tree, folder, name, &like);
}

static struct span with_d(struct span name, struct buf *out)
{
	buf_add(out, name);
	buf_add_str(out, ".d");
	return buf_span(out);
}

/* The folder of that name, made if need be. */
static node_id enter(struct grower *g, node_id folder, struct span name)
{
	struct tree *t = g->view->tree;
	cleanup_buf struct buf other = {0};
	node_id id = tree_find(t, folder, name);
	struct node n;

	if (id && tree_get(t, id, &n) && n.type != NODE_FOLDER) {
		name = with_d(name, &other);
		id = tree_find(t, folder, name);
	}
	return id || other.failed ? id : add_folder(g, folder, name);
}

/* Adds a node, or moves the one that there is, `old`, with its number. */
static node_id add_file(struct grower *g, node_id folder, struct span name, const struct node *like,
			node_id old)
{
	struct tree *t = g->view->tree;
	cleanup_buf struct buf other = {0};
	node_id id = tree_find(t, folder, name);
	struct node n;

	if (id && tree_get(t, id, &n) && n.type != NODE_FOLDER)
		return id == old ? id : NODE_NONE; /* two signatures of one name */
	if (id && (tree_move(t, id, folder, with_d(name, &other)) < 0 || other.failed))
		return NODE_NONE; /* a folder gives way */
	if (!old)
		return tree_add(t, folder, name, like);
	return tree_move(t, old, folder, name) < 0 ? NODE_NONE : old;
}

/* The folder at a path below the root, and those that lead to it. */
static node_id enter_path(struct grower *g, struct span path)
{
	node_id folder = g->root;

	while (path.n && folder) {
		const uint8_t *slash = memchr(path.p, '/', path.n);
		size_t n = slash ? (size_t)(slash - path.p) : path.n;

		folder = enter(g, folder, span_first(path, n));
		path = span_skip(path, slash ? n + 1 : n);
	}
	return folder;
}

/* The same at a path below the root, with the folders that lead to it. */
static node_id add_path(struct grower *g, struct span path, const struct node *like, node_id old)
{
	const uint8_t *slash = memrchr(path.p, '/', path.n);
	size_t n = slash ? (size_t)(slash - path.p) : 0;
	node_id folder = enter_path(g, span_first(path, n));

	return folder ? add_file(g, folder, span_skip(path, slash ? n + 1 : 0), like, old)
		      : NODE_NONE;
}

static void hide(struct grower *g, uint8_t kind, uint32_t object, const char *why)
{
	if (kinds[kind]->of == THING_TENSOR && g->hidden++ < HIDDEN_LOGGED)
		log_line("not shown, but kept: '%s': %s",
			 quote(model_tensor(g->branch->model, object)->key), why);
	if (g->hidden == HIDDEN_LOGGED)
		log_line("not shown, but kept: more of these");
}

/* Shows one thing, if its kind does; what it showed before moves, or goes. */
static int grow_one(struct grower *g, uint8_t kind, uint32_t object)
{
	const struct kind *k = kinds[kind];
	struct showing s = {g->view, g->branch, object};
	struct node like = {.type = NODE_FILE,
			    .kind = kind,
			    .object = object,
			    .branch = g->branch ? g->branch->number : 0};
	node_id old = g->branch ? branch_node(g->branch, kind, object) : NODE_NONE, id;
	cleanup_buf struct buf path = {0};
	int r = k->path(&s, &path);

	if (path.failed)
		return -ENOMEM;
	id = r > 0 ? add_path(g, buf_span(&path), &like, old) : NODE_NONE;
	if (r && !id)
		hide(g, kind, object, r < 0 ? strerror(-r) : "no room in the tree");
	if (old && !id)
		tree_remove(g->view->tree, old);
	return id != old && g->branch ? branch_set_node(g->branch, kind, object, id) : 0;
}

/* How many there are of a sort of thing that is numbered from 0 on. */
static size_t count_things(const struct grower *g, enum thing of)
{
	switch (of) {
	case THING_VIEW: return !g->branch;
	case THING_MODEL: return g->branch != NULL;
	case THING_TENSOR: return 0; /* they have ids */
	case THING_DOCUMENT: return g->branch ? g->branch->model->n_documents : 0;
	case THING_FILE: return g->branch ? g->branch->assets.n : 0;
	}
	return 0;
}

/* The next thing of that sort; false behind the last one. *i is 0 at first. */
static bool next_thing(const struct grower *g, enum thing of, size_t *i, uint32_t *ret_object)
{
	const struct tensor *t;

	if (of != THING_TENSOR) {
		*ret_object = (uint32_t)*i;
		return (*i)++ < count_things(g, of);
	}
	t = g->branch ? model_next(g->branch->model, i) : NULL;
	if (t)
		*ret_object = t->id;
	return t;
}

/* Either may be NULL. */
static bool is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static int grow_all(struct grower *g)
{
	for (uint8_t kind = 0; kind < kind_count; kind++) {
		bool now = is_same(kinds[kind]->folder, g->folder);
		uint32_t object;

		for (size_t i = 0; now && next_thing(g, kinds[kind]->of, &i, &object);) {
			int r = grow_one(g, kind, object);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- a branch, the mount ---- */

/* A folder that is filled when somebody looks: until then its node says so. */
static int add_lazy(struct grower *g, const char *name)
{
	node_id id;

	if (tree_find(g->view->tree, g->root, span_str(name)))
		return 0; /* of another kind as well */
	id = add_folder(g, g->root, span_str(name));
	if (id)
		tree_set_object(g->view->tree, id, 1);
	return id ? 0 : -ENOMEM;
}

static int add_folders(struct grower *g)
{
	const char *const *folders = g->branch->model->folders;
	bool added = add_folder(g, g->root, span_str("variables"));

	for (size_t i = 0; added && folders[i]; i++)
		added = add_folder(g, g->root, span_str(folders[i]));
	return added ? 0 : -ENOMEM;
}

/* Hidden tensors do not count. */
static bool has_things(const struct grower *g, enum thing of)
{
	return of == THING_TENSOR ? g->branch->model->n_tensors : count_things(g, of);
}

static int add_lazy_folders(struct grower *g)
{
	const struct model *m = g->branch->model;
	int r = 0;

	for (size_t i = 0; i < kind_count && r == 0; i++)
		if (kinds[i]->folder && has_things(g, kinds[i]->of))
			r = add_lazy(g, kinds[i]->folder);
	for (size_t i = 0; i < links_count && r == 0; i++)
		if (links[i]->there(m))
			r = add_lazy(g, links[i]->folder);
	return r;
}

/* A folder for each of several MetaGraphDefs; `signatures` leads to those that are served. */
static int add_metagraphs(struct grower *g)
{
	const struct model *m = g->branch->model;
	struct node link = {.type = NODE_LINK, .branch = g->branch->number};

	if (m->n_groups < 2)
		return 0;
	for (uint32_t i = 0; i < m->n_groups; i++) {
		cleanup_buf struct buf path = {0};
		int r = metagraph_signatures(m, i, &path);
		node_id folder;

		if (path.failed)
			return -ENOMEM;
		folder = r < 0 ? NODE_NONE : enter_path(g, buf_span(&path));
		if (!folder)
			log_line("not shown: the MetaGraphDef '%s'", quote(m->groups[i]));
		else if (i == m->served)
			link.object = folder;
	}
	return !link.object || tree_add(g->view->tree, g->root, span_str("signatures"), &link)
		       ? 0
		       : -ENOMEM;
}

static struct grower grower_of(struct view *v, struct branch *b)
{
	return (struct grower){
		.view = v,
		.branch = b,
		.root = b ? b->root : NODE_ROOT,
		.folders_left = FOLDERS_FLOOR + (b ? FOLDERS_PER_TENSOR * b->model->n_tensors : 0),
	};
}

static int grow_branch(struct view *v, struct branch *b)
{
	const struct model *m = b->model;
	struct grower g = grower_of(v, b);
	int r;

	b->assets.said = m->leads_out;
	r = add_folders(&g);
	if (r == 0)
		r = add_metagraphs(&g);
	if (r == 0)
		r = add_lazy_folders(&g);
	for (size_t i = 0; r == 0 && m->folders[i]; i++)
		r = assets_list(&b->assets, m->place.rootfd, m->folders[i]);
	return r < 0 ? r : grow_all(&g);
}

int view_add_branch(struct view *v, struct model *model, node_id root, struct branch **ret)
{
	size_t n = v->n_branches;
	struct branch *b = n < BRANCHES_MAX ? branch_new() : NULL;
	int r;

	if (!b) {
		model_close(model);
		return n < BRANCHES_MAX ? -ENOMEM : -EMFILE;
	}
	b->model = model;
	b->number = (uint16_t)n;
	b->root = root;
	v->branches[n] = b;
	v->n_branches = n + 1;
	r = grow_branch(v, b);
	if (r < 0)
		return r;
	b->complete = true;
	*ret = b;
	return 0;
}

int view_add_model(struct view *v, struct model *model)
{
	struct branch *b;

	v->place = &model->place;
	return view_add_branch(v, model, NODE_ROOT, &b);
}

/* ---- folders that are made when somebody looks ---- */

struct link_sink {
	struct grower grower; /* its root is the folder of the links */
	const struct links *links;
};

static bool add_link(struct link_sink *sink, struct span path, node_id to)
{
	struct node like = {
		.type = NODE_LINK,
		.branch = sink->grower.branch->number,
		.object = to,
	};

	return add_path(&sink->grower, path, &like, NODE_NONE);
}

/* To the file of one kind, if there is one. */
static int emit_one(struct link_sink *sink, struct span path, uint8_t kind, tensor_id tensor)
{
	node_id to = branch_node(sink->grower.branch, kind, tensor);
	cleanup_buf struct buf name = {0};

	if (!to)
		return 0;
	buf_add(&name, path);
	buf_add_str(&name, kinds[kind]->link);
	if (name.failed)
		return -ENOMEM;
	if (!add_link(sink, buf_span(&name), to))
		link_hide(sink, tensor, "no room in the tree");
	return 0;
}

int link_emit(struct link_sink *sink, struct span path, tensor_id tensor)
{
	int r = 0;

	for (uint8_t kind = 0; kind < kind_count && r == 0; kind++)
		if (kinds[kind]->link)
			r = emit_one(sink, path, kind, tensor);
	return r;
}

int link_emit_folder(struct link_sink *sink, struct span name)
{
	return add_folder(&sink->grower, sink->grower.root, name) ? 0 : -ENOMEM;
}

void link_hide(struct link_sink *sink, tensor_id tensor, const char *why)
{
	struct grower *g = &sink->grower;

	if (g->hidden++ < HIDDEN_LOGGED)
		log_line("%s/: no link to '%s': %s", sink->links->folder,
			 quote(model_tensor(g->branch->model, tensor)->key), why);
}

static int grow_kinds(struct view *v, struct branch *b, const char *name)
{
	struct grower g = grower_of(v, b);

	g.folder = name;
	return grow_all(&g);
}

/* What links lead to is there before they are. */
static int grow_links(struct view *v, struct branch *b, node_id folder, const struct links *l)
{
	struct link_sink sink = {.grower = grower_of(v, b), .links = l};
	int r = 0;

	for (size_t i = 0; i < kind_count && r == 0; i++)
		if (kinds[i]->link && kinds[i]->folder)
			r = grow_folder(v, tree_find(v->tree, b->root, span_str(kinds[i]->folder)));
	sink.grower.root = folder;
	return r < 0 ? r : l->list(b->model, &sink);
}

static const struct links *links_of(const char *folder)
{
	for (size_t i = 0; i < links_count; i++)
		if (strcmp(links[i]->folder, folder) == 0)
			return links[i];
	return NULL;
}

int grow_folder(struct view *v, node_id folder)
{
	const struct links *l;
	struct branch *b;
	struct node n;
	int r;

	if (!tree_get(v->tree, folder, &n) || n.type != NODE_FOLDER || !n.object)
		return 0;
	b = view_branch(v, &n);
	l = links_of(n.name);
	r = l ? grow_links(v, b, folder, l) : grow_kinds(v, b, n.name);
	tree_set_object(v->tree, folder, 0);
	return r;
}

/* Those that have not been filled are not looked into. */
static bool is_filled(const struct view *v, const struct branch *b, const char *folder)
{
	node_id id = tree_find(v->tree, b->root, span_str(folder));
	struct node n;

	return id && tree_get(v->tree, id, &n) && !n.object;
}

int grow_again(struct view *v, struct branch *b, enum thing of, uint32_t object)
{
	struct grower g = grower_of(v, b);
	int r = 0;

	for (uint8_t kind = 0; kind < kind_count && r == 0; kind++) {
		const struct kind *k = kinds[kind];

		if (k->of == of && (!k->folder || is_filled(v, b, k->folder)))
			r = grow_one(&g, kind, object);
	}
	return r;
}

int grow_mount(struct view *v)
{
	struct grower g = grower_of(v, NULL);

	return grow_all(&g);
}
