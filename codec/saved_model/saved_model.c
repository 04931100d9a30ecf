#include "codec/saved_model/saved_model.h"

/* More field numbers upstream. */
enum {
	INFO_TAGS = 4,
	INFO_TENSORFLOW_VERSION = 5,
	ENTRY_KEY = 1,
	ENTRY_VALUE = 2,
	ASSET_FILENAME = 2,
	OBJECT_GRAPH_NODES = 1,
	OBJECT_GRAPH_FUNCTIONS = 2,
	FUNCTION_BOUND_INPUTS = 2,
};

/* Looks at every field of the MetaGraphDef, so that what comes later finds no surprise. */
static int open_metagraph(struct span *body, struct metagraph *ret)
{
	struct metagraph g = {.body = *body};
	struct pb_field f;
	int r;

	while ((r = pb_next(body, &f)) > 0) {
		if (f.type == PB_BYTES && f.number == META_GRAPH_INFO)
			g.info = f.bytes;
		else if (f.type == PB_BYTES && f.number == META_GRAPH_OBJECT_GRAPH)
			g.object_graph = f.bytes;
		g.restored |= f.number == META_GRAPH_SAVER || f.number == META_GRAPH_OBJECT_GRAPH;
	}
	if (r == 0)
		*ret = g;
	return r;
}

int saved_model_next(struct span *file, struct metagraph *ret)
{
	struct span body;
	int r = pb_next_bytes(file, SAVED_MODEL_META_GRAPHS, &body);

	if (r <= 0)
		return r;
	r = open_metagraph(&body, ret);
	if (r < 0)
		*file = body;
	return r < 0 ? r : 1;
}

static int is_for_serving(const struct metagraph *g, struct span *bad)
{
	struct span info = g->info, tag;
	bool found = false, only = true;
	int r;

	while ((r = metagraph_next_tag(&info, &tag)) > 0) {
		found = true;
		only = only && span_is(tag, "serve");
	}
	if (r < 0)
		*bad = info;
	return r < 0 ? r : found && only;
}

int saved_model_served(struct span file, size_t *ret_served, size_t *ret_n, struct error *err)
{
	struct span rest = file;
	struct metagraph g;
	bool serving = false;
	size_t n = 0, chosen = 0;
	int r;

	while ((r = saved_model_next(&rest, &g)) > 0) {
		r = is_for_serving(&g, &rest);
		if (r < 0)
			break;
		if (r && !serving)
			chosen = n;
		serving = serving || r;
		n++;
	}
	if (r < 0)
		return saved_model_bad(file, rest, err);
	if (n == 0)
		return error_set(err, -EBADMSG, "no SavedModel: there is no MetaGraphDef in it");
	*ret_served = chosen;
	*ret_n = n;
	return 0;
}

int saved_model_open_served(struct span file, struct metagraph *ret, struct error *err)
{
	struct span rest = file;
	size_t served, n;
	int r = saved_model_served(file, &served, &n, err);

	for (size_t i = 0; r >= 0 && i <= served; i++)
		r = saved_model_next(&rest, ret);
	return r < 0 ? r : 0;
}

int saved_model_bad(struct span file, struct span at, struct error *err)
{
	return error_set(err, -EBADMSG, "no SavedModel: not a message at offset %zu",
			 (size_t)(at.p - file.p));
}

int metagraph_next_tag(struct span *info, struct span *ret)
{
	return pb_next_bytes(info, INFO_TAGS, ret);
}

int metagraph_tensorflow_version(const struct metagraph *g, struct span *ret)
{
	return pb_find(g->info, INFO_TENSORFLOW_VERSION, ret);
}

int metagraph_next_signature(struct span *body, struct metagraph_signature *ret)
{
	struct metagraph_signature s = {.name = span_str("")};
	struct pb_field f;
	struct span entry;
	int r = pb_next_bytes(body, META_GRAPH_SIGNATURE, &entry);

	if (r <= 0)
		return r;
	s.def = span_first(entry, 0);
	while ((r = pb_next(&entry, &f)) > 0) {
		if (f.type == PB_BYTES && f.number == ENTRY_KEY)
			s.name = f.bytes;
		else if (f.type == PB_BYTES && f.number == ENTRY_VALUE)
			s.def = f.bytes;
	}
	if (r < 0) {
		*body = entry;
		return r;
	}
	*ret = s;
	return 1;
}

bool metagraph_signature_is_internal(struct span name)
{
	return span_is(name, "__saved_model_init_op") || span_is(name, "__saved_model_train_op");
}

int metagraph_next_asset(struct span *body, struct span *ret)
{
	struct span asset, filename = span_str("");
	int r = pb_next_bytes(body, META_GRAPH_ASSET, &asset);

	if (r <= 0)
		return r;
	r = pb_find(asset, ASSET_FILENAME, &filename);
	if (r < 0) {
		*body = asset;
		return r;
	}
	*ret = filename;
	return 1;
}

static void mark(struct buf *bits, uint64_t node)
{
	if (node / 8 < bits->n)
		bits->p[node / 8] |= (uint8_t)(1 << node % 8);
}

/* Numbers may come one by one, or many in one field. */
static int mark_bound_inputs(struct span function, struct buf *bits)
{
	struct pb_field f;
	uint64_t node;
	int r;

	while ((r = pb_next(&function, &f)) > 0) {
		if (f.number != FUNCTION_BOUND_INPUTS)
			continue;
		if (f.type == PB_VARINT)
			mark(bits, f.value);
		while (f.type == PB_BYTES && f.bytes.n) {
			if (span_take_varint64(&f.bytes, &node) < 0)
				return -EBADMSG;
			mark(bits, node);
		}
	}
	return r;
}

static int count_nodes(struct span object_graph, size_t *ret)
{
	struct pb_field f;
	size_t n = 0;
	int r;

	while ((r = pb_next(&object_graph, &f)) > 0)
		n += f.number == OBJECT_GRAPH_NODES && f.type == PB_BYTES;
	*ret = n;
	return r;
}

int saved_model_used_nodes(struct span object_graph, struct buf *ret)
{
	struct span entry, function;
	size_t n;
	int r = count_nodes(object_graph, &n);
	uint8_t *bits;

	if (r < 0)
		return r;
	bits = buf_extend(ret, (n + 7) / 8);
	if (!bits)
		return -ENOMEM;
	memset(bits, 0, ret->n);
	while ((r = pb_next_bytes(&object_graph, OBJECT_GRAPH_FUNCTIONS, &entry)) > 0) {
		r = pb_find(entry, ENTRY_VALUE, &function);
		if (r > 0)
			r = mark_bound_inputs(function, ret);
		if (r < 0)
			break;
	}
	return r;
}
