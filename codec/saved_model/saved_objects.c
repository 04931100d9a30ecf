/*
 * What saved_model.pb, and Keras's metadata, say about objects that are in the checkpoint, too.
 * Both speak of nodes of the graph in saved_model.pb, the rest of us of those of the checkpoint's.
 */
#include "codec/bundle/bundle_format.h"
#include "codec/graph/keras.h"
#include "codec/graph/object_graph.h"
#include "codec/saved_model/internal.h"
#include "codec/saved_model/object_match.h"
#include "codec/saved_model/saved_model.h"
#include "codec/saved_model/saved_model_file.h"

/* Both graphs of a model, and what of the one is what of the other. */
struct objects {
	struct saved_model_file file;
	struct buf stored;
	struct span checkpoint, saved; /* saved.p is NULL: there are no objects in the file */
	struct object_match match;
};

static void release(struct objects *o)
{
	saved_model_file_release(&o->file);
	buf_release(&o->stored);
	object_match_release(&o->match);
}

/* Released in any case. */
static int read_saved(struct model *m, struct objects *o, struct error *err)
{
	struct metagraph g = {0};
	int r = saved_model_file_read(m->place.rootfd, GRAPH, &o->file, err);

	if (r == 0)
		r = saved_model_open_served(o->file.bytes, &g, err);
	o->saved = g.object_graph;
	return r;
}

static int read_objects(struct model *m, struct objects *o, struct error *err)
{
	int r = read_saved(m, o, err);

	if (r == 0)
		r = bundle_graph(m, &o->stored, &o->checkpoint, err);
	return r < 0 ? r : object_match(o->checkpoint, o->saved, &o->match, err);
}

/* ---- names of variables ---- */

struct naming {
	struct model *m;
	const struct object_match *match;
	struct span *names; /* of the saved nodes */
	struct span used;
};

static int name_variable(void *naming, const struct graph_attribute *a)
{
	struct naming *n = naming;
	struct tensor *t = model_find(n->m, a->key);
	uint32_t saved = n->match->saved_of[a->node];

	if (!t || t->variable.n || saved == OBJECT_NOBODY || !n->names[saved].n)
		return 0;
	t->variable = arena_copy(&n->m->arena, n->names[saved]);
	t->node = a->node;
	t->used = uses_node(n->used, saved);
	return t->variable.p ? 0 : -ENOMEM;
}

static int name_variables(struct model *m, const struct objects *o, struct span used,
			  struct error *err)
{
	cleanup_free struct span *names = calloc(o->match.n_saved + 1, sizeof(*names));
	struct naming n = {m, &o->match, names, used};
	const struct graph_visitor v = {.attribute = name_variable, .context = &n};
	int r = names ? object_names(o->saved, names, o->match.n_saved, err) : -ENOMEM;

	return r < 0 ? r : object_graph_walk(o->checkpoint, &v, err);
}

int saved_model_name_variables(struct model *m, struct span used)
{
	struct objects o = {0};
	struct error err = {""};
	int r;

	if (!bundle_count_nameless(m))
		return 0;
	r = read_objects(m, &o, &err);
	if (r == 0)
		r = name_variables(m, &o, used, &err);
	release(&o);
	if (r < 0 && r != -ENOMEM)
		model_remark(m, "names of variables cannot be taken from " GRAPH ": %s", err.text);
	return r == -ENOMEM ? r : 0;
}

/* ---- Keras ---- */

struct keras_visit {
	int (*each)(void *context, const struct keras_node *node);
	void *context;
	const struct objects *objects;
};

/* Where nothing is known of the two graphs their nodes have the same numbers, as is usual. */
static int visit(const struct keras_visit *v, struct keras_node n)
{
	const struct object_match *match = &v->objects->match;

	if (match->checkpoint_of && n.id < match->n_saved)
		n.id = match->checkpoint_of[n.id];
	return v->each(v->context, &n);
}

static int visit_file(const struct keras_visit *v, struct span metadata)
{
	struct keras_node n;
	int r;

	while ((r = keras_next_node(&metadata, &n)) > 0) {
		r = visit(v, n);
		if (r < 0)
			break;
	}
	return r;
}

/* Before TensorFlow 2.5 what Keras says stands in the graph. */
static int visit_graph(const struct keras_visit *v)
{
	struct keras_node n = {.id = KERAS_BEFORE_FIRST};
	struct span saved = v->objects->saved;
	int r;

	while ((r = keras_next_node_old(&saved, &n)) > 0) {
		r = visit(v, n);
		if (r < 0)
			break;
	}
	return r;
}

int saved_model_keras_nodes(struct model *m, int (*each)(void *, const struct keras_node *),
			    void *context, struct error *err)
{
	cleanup_file struct file file = {0};
	struct objects o = {0};
	struct keras_visit v = {each, context, &o};
	int r;

	if (!m->keras_version.n)
		return 0;
	r = read_objects(m, &o, NULL);
	if (r != -ENOMEM)
		r = file_read(m->place.rootfd, METADATA, metadata_max, &file, err);
	if (r == 0)
		r = visit_file(&v, buf_span(&file.bytes));
	else if (r == -ENOENT)
		r = visit_graph(&v);
	release(&o);
	return r;
}
