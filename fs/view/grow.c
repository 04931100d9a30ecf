#include "fs/view/grow.h"

#include "codec/open.h"
#include "fs/view/assets.h"
#include "fs/view/links.h"
#include "fs/view/log.h"
#include "fs/view/plant.h"

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
	struct plant plant;
	unsigned long hidden; /* things that could not be shown */
};

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
	id = r > 0 ? plant_file(&g->plant, g->root, buf_span(&path), &like, old) : NODE_NONE;
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
	id = plant_folder(&g->plant, g->root, span_str(name));
	if (id)
		tree_set_object(g->view->tree, id, 1);
	return id ? 0 : -ENOMEM;
}

static int add_folders(struct grower *g)
{
	const char *const *folders = g->branch->model->folders;
	bool added = plant_folder(&g->plant, g->root, span_str("variables"));

	for (size_t i = 0; added && folders[i]; i++)
		added = plant_folder(&g->plant, g->root, span_str(folders[i]));
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
		folder = r < 0 ? NODE_NONE : plant_folders(&g->plant, g->root, buf_span(&path));
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
		.plant =
			{
				.tree = v->tree,
				.branch = b ? b->number : 0,
				.folders_left = FOLDERS_FLOOR +
						(b ? FOLDERS_PER_TENSOR * b->model->n_tensors : 0),
			},
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

static int grow_kinds(struct view *v, struct branch *b, const char *name)
{
	struct grower g = grower_of(v, b);

	g.folder = name;
	return grow_all(&g);
}

/* What links lead to is there before they are. */
static int grow_links(struct view *v, struct branch *b, node_id folder, const struct links *l)
{
	int r = 0;

	for (size_t i = 0; i < kind_count && r == 0; i++)
		if (kinds[i]->link && kinds[i]->folder)
			r = grow_folder(v, tree_find(v->tree, b->root, span_str(kinds[i]->folder)));
	return r < 0 ? r : links_fill(l, grower_of(v, b).plant, b, folder);
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
