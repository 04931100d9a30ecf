#include "codec/bundle/graph_edit_state.h"

static const char tail[] = "/.ATTRIBUTES/", slot_mark[] = "/.OPTIMIZER_SLOT/";

/* The place of text in s, or NULL. */
static const uint8_t *find(struct span s, const char *text)
{
	return s.n ? memmem(s.p, s.n, text, strlen(text)) : NULL;
}

/* The key without "/.ATTRIBUTES/..." (*ret_name: what stands behind that); p NULL: it has none. */
static struct span object_path(struct span key, struct span *ret_name)
{
	const uint8_t *at = find(key, tail);
	size_t n = at ? (size_t)(at - key.p) : 0;

	if (!at)
		return (struct span){0};
	*ret_name = span_skip(key, n + strlen(tail));
	return span_first(key, n);
}

/* X/.OPTIMIZER_SLOT/optimizer/slot, taken apart. False: it is the path of no slot. */
static bool slot_path(struct span path, struct span *variable, struct span *optimizer,
		      struct span *slot)
{
	const uint8_t *mark = find(path, slot_mark), *slash;
	struct span rest;

	if (!mark)
		return false;
	*variable = span_first(path, (size_t)(mark - path.p));
	rest = span_skip(path, variable->n + strlen(slot_mark));
	slash = memrchr(rest.p, '/', rest.n);
	if (!slash)
		return false;
	*optimizer = span_first(rest, (size_t)(slash - rest.p));
	*slot = span_skip(rest, optimizer->n + 1);
	return true;
}

static struct span last_part(struct span name)
{
	const uint8_t *slash = name.n ? memrchr(name.p, '/', name.n) : NULL;

	return slash ? span_skip(name, (size_t)(slash - name.p) + 1) : name;
}

/* ---- changes of attributes ---- */

static int compare_from(const void *one, const void *other)
{
	return span_compare(((const struct key_change *)one)->from,
			    ((const struct key_change *)other)->from);
}

/*
 * The change of the keys that an attribute stands for, or NULL. Its checkpoint_key is a key of the
 * bundle, or, of a lookup table, what KEY-keys and KEY-values have in common: *ret_suffix.
 */
static const struct key_change *find_change(const struct key_change *changes, size_t n,
					    struct span key, struct span *ret_suffix)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (span_compare(changes[middle].from, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n && span_starts(changes[low].from, key); low++) {
		struct span suffix = span_skip(changes[low].from, key.n);

		if (suffix.n && suffix.p[0] != '-')
			continue;
		*ret_suffix = suffix;
		return &changes[low];
	}
	return NULL;
}

static struct span new_full_name(struct graph_editor *g, const struct edit_attribute *a,
				 struct span from, struct span to)
{
	struct span old = last_part(from), now = last_part(to), kept;
	uint8_t *p;

	if (!span_equal(last_part(a->full_name), old) || span_equal(old, now) || !old.n)
		return a->full_name;
	kept = span_first(a->full_name, a->full_name.n - old.n);
	p = arena_alloc(&g->arena, kept.n + now.n);
	if (!p)
		return a->full_name;
	if (kept.n)
		memcpy(p, kept.p, kept.n);
	if (now.n)
		memcpy(p + kept.n, now.p, now.n);
	return span_of(p, kept.n + now.n);
}

/* The key that a change makes of an attribute's; p NULL: the attribute goes. */
static struct span new_key(const struct key_change *c, struct span suffix)
{
	if (!c->to.p || !span_ends(c->to, suffix) || !find(c->to, tail))
		return (struct span){0};
	return span_first(c->to, c->to.n - suffix.n);
}

static void change_attribute(struct graph_editor *g, struct edit_attribute *a, struct span key)
{
	struct span was = {0}, name = {0}, from = object_path(a->key, &was);
	struct span to = key.p ? object_path(key, &name) : key;

	g->nodes[a->node].touched = true;
	if (!key.p) {
		a->fate = GONE;
		return;
	}
	if (!find(from, slot_mark))
		a->full_name = new_full_name(g, a, from, to);
	if (span_equal(a->name, was))
		a->name = name;
	a->key = key;
	a->fate = CHANGED;
}

/*
 * Changes the attributes; notes of each object its old and new path. Those of slots are no paths in
 * the graph.
 */
static size_t change_attributes(struct graph_editor *g, const struct key_change *changes, size_t n,
				struct edit_leaf *leaves)
{
	size_t n_leaves = 0;

	for (size_t i = 0; i < g->n_attributes; i++) {
		struct edit_attribute *a = &g->attributes[i];
		struct span name, suffix, from = object_path(a->key, &name);
		const struct key_change *c = find_change(changes, n, a->key, &suffix);

		if (c)
			change_attribute(g, a, new_key(c, suffix));
		if (!from.p || find(from, slot_mark))
			continue;
		leaves[n_leaves++] = (struct edit_leaf){
			.from = from,
			.to = a->fate == GONE ? (struct span){0} : object_path(a->key, &name),
		};
	}
	return n_leaves;
}

/* ---- slots ---- */

