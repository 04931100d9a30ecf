#include "codec/bundle/graph_edit_state.h"
#include "codec/container/pbwire.h"

/* One field of a message that is to be another: bytes, or a number. */
struct patch {
	uint32_t number;
	struct span bytes;
	uint32_t value;
	bool is_number;
};

static void add_patch(struct buf *out, const struct patch *p)
{
	if (!p->is_number) {
		pb_add_bytes(out, p->number, p->bytes);
		return;
	}
	buf_add_varint(out, p->number << 3 | PB_VARINT);
	buf_add_varint(out, p->value);
}

/* Adds a message, or an empty one, with other values of some fields; what else it has stays. */
static void add_patched(struct buf *out, uint32_t number, struct span message,
			const struct patch *patches, size_t n)
{
	cleanup_buf struct buf body = {0};
	unsigned done = 0;
	struct pb_field f;

	while (pb_next(&message, &f) > 0) {
		size_t i = 0;

		while (i < n && patches[i].number != f.number)
			i++;
		if (i == n)
			buf_add(&body, f.whole);
		else if (!(done & 1u << i))
			add_patch(&body, &patches[i]);
		done |= i < n ? 1u << i : 0;
	}
	for (size_t i = 0; i < n; i++)
		if (!(done & 1u << i) && (patches[i].bytes.n || patches[i].value))
			add_patch(&body, &patches[i]);
	pb_add_bytes(out, number, buf_span(&body));
	out->failed |= body.failed;
}

static void write_edge(struct buf *out, struct span message, const struct edit_edge *e)
{
	const struct patch patches[] = {
		{.number = CHILD_NODE, .value = e->to, .is_number = true},
		{.number = CHILD_NAME, .bytes = e->name},
	};

	if (e->fate != GONE)
		add_patched(out, NODE_CHILDREN, message, patches, ARRAY_SIZE(patches));
}

static void write_attribute(struct buf *out, struct span message, const struct edit_attribute *a)
{
	const struct patch patches[] = {
		{.number = ATTRIBUTE_NAME, .bytes = a->name},
		{.number = ATTRIBUTE_FULL_NAME, .bytes = a->full_name},
		{.number = ATTRIBUTE_KEY, .bytes = a->key},
	};

	if (a->fate != GONE)
		add_patched(out, NODE_ATTRIBUTES, message, patches, ARRAY_SIZE(patches));
}

static void write_slot(struct buf *out, struct span message, const struct edit_slot *s)
{
	const struct patch patches[] = {
		{.number = SLOT_ORIGINAL, .value = s->original, .is_number = true},
		{.number = SLOT_NAME, .bytes = s->name},
		{.number = SLOT_NODE, .value = s->variable, .is_number = true},
	};

	if (s->fate != GONE)
		add_patched(out, NODE_SLOTS, message, patches, ARRAY_SIZE(patches));
}

/* ---- what was added ---- */

struct addition {
	uint32_t node, index;
};

/* Additions of one sort, by node; nodes are written in that order. */
struct additions {
	struct addition *list;
	size_t n, at, capacity;
};

struct writer {
	const struct graph_editor *g;
	struct additions edges, attributes, slots;
	struct buf *out;
};

static int compare_additions(const void *one, const void *other)
{
	const struct addition *a = one, *b = other;

	return a->node != b->node ? (a->node > b->node) - (a->node < b->node)
				  : (a->index > b->index) - (a->index < b->index);
}

