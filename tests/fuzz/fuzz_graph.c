/* The object graph of a checkpoint, as it stands in the bundle. */
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
	struct error err = {0};
	int r = object_graph_attributes(graph, each, &graph, &err);

	MUST(r == 0 || (r == -EBADMSG && err.text[0]));
	return 0;
}
