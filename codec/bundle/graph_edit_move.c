/*
 * Where edges lead after a rename. The paths of all objects are sorted, so what lies below a path
 * stands together. From the root down it is asked of every path where it goes: where all that lies
 * below it goes, if that is one place; else it stays with its parent, and what lies below is asked
 * by itself. A path that does not go where its parent goes is a move: one edge that is led
 * elsewhere. All moves are taken out of the graph before the first one is put in again.
 */
#include "codec/bundle/graph_edit_state.h"

enum { DEPTH_MAX = 256 }; /* of paths that are edited; the view shows none deeper */

/* The edge at the end of an old path, and the path at whose end it is to be. */
struct move {
	uint32_t edge;
	struct span to;
	size_t depth; /* components of `to` */
};

struct mover {
	struct graph_editor *g;
	const struct edit_leaf *leaves;
	struct move *moves;
	size_t n, capacity;
};

/* ---- paths ---- */

static size_t component(struct span path, size_t at)
{
	const uint8_t *slash = memchr(path.p + at, '/', path.n - at);

	return slash ? (size_t)(slash - path.p) - at : path.n - at;
}

/* What a component is called in the graph: "." is written "..", "/" is written ".S". */
static struct span unescape(struct graph_editor *g, struct span escaped)
{
	uint8_t *name;
	size_t n = 0;

	if (!escaped.n || !memchr(escaped.p, '.', escaped.n))
		return escaped;
	name = arena_alloc(&g->arena, escaped.n);
	for (size_t i = 0; name && i < escaped.n; i++) {
		bool pair = escaped.p[i] == '.' && i + 1 < escaped.n;

		name[n++] = pair && escaped.p[i + 1] == 'S' ? '/' : escaped.p[i];
		i += pair && (escaped.p[i + 1] == 'S' || escaped.p[i + 1] == '.');
	}
	return span_of(name, name ? n : 0);
}

/* As bytes, but '/' comes before everything: what lies below a path stands behind it. */
static int compare_paths(const void *one, const void *other)
{
	struct span a = ((const struct edit_leaf *)one)->from;
	struct span b = ((const struct edit_leaf *)other)->from;

	for (size_t i = 0; i < a.n && i < b.n; i++) {
		int x = a.p[i] == '/' ? -1 : a.p[i], y = b.p[i] == '/' ? -1 : b.p[i];

		if (x != y)
			return x - y;
	}
	return (a.n > b.n) - (a.n < b.n);
}

static size_t depth_of(struct span path)
{
	size_t n = 1;

	for (size_t i = 0; i < path.n; i++)
		n += path.p[i] == '/';
	return n;
}

/* The path without its last component; `last` is that one. */
static struct span parent_of(struct span path, struct span *last)
{
	size_t at = path.n;

	while (at && path.p[at - 1] != '/')
		at--;
	*last = span_skip(path, at);
	return span_first(path, at ? at - 1 : 0);
}

static int step(struct graph_editor *g, uint32_t from, struct span name, bool make, uint32_t *ret)
{
	struct edit_edge *e = editor_find(g, from, name);
	struct edit_edge made = {.from = from, .name = name, .fate = ADDED};
	int r;

	*ret = e ? e->to : NO_NODE;
	if (e || !make)
		return 0;
	r = editor_add_node(g, (struct span){0}, &made.to);
	if (r == 0)
		r = editor_add_edge(g, &made);
	if (r < 0)
		return r;
	g->nodes[from].touched = true;
	*ret = made.to;
	return 0;
}

int editor_walk(struct graph_editor *g, struct span path, bool make, uint32_t *ret)
{
	uint32_t node = g->n_nodes ? 0 : NO_NODE;
	int r = 0;

	for (size_t at = 0, n; at < path.n && node != NO_NODE && r == 0; at += n + 1) {
		struct span name;

		n = component(path, at);
		name = unescape(g, span_of(path.p + at, n));
		r = name.p ? step(g, node, name, make, &node) : -ENOMEM;
	}
	*ret = node;
	return r;
}

/* ---- what moves ---- */

