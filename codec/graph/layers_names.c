/*
 * Names of layers and of their weights.
 *
 * A weight's own name is a path: the scopes that were open when it was made, and what it is:
 * net/lstm/lstm_cell/kernel. The outermost scope may be that of the whole model, and the inner
 * ones those of objects within the layer (here: one, the cell).
 */
#include "codec/graph/keras.h"
#include "codec/graph/layers_state.h"
#include "codec/model/names.h"

/* ---- paths ---- */

/* All but the last component; empty if there is one only. */
static struct span parent(struct span path)
{
	const uint8_t *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	return span_first(path, slash ? (size_t)(slash - path.p) : 0);
}

static struct span first_component(struct span path)
{
	const uint8_t *slash = path.n ? memchr(path.p, '/', path.n) : NULL;

	return span_first(path, slash ? (size_t)(slash - path.p) : path.n);
}

/* What follows the folder; the path itself if it is not below it. */
static struct span below(struct span path, struct span folder)
{
	if (folder.n && path.n > folder.n && span_starts(path, folder) && path.p[folder.n] == '/')
		return span_skip(path, folder.n + 1);
	return path;
}

static bool ends_component(struct span path, size_t n)
{
	return n == path.n || path.p[n] == '/';
}

/* The components that two paths begin with. */
static struct span common(struct span a, struct span b)
{
	size_t n = 0;

	while (n < a.n && n < b.n && a.p[n] == b.p[n])
		n++;
	if (ends_component(a, n) && ends_component(b, n))
		return span_first(a, n);
	return parent(span_first(a, n));
}

/* ---- layers ---- */

static struct span own_name(const struct finder *f, const struct found_weight *w)
{
	return model_tensor(f->m, w->tensor)->variable;
}

/* The scopes that all weights of the layer share; without those of objects within it, if so told.
 */
static struct span shared_scopes(const struct finder *f, const struct found_layer *l, bool outer)
{
	struct span shared = {0};
	bool first = true;

	for (size_t i = l->first; i < l->first + l->n; i++) {
		const struct found_weight *w = &f->weights[i];
		struct span scopes = parent(own_name(f, w));

		if (!own_name(f, w).n)
			continue;
		for (uint32_t d = 0; outer && d < w->depth; d++)
			scopes = parent(scopes);
		shared = first ? scopes : common(shared, scopes);
		first = false;
	}
	return shared;
}

/* The scope of the whole model, where all layers with a scope of their own are in it. */
static struct span model_scope(const struct finder *f)
{
	struct span scope = {0};
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct span scopes = shared_scopes(f, &f->layers[i], false);
		struct span first = first_component(scopes);

		if (!scopes.n)
			continue;
		if (first.n == scopes.n || (n && !span_equal(first, scope)))
			return (struct span){0};
		scope = first;
		n++;
	}
	return n > 1 || f->subclassed ? scope : (struct span){0};
}

static void name_by_weights(struct finder *f)
{
	struct span scope = model_scope(f);

	for (size_t i = 0; i < f->n; i++) {
		struct found_layer *l = &f->layers[i];
		struct span outer = shared_scopes(f, l, true), all = shared_scopes(f, l, false);

		if (l->name.p || !l->n)
			continue;
		if (!outer.n || span_equal(outer, scope))
			outer = all;
		l->name = outer.n && !span_equal(outer, scope) ? below(outer, scope) : l->edge;
	}
}

/* ---- what Keras says ---- */

struct name_reader {
	struct finder *f;
	struct layers *out;
	uint32_t *order; /* layers by node */
};

static int compare_nodes(const void *a, const void *b, void *layers)
{
	const struct found_layer *l = layers;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return l[x].node == l[y].node ? (x > y) - (x < y)
				      : (l[x].node > l[y].node) - (l[x].node < l[y].node);
}

