/* The object graph of a checkpoint, as it stands in the bundle. */
#include "codec/base/json.h"
#include "codec/bundle/graph_edit.h"
#include "codec/graph/object_graph.h"
#include "codec/saved_model/object_match.h"
#include "fuzz.h"

static bool lies_in(struct span part, struct span whole)
{
	return !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static int each(void *graph, const struct graph_attribute *a)
{
	const struct span *whole = graph;

	MUST(lies_in(a->name, *whole) && lies_in(a->full_name, *whole) && lies_in(a->key, *whole));
	return 0;
}

static int each_edge(void *graph, const struct graph_edge *e)
{
	const struct span *whole = graph;

	MUST(lies_in(e->name, *whole));
	return 0;
}

/* ---- edited ---- */

enum { CHANGES = 6 };

struct edit {
	struct key_change changes[CHANGES];
	size_t n;
	struct buf keys[CHANGES];
};

/* The first keys are renamed to each other, into folders, or removed: the input says which. */
static int choose(void *context, const struct graph_attribute *a)
{
	struct edit *e = context;
	struct key_change *c = &e->changes[e->n];
	struct buf *key = &e->keys[e->n];

	if (e->n == CHANGES || !a->key.n)
		return 0;
	for (size_t i = 0; i < e->n; i++)
		if (span_equal(e->changes[i].from, a->key))
			return 0;
	c->from = a->key;
	if (a->key.n % 4 == 3) {
		e->n++;
		return 0;
	}
	if (a->key.n % 4 == 2)
		c->from = (struct span){0};
	buf_printf(key, a->key.n % 2 ? "n/%zu" : "%zu/x", e->n);
	buf_add(key, span_skip(a->key, a->key.n / 2));
	buf_add_str(key, "/.ATTRIBUTES/VARIABLE_VALUE");
	c->to = buf_span(key);
	e->n++;
	return 0;
}

static int must_not_be_removed(void *context, const struct graph_attribute *a)
{
	const struct edit *e = context;

	for (size_t i = 0; i < e->n; i++)
		MUST(e->changes[i].to.p || !span_equal(e->changes[i].from, a->key));
	return 0;
}

static void edit_graph(struct span graph)
{
	cleanup_buf struct buf out = {0}, again = {0};
	struct graph_edit_report report;
	struct error err = {0};
	struct edit e = {0};
	const struct graph_visitor chooser = {.attribute = choose, .context = &e};
	const struct graph_visitor judge = {.attribute = must_not_be_removed, .context = &e};
	size_t nodes;
	int r;

	object_graph_walk(graph, &chooser, &err);
	r = graph_edit(graph, e.changes, e.n, &out, &report, &err);
	MUST(r == 0 || (r == -EBADMSG && err.text[0]));
	if (r == 0) {
		MUST(object_graph_check(buf_span(&out), &nodes, &err) == 0);
		MUST(object_graph_walk(buf_span(&out), &judge, &err) == 0);
		MUST(graph_edit(buf_span(&out), NULL, 0, &again, &report, &err) == 0);
		MUST(span_equal(buf_span(&out), buf_span(&again)));
	}
	for (size_t i = 0; i < CHANGES; i++)
		buf_release(&e.keys[i]);
}

/* A graph with itself: what is reached from the root is its own partner, or another's. */
static void match_graph(struct span graph, size_t n)
{
	cleanup_match struct object_match m = {0};
	struct error err = {0};

	if (object_match(graph, graph, &m, &err) < 0)
		return;
	MUST(m.n_checkpoint == m.n_saved && m.n_saved >= n);
	for (uint32_t i = 0; i < m.n_saved; i++)
		MUST(m.saved_of[i] == OBJECT_NOBODY || m.checkpoint_of[m.saved_of[i]] == i);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span graph = span_of(bytes, n);
	cleanup_buf struct buf text = {0};
	cleanup_json struct json json = {0};
	struct error err = {0};
	size_t nodes;
	const struct graph_visitor v = {.attribute = each, .edge = each_edge, .context = &graph};
	cleanup_graph struct object_graph g = {0};
	int r = object_graph_walk(graph, &v, &err);

	MUST(r == 0 || (r == -EBADMSG && err.text[0]));
	MUST(object_graph_read(graph, &g, &err) == r);
	for (size_t i = 0; i < g.n; i++)
		MUST(!g.nodes[i].n || g.nodes[i].first + g.nodes[i].n <= g.n_edges);
	match_graph(graph, g.n);
	edit_graph(graph);
	r = object_graph_check(graph, &nodes, &err);
	MUST(r == 0 || (r == -EBADMSG && err.text[0]));
	if (object_graph_print(graph, &text, &err) == 0)
		MUST(json_parse(&json, buf_span(&text), &err) == 0);
	return 0;
}
