#include <stdio.h>

#include "codec/bundle/graph_edit_state.h"

/* Whether the graph is looked at as it was read, or as it is now. */
enum when { BEFORE, NOW };

static bool is_there(enum fate fate, enum when when)
{
	return when == BEFORE ? fate != ADDED : fate != GONE;
}

/* What leads from one node to others, or to it: the CSR form of a graph. */
struct ways {
	uint32_t *first; /* by node; n + 1 of them */
	uint32_t *to;
};

static void ways_release(struct ways *w)
{
	free(w->first);
	free(w->to);
}

static void add_way(struct ways *w, uint32_t from, uint32_t to, bool count)
{
	if (count)
		w->first[from + 1]++;
	else
		w->to[w->first[from]++] = to;
}

/* A slot is a way from the optimizer to the slot variable. backward: all of them turned round. */
static void add_ways(const struct graph_editor *g, enum when when, bool backward, struct ways *w,
		     bool count)
{
	for (size_t i = 0; i < g->n_edges; i++) {
		const struct edit_edge *e = &g->edges[i];

		if (is_there(e->fate, when))
			add_way(w, backward ? e->to : e->from, backward ? e->from : e->to, count);
	}
	for (size_t i = 0; i < g->n_slots; i++) {
		const struct edit_slot *s = &g->slots[i];

		if (is_there(s->fate, when))
			add_way(w, backward ? s->variable : s->from,
				backward ? s->from : s->variable, count);
	}
}

static int ways_init(struct ways *w, const struct graph_editor *g, enum when when, bool backward)
{
	w->first = calloc(g->n_nodes + 2, sizeof(*w->first));
	w->to = calloc(g->n_edges + g->n_slots + 1, sizeof(*w->to));
	if (!w->first || !w->to)
		return -ENOMEM;
	add_ways(g, when, backward, w, true);
	for (size_t i = 0; i < g->n_nodes; i++)
		w->first[i + 1] += w->first[i];
	add_ways(g, when, backward, w, false);
	/* Filling has moved each beginning to its end, which is where the next one begins. */
	memmove(w->first + 1, w->first, g->n_nodes * sizeof(*w->first));
	w->first[0] = 0;
	return 0;
}

/* Marks all that can be reached from what is marked. */
static int spread(const struct graph_editor *g, enum when when, bool backward, bool *marks)
{
	uint32_t *queue = calloc(g->n_nodes + 1, sizeof(*queue));
	struct ways w = {0};
	size_t n = 0;
	int r = queue ? ways_init(&w, g, when, backward) : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < g->n_nodes; i++)
		if (marks[i])
			queue[n++] = i;
	while (r == 0 && n) {
		uint32_t node = queue[--n];

		for (uint32_t i = w.first[node]; i < w.first[node + 1]; i++) {
			if (marks[w.to[i]])
				continue;
			marks[w.to[i]] = true;
			queue[n++] = w.to[i];
		}
	}
	ways_release(&w);
	free(queue);
	return r;
}

/* Marks the nodes that lead to an attribute, themselves included. */
static int mark_useful(const struct graph_editor *g, enum when when, bool *marks)
{
	for (size_t i = 0; i < g->n_attributes; i++)
		if (is_there(g->attributes[i].fate, when))
			marks[g->attributes[i].node] = true;
	return spread(g, when, true, marks);
}

static int mark_reached(const struct graph_editor *g, enum when when, bool *marks)
{
	if (g->n_nodes)
		marks[0] = true;
	return spread(g, when, false, marks);
}

static void clear_node(struct graph_editor *g, uint32_t node)
{
	g->nodes[node].touched = true;
	g->nodes[node].cleared = true;
}

/* Whatever speaks of a node that is cleared goes; so does all that a cleared node says. */
static void drop_what_is_cleared(struct graph_editor *g)
{
	for (size_t i = 0; i < g->n_edges; i++)
		if (g->nodes[g->edges[i].to].cleared || g->nodes[g->edges[i].from].cleared)
			editor_drop_edge(g, &g->edges[i]);
	for (size_t i = 0; i < g->n_attributes; i++)
		if (g->nodes[g->attributes[i].node].cleared)
			g->attributes[i].fate = GONE;
	for (size_t i = 0; i < g->n_slots; i++) {
		struct edit_slot *s = &g->slots[i];

		if (!g->nodes[s->variable].cleared && !g->nodes[s->original].cleared &&
		    !g->nodes[s->from].cleared)
			continue;
		s->fate = GONE;
		g->nodes[s->from].touched = true;
	}
}

