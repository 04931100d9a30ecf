/*
 * The graph is anybody's: it may have cycles, and many layers may share a large part of it. So a
 * walk sees a node once for each layer, goes no deeper than DEPTH_MAX, and all walks together look
 * at no more edges than a multiple of what there are.
 */
#include "codec/graph/layers.h"

#include "codec/model/format.h"
#include "codec/graph/keras.h"
#include "codec/graph/layers_state.h"

enum { DEPTH_MAX = 64, STEPS_PER_EDGE = 16, WEIGHTS_PER_TENSOR = 8, FLOOR = 1 << 20 };
enum { NO_NODE = UINT32_MAX };

/* ---- the graph ---- */

static const struct graph_node *node_at(const struct finder *f, uint32_t node)
{
	static const struct graph_node nothing;

	return node < f->graph.n ? &f->graph.nodes[node] : &nothing;
}

static bool is_variable(const struct finder *f, uint32_t node)
{
	return node_at(f, node)->key.p;
}

/* The edges of a node; none when too many were looked at already. */
static const struct graph_edge *edges_of(struct finder *f, uint32_t node, size_t *ret_n)
{
	const struct graph_node *n = node_at(f, node);

	*ret_n = n->n <= f->steps_left ? n->n : 0;
	f->tangled |= n->n > f->steps_left;
	f->steps_left -= *ret_n;
	return *ret_n ? f->graph.edges + n->first : NULL;
}

/* The child of that name, or NO_NODE. */
static uint32_t child(struct finder *f, uint32_t node, const char *name)
{
	size_t n;
	const struct graph_edge *e = edges_of(f, node, &n);

	for (size_t i = 0; i < n; i++)
		if (span_is(e[i].name, name))
			return e[i].to;
	return NO_NODE;
}

/* The number behind the prefix, if there is nothing else. */
static bool parse_number(struct span name, const char *prefix, uint32_t *ret)
{
	uint32_t value = 0;

	if (!span_starts(name, span_str(prefix)))
		return false;
	name = span_skip(name, strlen(prefix));
	if (!name.n || name.n > 9)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] < '0' || name.p[i] > '9')
			return false;
		value = value * 10 + (name.p[i] - '0');
	}
	*ret = value;
	return true;
}

/* Children whose names are a prefix and a number, in the order of the numbers. */
struct numbered {
	struct numbered_child {
		uint32_t number;
		const struct graph_edge *edge;
	} * children;
	size_t n, capacity;
};

static void numbered_release(struct numbered *c)
{
	free(c->children);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct numbered_child *x = a, *y = b;

	return x->number == y->number ? (x->edge > y->edge) - (x->edge < y->edge)
				      : (x->number > y->number) - (x->number < y->number);
}