/* The slot whose variable was renamed follows its key: other names, or another variable. */
static int move_slot(struct graph_editor *g, struct edit_slot *s, struct span path)
{
	struct span variable, optimizer, name;
	uint32_t original, from;
	struct edit_slot now;
	int r;

	if (!slot_path(path, &variable, &optimizer, &name))
		return 0;
	r = editor_walk(g, variable, false, &original);
	if (r == 0)
		r = editor_walk(g, optimizer, false, &from);
	if (r < 0 || original == NO_NODE || from == NO_NODE)
		return r;
	if (s->original == original && s->from == from && span_equal(s->name, name))
		return 0;
	now = (struct edit_slot){from, original, s->variable, name, ADDED};
	g->nodes[s->from].touched = g->nodes[from].touched = true;
	if (s->from != from) {
		s->fate = GONE;
		return editor_add_slot(g, &now);
	}
	now.fate = CHANGED;
	*s = now;
	return 0;
}

static int compare_node(const void *one, const void *other)
{
	const struct edit_attribute *const *a = one, *const *b = other;

	return ((*a)->node > (*b)->node) - ((*a)->node < (*b)->node);
}

/* Of each slot whose key was changed. */
static int move_slots(struct graph_editor *g)
{
	struct edit_attribute **changed = calloc(g->n_attributes + 1, sizeof(*changed));
	size_t n = 0, n_slots = g->n_slots;
	int r = changed ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < g->n_attributes; i++)
		if (g->attributes[i].fate == CHANGED && find(g->attributes[i].key, slot_mark))
			changed[n++] = &g->attributes[i];
	if (n)
		qsort(changed, n, sizeof(struct edit_attribute *), compare_node);
	for (size_t i = 0; r == 0 && n && i < n_slots; i++) {
		struct edit_attribute of = {.node = g->slots[i].variable}, *key = &of, **found;
		struct span name;

		found = bsearch(&key, changed, n, sizeof(struct edit_attribute *), compare_node);
		if (found)
			r = move_slot(g, &g->slots[i], object_path((*found)->key, &name));
	}
	free(changed);
	return r;
}

/* ---- what is new ---- */

static int give_key(struct graph_editor *g, uint32_t node, struct span name, struct span full_name,
		    struct span key)
{
	g->nodes[node].touched = true;
	return editor_add_attribute(g, &(struct edit_attribute){
					       .node = node,
					       .name = name,
					       .full_name = full_name,
					       .key = key,
					       .fate = ADDED,
				       });
}

/* A slot of an optimizer that is there, of a variable that is there. */
static int create_slot(struct graph_editor *g, struct span path, struct span name, struct span key)
{
	struct edit_slot s = {.fate = ADDED};
	struct span variable, optimizer;
	int r;

	if (!slot_path(path, &variable, &optimizer, &s.name)) {
		g->report.unplaced++;
		return 0;
	}
	r = editor_walk(g, variable, false, &s.original);
	if (r == 0)
		r = editor_walk(g, optimizer, false, &s.from);
	if (r < 0)
		return r;
	if (s.original == NO_NODE || s.from == NO_NODE) {
		g->report.unplaced++;
		return 0;
	}
	r = editor_add_node(g, (struct span){0}, &s.variable);
	if (r == 0)
		r = editor_add_slot(g, &s);
	g->nodes[s.from].touched = true;
	return r < 0 ? r : give_key(g, s.variable, name, (struct span){0}, key);
}

static int create(struct graph_editor *g, struct span key)
{
	struct span name, path = object_path(key, &name);
	uint32_t node;
	int r;

	if (!path.n || !span_is(name, "VARIABLE_VALUE")) {
		g->report.unplaced++;
		return 0;
	}
	if (find(path, slot_mark))
		return create_slot(g, path, name, key);
	r = editor_walk(g, path, true, &node);
	return r < 0 ? r : give_key(g, node, name, path, key);
}

/* Variables first: slots ask for them. */
static int create_all(struct graph_editor *g, const struct key_change *changes, size_t n)
{
	int r = 0;

	for (int slots = 0; slots < 2; slots++)
		for (size_t i = 0; i < n && r == 0; i++)
			if (!changes[i].from.p && changes[i].to.p &&
			    !find(changes[i].to, slot_mark) == !slots)
				r = create(g, changes[i].to);
	return r;
}

/* ---- the whole ---- */

static int edit(struct graph_editor *g, const struct key_change *changes, size_t n)
{
	struct edit_leaf *leaves = calloc(g->n_attributes + 1, sizeof(*leaves));
	size_t n_leaves;
	int r;

	if (!leaves)
		return -ENOMEM;
	n_leaves = change_attributes(g, changes, n, leaves);
	r = editor_move(g, leaves, n_leaves);
	free(leaves);
	if (r == 0)
		r = create_all(g, changes, n);
	if (r == 0)
		r = move_slots(g);
	return r < 0 ? r : editor_prune(g);
}

int graph_edit(struct span graph, const struct key_change *changes, size_t n, struct buf *out,
	       struct graph_edit_report *ret, struct error *err)
{
	struct key_change *sorted = calloc(n + 1, sizeof(*sorted));
	struct graph_editor g = {.err = err};
	int r = sorted ? editor_read(&g, graph) : -ENOMEM;

	if (r == 0 && n) {
		memcpy(sorted, changes, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), compare_from);
	}
	if (r == 0)
		r = edit(&g, sorted, n);
	if (r == 0)
		r = editor_write(&g, graph, out);
	if (r == 0)
		*ret = g.report;
	editor_release(&g);
	free(sorted);
	return r;
}