static int add_move(struct mover *m, uint32_t edge, struct span to)
{
	struct move *grown = vector_grow(m->moves, m->n, &m->capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	m->moves = grown;
	grown[m->n++] = (struct move){edge, to, depth_of(to)};
	return 0;
}

/*
 * Where the leaves [from, to) have the first `old` bytes of their paths in common: what these bytes
 * become, if that is one thing for all that stay; p NULL: it is not. *ret_any: one stays.
 */
static struct span common_target(const struct mover *m, size_t from, size_t to, size_t old,
				 bool *ret_any)
{
	struct span target = {0};

	*ret_any = false;
	for (size_t i = from; i < to; i++) {
		struct span rest = span_skip(m->leaves[i].from, old);
		struct span now = m->leaves[i].to;

		if (!now.p)
			continue;
		if (!span_ends(now, rest) ||
		    (*ret_any && !span_equal(target, span_first(now, now.n - rest.n))))
			return (struct span){.n = (*ret_any = true)};
		target = span_first(now, now.n - rest.n);
		*ret_any = true;
	}
	return target;
}

/* Where the object goes whose own path the first of the leaves may be; p NULL: no such object. */
static struct span own_target(const struct mover *m, size_t from, size_t to, size_t old)
{
	for (size_t i = from; i < to && m->leaves[i].from.n == old; i++)
		if (m->leaves[i].to.p)
			return m->leaves[i].to;
	return (struct span){0};
}

static struct span join(struct graph_editor *g, struct span folder, struct span name)
{
	size_t slash = folder.n ? 1 : 0;
	uint8_t *p = arena_alloc(&g->arena, folder.n + slash + name.n + 1);

	if (!p)
		return (struct span){0};
	if (folder.n)
		memcpy(p, folder.p, folder.n);
	p[folder.n] = '/';
	if (name.n)
		memcpy(p + folder.n + slash, name.p, name.n);
	return span_of(p, folder.n + slash + name.n);
}

static int find_moves(struct mover *m, size_t from, size_t to, size_t old, uint32_t node,
		      struct span now, unsigned depth);

/* The leaves below one child of a node: `old` bytes in common, the last component being `name`. */
static int find_moves_of_child(struct mover *m, size_t from, size_t to, size_t old,
			       struct span name, uint32_t node, struct span parent_now,
			       unsigned depth)
{
	struct span called = unescape(m->g, name), target, stays;
	struct edit_edge *e = called.p ? editor_find(m->g, node, called) : NULL;
	uint32_t child = e ? e->to : NO_NODE;
	bool any, one_place;
	int r = 0;

	target = common_target(m, from, to, old, &any);
	stays = join(m->g, parent_now, name);
	if (!called.p || !stays.p)
		return -ENOMEM;
	if (!any || !e)
		return 0;
	one_place = target.p;
	if (!target.p)
		target = own_target(m, from, to, old);
	if (!target.p)
		target = stays;
	if (!span_equal(target, stays))
		r = add_move(m, (uint32_t)(e - m->g->edges), target);
	if (r < 0 || one_place)
		return r;
	return find_moves(m, from, to, old, child, target, depth + 1);
}

/* The leaves [from, to) lie at or below a node whose path had `old` bytes and is `now`. */
static int find_moves(struct mover *m, size_t from, size_t to, size_t old, uint32_t node,
		      struct span now, unsigned depth)
{
	int r = 0;

	while (from < to && m->leaves[from].from.n <= old)
		from++;
	if (depth > DEPTH_MAX)
		return 0;
	for (size_t next; from < to && r == 0; from = next) {
		struct span path = m->leaves[from].from;
		size_t at = old + (depth ? 1 : 0), n = component(path, at);
		struct span head = span_first(path, at + n);

		for (next = from + 1; next < to; next++) {
			struct span other = m->leaves[next].from;

			if (!span_starts(other, head) ||
			    (other.n > head.n && other.p[head.n] != '/'))
				break;
		}
		r = find_moves_of_child(m, from, next, head.n, span_skip(head, at), node, now,
					depth);
	}
	return r;
}

/* ---- moving ---- */

static int compare_depth(const void *one, const void *other)
{
	const struct move *a = one, *b = other;

	return a->depth != b->depth ? (a->depth > b->depth) - (a->depth < b->depth)
				    : (a->edge > b->edge) - (a->edge < b->edge);
}

/* An edge that was taken out comes back under its new name, at another node maybe. */
static int put_in(struct graph_editor *g, const struct move *move)
{
	struct span last, folder = parent_of(move->to, &last);
	struct edit_edge moved = {.name = unescape(g, last), .fate = ADDED};
	struct edit_edge *there;
	int r;

	if (!moved.name.p)
		return -ENOMEM;
	moved.to = g->edges[move->edge].to;
	r = editor_walk(g, folder, true, &moved.from);
	if (r < 0)
		return r;
	there = editor_find(g, moved.from, moved.name);
	if (there)
		editor_drop_edge(g, there);
	g->nodes[moved.from].touched = true;
	if (moved.from == g->edges[move->edge].from)
		return g->edges[move->edge].fate = KEPT,
		       editor_rename_edge(g, &g->edges[move->edge], moved.name);
	return editor_add_edge(g, &moved);
}

int editor_move(struct graph_editor *g, struct edit_leaf *leaves, size_t n)
{
	struct mover m = {.g = g, .leaves = leaves};
	int r;

	if (!n || !g->n_nodes)
		return 0;
	qsort(leaves, n, sizeof(*leaves), compare_paths);
	r = find_moves(&m, 0, n, 0, 0, span_of("", 0), 0);
	if (m.n)
		qsort(m.moves, m.n, sizeof(*m.moves), compare_depth);
	for (size_t i = 0; i < m.n && r == 0; i++)
		editor_drop_edge(g, &g->edges[m.moves[i].edge]);
	for (size_t i = 0; i < m.n && r == 0; i++)
		r = put_in(g, &m.moves[i]);
	free(m.moves);
	return r;
}