/* Clears the nodes that were marked before and are not marked now; true if there was one. */
static int clear_difference(struct graph_editor *g,
			    int (*mark)(const struct graph_editor *, enum when, bool *))
{
	bool *before = calloc(g->n_nodes + 1, sizeof(*before));
	bool *now = calloc(g->n_nodes + 1, sizeof(*now));
	int r = before && now ? mark(g, BEFORE, before) : -ENOMEM;

	if (r == 0)
		r = mark(g, NOW, now);
	for (uint32_t i = 1; r >= 0 && i < g->n_nodes; i++) {
		if (!before[i] || now[i] || g->nodes[i].cleared)
			continue;
		clear_node(g, i);
		r = 1;
	}
	free(before);
	free(now);
	if (r > 0)
		drop_what_is_cleared(g);
	return r;
}

/* ---- lists of optimizers ---- */

static bool is_number(struct span name, uint64_t *ret)
{
	uint64_t v = 0;

	if (!name.n || name.n > 9)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] < '0' || name.p[i] > '9')
			return false;
		v = 10 * v + (uint64_t)(name.p[i] - '0');
	}
	*ret = v;
	return true;
}

/* A list all of whose edges are numbers, and that lost one of them. */
static bool is_list_with_a_gap(const struct graph_editor *g, uint32_t node)
{
	struct edit_range range = g->nodes[node].edges;
	bool lost = false;
	uint64_t number;

	for (uint32_t i = range.first; i < range.first + range.n; i++) {
		if (!is_number(g->edges[i].name, &number))
			return false;
		lost |= g->edges[i].fate == GONE;
	}
	return lost;
}

struct position {
	uint64_t number;
	uint32_t edge;
};

static int compare_positions(const void *one, const void *other)
{
	const struct position *a = one, *b = other;

	return (a->number > b->number) - (a->number < b->number);
}

static int close_list(struct graph_editor *g, uint32_t node)
{
	struct edit_range range = g->nodes[node].edges;
	struct position *left = calloc(range.n + 1, sizeof(*left));
	size_t n = 0;
	int r = left ? 0 : -ENOMEM;

	for (uint32_t i = range.first; r == 0 && i < range.first + range.n; i++) {
		if (g->edges[i].fate == GONE || !is_number(g->edges[i].name, &left[n].number))
			continue;
		left[n++].edge = i;
	}
	if (n)
		qsort(left, n, sizeof(*left), compare_positions);
	for (size_t i = 0; r == 0 && i < n; i++) {
		char name[24];
		struct span kept;

		if (left[i].number == i)
			continue;
		kept = arena_copy(&g->arena,
				  span_of(name, (size_t)snprintf(name, sizeof(name), "%zu", i)));
		r = kept.p ? editor_rename_edge(g, &g->edges[left[i].edge], kept) : -ENOMEM;
	}
	free(left);
	g->report.closed++;
	return r;
}

/* The lists of what has a list `_variables`: no other object of TensorFlow's has one. */
static int close_lists(struct graph_editor *g)
{
	int r = 0;

	for (uint32_t node = 0; node < g->n_nodes && r == 0; node++) {
		struct edit_range range = g->nodes[node].edges;

		if (!editor_find(g, node, span_str("_variables")))
			continue;
		for (uint32_t i = range.first; i < range.first + range.n && r == 0; i++)
			if (g->edges[i].fate != GONE && is_list_with_a_gap(g, g->edges[i].to))
				r = close_list(g, g->edges[i].to);
	}
	return r;
}

int editor_prune(struct graph_editor *g)
{
	int r = clear_difference(g, mark_useful);

	if (r >= 0)
		r = clear_difference(g, mark_reached);
	return r < 0 ? r : close_lists(g);
}
