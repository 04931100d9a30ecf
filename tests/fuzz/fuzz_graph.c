/* The object graph of a checkpoint, as it stands in the bundle. */
#include "codec/json.h"
#include "codec/object_graph.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span graph = span_of(bytes, n);
	cleanup_buf struct buf text = {0};
	cleanup_json struct json json = {0};
	struct error err = {0};
	size_t nodes;
	int r = object_graph_attributes(graph, each, &graph, &err);

	MUST(r == 0 || (r == -EBADMSG && err.text[0]));
	r = object_graph_check(graph, &nodes, &err);
	MUST(r == 0 || (r == -EBADMSG && err.text[0]));
	if (object_graph_print(graph, &text, &err) == 0)
		MUST(json_parse(&json, buf_span(&text), &err) == 0);
	return 0;
}