static int list_numbered(struct finder *f, uint32_t node, const char *prefix, struct numbered *ret)
{
	size_t n;
	const struct graph_edge *e = edges_of(f, node, &n);

	for (size_t i = 0; i < n; i++) {
		struct numbered_child *grown, c = {.edge = &e[i]};

		if (!parse_number(e[i].name, prefix, &c.number))
			continue;
		grown = vector_grow(ret->children, ret->n, &ret->capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		ret->children = grown;
		grown[ret->n++] = c;
	}
	if (ret->n)
		qsort(ret->children, ret->n, sizeof(*ret->children), compare_numbers);
	return 0;
}

/* ---- weights ---- */

/* Adds a weight, if the model has the variable. */
static int add_weight(struct finder *f, const struct found_weight *like, uint32_t node)
{
	const struct tensor *t = model_find(f->m, node_at(f, node)->key);
	struct found_weight *grown;

	if (!t)
		return 0;
	f->tangled |= f->n_weights >= FLOOR + WEIGHTS_PER_TENSOR * f->m->n_tensors;
	if (f->tangled)
		return 0;
	grown = vector_grow(f->weights, f->n_weights, &f->weights_capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	f->weights = grown;
	grown[f->n_weights] = *like;
	grown[f->n_weights++].tensor = t->id;
	return 0;
}

/* True the first time that the walk of a layer comes by. */
static bool visit(struct finder *f, uint32_t node)
{
	if (node >= f->graph.n || f->seen[node] == f->walks)
		return false;
	f->seen[node] = f->walks;
	return true;
}

static int add_variables(struct finder *f, uint32_t node, uint32_t depth)
{
	size_t n;
	const struct graph_edge *e = edges_of(f, node, &n);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct found_weight w = {.depth = depth, .edge = e[i].name};

		if (is_variable(f, e[i].to) && visit(f, e[i].to))
			r = add_weight(f, &w, e[i].to);
	}
	return r;
}

/* Children that have no weights of their parent: Keras keeps other things there. */
static bool is_other(struct span name)
{
	static const char *const others[] = {
		"optimizer",
		"root",
		"loss",
		"train_function",
		"train_tf_function",
		"keras_api",
		"signatures",
		"variables",
		"trainable_variables",
		"non_trainable_variables",
		"regularization_losses",
		"_random_generator",
		"save_counter",
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (span_is(name, others[i]))
			return true;
	return false;
}

static int walk(struct finder *f, uint32_t node, uint32_t depth);

/* The layers of a model that is itself a layer, and then what it has itself. */
static int walk_network(struct finder *f, uint32_t node, const struct numbered *layers,
			uint32_t depth)
{
	int r = 0;

	for (size_t i = 0; i < layers->n && r == 0; i++)
		r = walk(f, layers->children[i].edge->to, depth + 1);
	return r < 0 ? r : add_variables(f, node, depth);
}

/*
 * The statistics of BatchNormalization are the only weights of which a checkpoint tells that they
 * are not trained: by their names. In a layer, other than in a model, such weights come last.
 */
static bool is_statistic(const struct found_weight *w)
{
	return span_is(w->edge, "moving_mean") || span_is(w->edge, "moving_variance");
}

static int put_statistics_last(struct finder *f, size_t first)
{
	size_t n = f->n_weights - first, kept = 0, moved = 0;
	cleanup_free struct found_weight *last = calloc(n + 1, sizeof(*last));
	struct found_weight *w = f->weights + first;

	if (!last)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (is_statistic(&w[i]))
			last[moved++] = w[i];
		else
			w[kept++] = w[i];
	for (size_t i = 0; i < moved; i++)
		w[kept + i] = last[i];
	return 0;
}

static int walk_layer(struct finder *f, uint32_t node, uint32_t depth)
{
	size_t first = f->n_weights;
	int r = add_variables(f, node, depth);
	size_t n;
	const struct graph_edge *e = edges_of(f, node, &n);
	uint32_t number;

	for (size_t i = 0; i < n && r == 0; i++) {
		/* A list is no object with a name of its own. */
		bool item = parse_number(e[i].name, "", &number);

		if (!is_other(e[i].name))
			r = walk(f, e[i].to, depth + !item);
	}
	return r < 0 || f->n_weights == first ? r : put_statistics_last(f, first);
}

static int walk(struct finder *f, uint32_t node, uint32_t depth)
{
	__attribute__((cleanup(numbered_release))) struct numbered layers = {0};
	int r;

	if (f->nested > DEPTH_MAX || is_variable(f, node) || !visit(f, node))
		return 0;
	f->nested++;
	r = list_numbered(f, node, "layer-", &layers);
	if (r == 0)
		r = layers.n ? walk_network(f, node, &layers, depth) : walk_layer(f, node, depth);
	f->nested--;
	return r;
}

/* The list that Keras made of them when it saved a SavedModel. */
static int add_list(struct finder *f, uint32_t list)
{
	__attribute__((cleanup(numbered_release))) struct numbered weights = {0};
	int r = list_numbered(f, list, "", &weights);

	for (size_t i = 0; i < weights.n && r == 0; i++) {
		uint32_t node = weights.children[i].edge->to;

		if (is_variable(f, node) && visit(f, node))
			r = add_weight(f, &(struct found_weight){0}, node);
	}
	return r;
}

static int add_weights(struct finder *f, uint32_t node)
{
	uint32_t list = f->source->lists ? child(f, node, "variables") : NO_NODE;

	return list != NO_NODE ? add_list(f, list) : walk(f, node, 0);
}

/* ---- layers ---- */

static int add_layer(struct finder *f, const struct graph_edge *e)
{
	struct found_layer *grown = vector_grow(f->layers, f->n, &f->capacity, sizeof(*grown));
	int r;

	if (!grown)
		return -ENOMEM;
	f->layers = grown;
	grown[f->n++] = (struct found_layer){.node = e->to, .edge = e->name, .first = f->n_weights};
	f->walks++;
	r = add_weights(f, e->to);
	f->layers[f->n - 1].n = f->n_weights - f->layers[f->n - 1].first;
	return r;
}

/* Adds the children of a node that have a prefix and a number, if there are any. */
static int add_numbered(struct finder *f, uint32_t node, const char *prefix)
{
	__attribute__((cleanup(numbered_release))) struct numbered layers = {0};
	int r = node == NO_NODE ? 0 : list_numbered(f, node, prefix, &layers);

	for (size_t i = 0; i < layers.n && r == 0; i++)
		if (!is_variable(f, layers.children[i].edge->to))
			r = add_layer(f, layers.children[i].edge);
	return r;
}

/* The children of a subclassed model are layers, or lists of layers. */
static int add_children(struct finder *f)
{
	size_t n;
	const struct graph_edge *e = edges_of(f, 0, &n);
	int r = 0;

	f->subclassed = true;
	for (size_t i = 0; i < n && r == 0; i++) {
		size_t before = f->n;

		if (is_other(e[i].name) || is_variable(f, e[i].to))
			continue;
		r = add_numbered(f, e[i].to, "");
		if (r == 0 && f->n == before)
			r = add_layer(f, &e[i]);
	}
	return r;
}

/* The models among the children of a tf.train.Checkpoint. */
static int add_models(struct finder *f)
{
	size_t n;
	const struct graph_edge *e = edges_of(f, 0, &n);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (!is_other(e[i].name))
			r = add_numbered(f, e[i].to, "layer-");
	return r;
}

static int find_layers(struct finder *f)
{
	uint32_t api = child(f, 0, "keras_api"), all = child(f, 0, "variables");
	int r = 0;

	if (api != NO_NODE)
		r = add_numbered(f, child(f, api, "layers"), "");
	if (r == 0 && !f->n)
		r = add_numbered(f, 0, "layer-");
	if (r < 0 || f->n)
		return r;
	if (all != NO_NODE && child(f, 0, "non_trainable_variables") != NO_NODE && f->source->lists)
		return add_list(f, all) < 0 ? -ENOMEM : layers_group(f);
	if (f->source->lists || child(f, 0, "root") == 0)
		return add_children(f);
	return add_models(f);
}

/* ---- reading ---- */

/* The bytes of the object graph, and the graph in them. */
static int read_graph(struct finder *f, struct buf *stored)
{
	struct span message;
	int r;

	pthread_rwlock_rdlock(&f->m->layout);
	r = f->m->format->graph(f->m, stored, &message, f->err);
	pthread_rwlock_unlock(&f->m->layout);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return object_graph_read(message, &f->graph, f->err);
}

static int find_all(struct finder *f)
{
	int r;

	f->walks = 1;
	f->seen = calloc(f->graph.n + 1, sizeof(*f->seen));
	f->steps_left = FLOOR + STEPS_PER_EDGE * f->graph.n_edges;
	if (!f->seen)
		return -ENOMEM;
	r = find_layers(f);
	if (r == 0 && f->tangled)
		r = error_set(f->err, -EFBIG, "the layers of the object graph share too much");
	return r;
}

int layers_read(struct model *m, const struct layers_source *source, struct layers *ret,
		struct error *err)
{
	struct finder f = {.m = m, .source = source, .err = err};
	cleanup_buf struct buf stored = {0};
	int r = read_graph(&f, &stored);

	if (r == 0)
		r = find_all(&f);
	if (r == 0)
		r = layers_name(&f, ret);
	object_graph_release(&f.graph);
	free(f.layers);
	free(f.weights);
	free(f.seen);
	return r;
}

void layers_release(struct layers *l)
{
	arena_release(&l->arena);
	*l = (struct layers){0};
}
