/* The object graph of a checkpoint, as it stands in the bundle. */
#include "codec/base/json.h"
#include "codec/graph/object_graph.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span graph = span_of(bytes, n);
	cleanup_buf struct buf text = {0};
	cleanup_json struct json json = {0};
	struct error err = {0};
	size_t nodes;
	const struct graph_visitor v = {each, each_edge, &graph};
	cleanup_graph struct object_graph g = {0};
	int r = object_graph_walk(graph, &v, &err);

	MUST(r == 0 || (r == -EBADMSG && err.text[0]));
	MUST(object_graph_read(graph, &g, &err) == r);
	for (size_t i = 0; i < g.n; i++)
		MUST(!g.nodes[i].n || g.nodes[i].first + g.nodes[i].n <= g.n_edges);
	r = object_graph_check(graph, &nodes, &err);
	MUST(r == 0 || (r == -EBADMSG && err.text[0]));
	if (object_graph_print(graph, &text, &err) == 0)
		MUST(json_parse(&json, buf_span(&text), &err) == 0);
	return 0;
}