/* The first in the order whose node is not before this one. */
static size_t first_of_node(const struct name_reader *r, uint64_t node)
{
	size_t low = 0, high = r->f->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->f->layers[r->order[middle]].node < node)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int take_name(void *context, const struct keras_node *n)
{
	struct name_reader *r = context;
	size_t i = first_of_node(r, n->id);
	cleanup_buf struct buf name = {0};
	struct span copy;
	int found;

	if (i == r->f->n || r->f->layers[r->order[i]].node != n->id || !n->metadata.n)
		return 0;
	found = keras_name(n->metadata, &name);
	if (found <= 0)
		return found;
	copy = arena_copy(&r->out->arena, buf_span(&name));
	if (!copy.p)
		return -ENOMEM;
	for (; i < r->f->n && r->f->layers[r->order[i]].node == n->id; i++)
		r->f->layers[r->order[i]].name = copy;
	return 0;
}

static int read_names(struct finder *f, struct layers *out)
{
	cleanup_free uint32_t *order = calloc(f->n + 1, sizeof(*order));
	struct name_reader reader = {f, out, order};

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->n; i++)
		order[i] = i;
	qsort_r(order, f->n, sizeof(*order), compare_nodes, f->layers);
	return f->source->keras_nodes ? f->source->keras_nodes(f->m, take_name, &reader, f->err)
				      : 0;
}

/* ---- Keras 3 ---- */

struct grouping {
	struct span *names; /* of the layer of each weight; empty: of none */
	uint32_t *order, *first;
};

/* By name, then as they stand. */
static int compare_groups(const void *a, const void *b, void *grouping)
{
	const struct grouping *g = grouping;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int c = span_compare(g->names[x], g->names[y]);

	return c ? c : (x > y) - (x < y);
}

/* By the first weight of the layer, then as they stand. */
static int compare_firsts(const void *a, const void *b, void *grouping)
{
	const struct grouping *g = grouping;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int c = (g->first[x] > g->first[y]) - (g->first[x] < g->first[y]);

	return c ? c : (x > y) - (x < y);
}

/* The state of random generators is no weight. */
static bool is_weight(struct span name)
{
	return parent(name).n && !memmem(name.p, name.n, "seed_generator", 14);
}

/* The scope of the model: each weight has that one, one of a layer, and what it is. */
static struct span scope_of_all(const struct finder *f)
{
	struct span scope = {0};

	for (size_t i = 0; i < f->n_weights; i++) {
		struct span name = own_name(f, &f->weights[i]), first = first_component(name);

		if (!is_weight(name))
			continue;
		if (!parent(parent(name)).n || (scope.p && !span_equal(first, scope)))
			return (struct span){0};
		scope = first;
	}
	return scope;
}

static void sort_groups(const struct finder *f, struct grouping *g)
{
	struct span scope = scope_of_all(f);
	size_t n = f->n_weights;

	for (uint32_t i = 0; i < n; i++) {
		struct span name = own_name(f, &f->weights[i]);

		g->order[i] = i;
		if (is_weight(name))
			g->names[i] = first_component(below(name, scope));
	}
	qsort_r(g->order, n, sizeof(*g->order), compare_groups, g);
	for (size_t i = 0; i < n; i++) {
		bool same = i && span_equal(g->names[g->order[i]], g->names[g->order[i - 1]]);

		g->first[g->order[i]] = same ? g->first[g->order[i - 1]] : g->order[i];
	}
	qsort_r(g->order, n, sizeof(*g->order), compare_firsts, g);
}

/* Puts the weights into that order, and a layer before each group. */
static int take_groups(struct finder *f, const struct grouping *g)
{
	struct found_weight *all = f->weights;
	size_t n = f->n_weights;
	uint32_t last = UINT32_MAX;

	f->weights = calloc(n + 1, sizeof(*f->weights));
	f->layers = calloc(n + 1, sizeof(*f->layers));
	f->n_weights = 0;
	for (size_t i = 0; f->weights && f->layers && i < n; i++) {
		uint32_t k = g->order[i];

		if (!g->names[k].n)
			continue;
		if (g->first[k] != last)
			f->layers[f->n++] = (struct found_layer){
				.node = UINT32_MAX, .name = g->names[k], .first = f->n_weights};
		last = g->first[k];
		f->weights[f->n_weights++] = all[k];
		f->layers[f->n - 1].n++;
	}
	free(all);
	return f->weights && f->layers ? 0 : -ENOMEM;
}

