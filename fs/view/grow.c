/*
 * A name can be file and folder at once (TF1's w and w/Adam): then the file keeps the name and
 * the folder is called w.d. Which comes first does not matter.
 */
#include "fs/view/grow.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "fs/view/beneath.h"
#include "fs/view/links.h"
#include "fs/view/log.h"

/* A model of n tensors has so many folders at most; what needs more is not shown. */
enum { FOLDERS_PER_TENSOR = 8, FOLDERS_FLOOR = 100000, ASSET_DEPTH = 16, ASSETS_MAX = 100000 };
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

static node_id add_file(struct grower *g, node_id folder, struct span name, const struct node *like)
{
	struct tree *t = g->view->tree;
	cleanup_buf struct buf other = {0};
	node_id id = tree_find(t, folder, name);
	struct node n;

	if (id && tree_get(t, id, &n) && n.type != NODE_FOLDER)
		return NODE_NONE; /* two signatures of one name */
	if (id && (tree_rename(t, id, with_d(name, &other)) < 0 || other.failed))
		return NODE_NONE; /* a folder gives way */
	return tree_add(t, folder, name, like);
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

/* Adds a file at a path below the root, and the folders that lead to it. */
static node_id add_path(struct grower *g, struct span path, const struct node *like)
{
	const uint8_t *slash = memrchr(path.p, '/', path.n);
	size_t n = slash ? (size_t)(slash - path.p) : 0;
	node_id folder = enter_path(g, span_first(path, n));

	return folder ? add_file(g, folder, span_skip(path, slash ? n + 1 : 0), like) : NODE_NONE;
}

static void hide(struct grower *g, uint8_t kind, uint32_t object, const char *why)
{
	if (kinds[kind]->of == THING_TENSOR && g->hidden++ < HIDDEN_LOGGED)
		log_line("not shown, but kept: '%s': %s",
			 quote(model_tensor(g->branch->model, object)->key), why);
	if (g->hidden == HIDDEN_LOGGED)
		log_line("not shown, but kept: more of these");
}

/* Shows one thing, if its kind does. */
static int grow_one(struct grower *g, uint8_t kind, uint32_t object)
{
	const struct kind *k = kinds[kind];
	struct showing s = {g->view, g->branch, object};
	struct node like = {.type = NODE_FILE,
			    .kind = kind,
			    .object = object,
			    .branch = g->branch ? g->branch->number : 0};
	cleanup_buf struct buf path = {0};
	node_id id;
	int r;

	r = k->path(&s, &path);
	if (path.failed)
		return -ENOMEM;
	if (r == 0)
		return 0;
	id = r > 0 ? add_path(g, buf_span(&path), &like) : NODE_NONE;
	if (!id)
		hide(g, kind, object, r < 0 ? strerror(-r) : "no room in the tree");
	return id && g->branch ? branch_set_node(g->branch, kind, object, id) : 0;
}

/* How many there are of a sort of thing that is numbered from 0 on. */
static size_t count_things(const struct grower *g, enum thing of)
{
	switch (of) {
	case THING_VIEW: return !g->branch;
	case THING_MODEL: return g->branch != NULL;
	case THING_TENSOR: return 0; /* they have ids */
	case THING_DOCUMENT: return g->branch ? g->branch->model->n_documents : 0;
	case THING_FILE: return g->branch ? g->branch->n_files : 0;
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

/* ---- assets ---- */

static int note_file(struct branch *b, char *path)
{
	char **grown = vector_grow(b->files, b->n_files, &b->files_capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	b->files = grown;
	b->files[b->n_files++] = path;
	return 0;
}

static int list_assets(struct grower *g, const char *folder, int depth);

/* One entry of a folder of assets: a file is noted, a folder is listed. */
static int list_asset(struct grower *g, const char *folder, const char *name, int depth)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	struct stat st;
	int r;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return -ENOMEM;
	fd = open_beneath(g->branch->model->place.rootfd, path, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0) {
		log_line("%s: not shown: %s", quote(span_str(path)), strerror(errno));
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return list_assets(g, path, depth + 1);
	if (!S_ISREG(st.st_mode) || g->branch->n_files >= ASSETS_MAX)
		return 0;
	r = note_file(g->branch, path);
	if (r == 0)
		path = NULL;
	return r;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_assets(struct grower *g, const char *folder, int depth)
{
	cleanup_fd int fd =
		open_beneath(g->branch->model->place.rootfd, folder, O_RDONLY | O_DIRECTORY);
	struct dirent **entries = NULL;
	int n, r = 0;

	if (fd < 0 || depth > ASSET_DEPTH)
		return 0;
	n = scandirat(fd, ".", &entries, NULL, compare_names);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (r == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			r = list_asset(g, folder, name, depth);
		free(entries[i]);
	}
	free(entries);
	return r;
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
	const struct model *m = g->branch->model;
	const struct {
		const char *name;
		bool there;
	} folders[] = {
		{"variables", true},
		{"assets", m->has_assets},
		{"assets.extra", m->has_extra},
	};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (folders[i].there && !add_folder(g, g->root, span_str(folders[i].name)))
			return -ENOMEM;
	return 0;
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

	if (m->n_metagraphs < 2)
		return 0;
	for (uint32_t i = 0; i < m->n_metagraphs; i++) {
		cleanup_buf struct buf path = {0};
		int r = metagraph_signatures(m, i, &path);
		node_id folder;

		if (path.failed)
			return -ENOMEM;
		folder = r < 0 ? NODE_NONE : enter_path(g, buf_span(&path));
		if (!folder)
			log_line("not shown: the MetaGraphDef '%s'", quote(m->metagraphs[i].name));
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

int grow_branch(struct view *v, struct branch *b)
{
	const struct model *m = b->model;
	struct grower g = grower_of(v, b);
	int r;

	r = add_folders(&g);
	if (r == 0)
		r = add_metagraphs(&g);
	if (r == 0)
		r = add_lazy_folders(&g);
	if (r == 0 && m->has_assets)
		r = list_assets(&g, "assets", 0);
	if (r == 0 && m->has_extra)
		r = list_assets(&g, "assets.extra", 0);
	return r < 0 ? r : grow_all(&g);
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

	return add_path(&sink->grower, path, &like);
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

int grow_mount(struct view *v)
{
	struct grower g = grower_of(v, NULL);

	return grow_all(&g);
}