static int add_addition(struct additions *a, enum fate fate, uint32_t node, size_t index)
{
	struct addition *grown;

	if (fate != ADDED)
		return 0;
	grown = vector_grow(a->list, a->n, &a->capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	a->list = grown;
	grown[a->n++] = (struct addition){node, (uint32_t)index};
	return 0;
}

static int find_additions(struct writer *w)
{
	const struct graph_editor *g = w->g;
	int r = 0;

	for (size_t i = 0; i < g->n_edges && r == 0; i++)
		r = add_addition(&w->edges, g->edges[i].fate, g->edges[i].from, i);
	for (size_t i = 0; i < g->n_attributes && r == 0; i++)
		r = add_addition(&w->attributes, g->attributes[i].fate, g->attributes[i].node, i);
	for (size_t i = 0; i < g->n_slots && r == 0; i++)
		r = add_addition(&w->slots, g->slots[i].fate, g->slots[i].from, i);
	for (struct additions *a = &w->edges; r == 0 && a <= &w->slots; a++)
		if (a->n)
			qsort(a->list, a->n, sizeof(*a->list), compare_additions);
	return r;
}

/* The next one of the node: its index, or -1. */
static int64_t next_addition(struct additions *a, uint32_t node)
{
	if (a->at == a->n || a->list[a->at].node != node)
		return -1;
	return a->list[a->at++].index;
}

/* ---- nodes ---- */

/* The fields that a node had, each as it is now. True: it says that it has values. */
static bool write_what_was_there(const struct graph_editor *g, const struct edit_node *n,
				 struct buf *out)
{
	uint32_t edge = n->edges.first, attribute = n->attributes.first, slot = n->slots.first;
	struct span rest = n->bytes;
	bool says = false;
	struct pb_field f;

	while (pb_next(&rest, &f) > 0) {
		bool is_message = f.type == PB_BYTES;

		if (is_message && f.number == NODE_CHILDREN)
			write_edge(out, f.bytes, &g->edges[edge++]);
		else if (is_message && f.number == NODE_ATTRIBUTES)
			write_attribute(out, f.bytes, &g->attributes[attribute++]);
		else if (is_message && f.number == NODE_SLOTS)
			write_slot(out, f.bytes, &g->slots[slot++]);
		else
			buf_add(out, f.whole);
		says |= f.number == NODE_HAS_VALUES;
	}
	return says;
}

static void write_touched(struct writer *w, uint32_t node)
{
	/* message BoolValue { bool value = 1; } */
	static const uint8_t yes[] = {1 << 3 | PB_VARINT, 1};
	const struct graph_editor *g = w->g;
	cleanup_buf struct buf body = {0};
	bool says, valued = false;
	int64_t i;

	says = write_what_was_there(g, &g->nodes[node], &body);
	while ((i = next_addition(&w->edges, node)) >= 0)
		write_edge(&body, (struct span){0}, &g->edges[i]);
	while ((i = next_addition(&w->attributes, node)) >= 0) {
		write_attribute(&body, (struct span){0}, &g->attributes[i]);
		valued = true;
	}
	while ((i = next_addition(&w->slots, node)) >= 0)
		write_slot(&body, (struct span){0}, &g->slots[i]);
	if (valued && !says)
		pb_add_bytes(&body, NODE_HAS_VALUES, span_of(yes, sizeof(yes)));
	pb_add_bytes(w->out, GRAPH_NODES, buf_span(&body));
	w->out->failed |= body.failed;
}

static void write_node(struct writer *w, uint32_t node, struct span whole)
{
	if (w->g->nodes[node].cleared)
		pb_add_bytes(w->out, GRAPH_NODES, (struct span){0});
	else if (w->g->nodes[node].touched)
		write_touched(w, node);
	else
		buf_add(w->out, whole);
}

int editor_write(struct graph_editor *g, struct span graph, struct buf *out)
{
	struct writer w = {.g = g, .out = out};
	int r = find_additions(&w);
	struct pb_field f;
	uint32_t node = 0;

	while (r == 0 && pb_next(&graph, &f) > 0) {
		if (f.type == PB_BYTES && f.number == GRAPH_NODES)
			write_node(&w, node++, f.whole);
		else
			buf_add(out, f.whole);
	}
	for (; r == 0 && node < g->n_nodes; node++)
		write_node(&w, node, (struct span){0});
	free(w.edges.list);
	free(w.attributes.list);
	free(w.slots.list);
	return r < 0 ? r : buf_error(out);
}