int layers_group(struct finder *f)
{
	size_t n = f->n_weights + 1;
	cleanup_free struct span *names = calloc(n, sizeof(*names));
	cleanup_free uint32_t *order = calloc(n, sizeof(*order)),
			      *first = calloc(n, sizeof(*first));
	struct grouping g = {names, order, first};

	if (!names || !order || !first)
		return -ENOMEM;
	sort_groups(f, &g);
	return take_groups(f, &g);
}

/* ---- what is given out ---- */

/* A path in one component. */
static struct span flatten(struct arena *arena, struct span path)
{
	struct span copy = arena_copy(arena, path);
	uint8_t *p = (uint8_t *)(uintptr_t)copy.p;

	for (size_t i = 0; p && i < copy.n; i++)
		if (p[i] == '/')
			p[i] = '.';
	return copy;
}

/* Makes n names unique, in place. */
static int number(struct arena *arena, struct span *names, size_t n)
{
	cleanup_free uint32_t *numbers = calloc(n + 1, sizeof(*numbers));
	int r = numbers ? names_number(names, n, numbers) : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++) {
		cleanup_buf struct buf text = {0};

		if (numbers[i] == 1)
			continue;
		name_add(&text, names[i], numbers[i]);
		names[i] = arena_copy(arena, buf_span(&text));
		r = names[i].p ? 0 : -ENOMEM;
	}
	return r;
}

/* A weight without a name of its own has one in the graph; in a list, its key must do. */
static struct span weight_name(const struct finder *f, const struct found_weight *w,
			       struct span scopes)
{
	struct span key = model_tensor(f->m, w->tensor)->key;
	struct span own = own_name(f, w);

	if (own.n)
		return below(own, scopes);
	if (w->edge.n)
		return w->edge;
	return parent(parent(key)).n ? below(parent(parent(key)), parent(parent(parent(key))))
				     : key;
}

static int name_weights(const struct finder *f, const struct found_layer *l, struct layers *out)
{
	cleanup_free struct span *names = calloc(l->n + 1, sizeof(*names));
	struct span scopes = shared_scopes(f, l, false);
	int r = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		const struct found_weight *w = &f->weights[l->first + i];

		names[i] = flatten(&out->arena, weight_name(f, w, scopes));
		if (!names[i].p)
			return -ENOMEM;
	}
	r = number(&out->arena, names, l->n);
	for (size_t i = 0; i < l->n && r == 0; i++)
		out->weights[out->n_weights++] = (struct layer_weight){
			.tensor = f->weights[l->first + i].tensor,
			.name = names[i],
		};
	return r;
}

static int name_layers(const struct finder *f, struct layers *out)
{
	cleanup_free struct span *names = calloc(f->n + 1, sizeof(*names));
	int r = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < f->n && r == 0; i++) {
		const struct found_layer *l = &f->layers[i];

		if (!l->name.n)
			continue;
		names[out->n] = flatten(&out->arena, l->name);
		out->layers[out->n++] = (struct layer){.first = out->n_weights, .n = l->n};
		r = names[out->n - 1].p ? name_weights(f, l, out) : -ENOMEM;
	}
	if (r == 0)
		r = number(&out->arena, names, out->n);
	for (size_t i = 0; i < out->n; i++)
		out->layers[i].name = names[i];
	return r;
}

int layers_name(struct finder *f, struct layers *out)
{
	int r = read_names(f, out);

	if (r < 0)
		return r;
	name_by_weights(f);
	out->layers = arena_alloc(&out->arena, (f->n + 1) * sizeof(*out->layers));
	out->weights = arena_alloc(&out->arena, (f->n_weights + 1) * sizeof(*out->weights));
	return out->layers && out->weights ? name_layers(f, out) : -ENOMEM;
}
