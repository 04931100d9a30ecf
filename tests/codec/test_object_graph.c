#include "support.h"

#include "codec/graph/object_graph.h"
#include "texts.h"

/* A node: edges to children, slots (pairs of nodes), what else is in rest. -1: there is none. */
struct node {
	int64_t children[3], slots[2];
	const char *rest; /* in hex */
};

static void add_child(struct buf *node, int64_t to)
{
	struct buf child = {0};

	add_number_field(&child, 1, (uint64_t)to);
	add_text_field(&child, 2, "edge");
	add_field(node, 1, &child);
}

static void add_slot(struct buf *node, int64_t original, int64_t to)
{
	struct buf slot = {0};

	add_number_field(&slot, 1, (uint64_t)original);
	add_text_field(&slot, 2, "m");
	add_number_field(&slot, 3, (uint64_t)to);
	add_field(node, 3, &slot);
}

enum { NONE = 1 << 20 }; /* for an edge that is not there */

static void make_graph(struct buf *graph, const struct node *nodes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf node = {0};

		for (int k = 0; k < 3; k++)
			if (nodes[i].children[k] != NONE)
				add_child(&node, nodes[i].children[k]);
		if (nodes[i].slots[0] != NONE)
			add_slot(&node, nodes[i].slots[0], nodes[i].slots[1]);
		add_hex(&node, nodes[i].rest ? nodes[i].rest : "");
		add_field(graph, 1, &node);
	}
}

TEST(edges_lead_to_nodes)
{
	static const struct {
		struct node nodes[3];
		const char *says; /* NULL: all is well */
	} cases[] = {
		{{{{1, 2, NONE}, {NONE}}, {{NONE, NONE, NONE}, {NONE}}, {{0, 1, 2}, {1, 2}}}, NULL},
		{{{{1, 3, NONE}, {NONE}}, {{NONE, NONE, NONE}, {NONE}}, {{0, 1, 2}, {NONE}}},
		 "node 0 of the object graph has an edge to node 3, but there are 3 nodes"},
		{{{{1, 2, NONE}, {NONE}}, {{5, 4, -1}, {NONE}}, {{0, 1, 2}, {NONE}}},
		 "node 1 of the object graph has an edge to node -1, but"},
		{{{{1, 2, NONE}, {NONE}}, {{NONE, NONE, NONE}, {NONE}}, {{0, 1, 2}, {1, 9}}},
		 "node 2 of the object graph has an edge to node 9, but"},
		{{{{1, 2, NONE}, {NONE}}, {{NONE, NONE, NONE}, {NONE}}, {{0, 1, 2}, {8, 1}}},
		 "node 2 of the object graph has an edge to node 8, but"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buf struct buf graph = {0};
		struct error err = {0};
		size_t n = 42;
		int r;

		make_graph(&graph, cases[i].nodes, 3);
		r = object_graph_check(buf_span(&graph), &n, &err);
		if (cases[i].says)
			assert_refused(r, -EBADMSG, &err, cases[i].says);
		else
			assert_int_equal(r, 0);
		assert_int_equal(n, cases[i].says ? 42 : 3);
	}
}

TEST(graph_of_nothing)
{
	cleanup_buf struct buf text = {0};
	struct error err = {0};
	size_t n = 42;

	assert_int_equal(object_graph_check((struct span){0}, &n, &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(object_graph_print((struct span){0}, &text, &err), 0);
	assert_says(buf_span(&text), "{\"nodes\": [\n]}\n");
}

/* As json_format.MessageToJson prints it, a node a line. */
TEST(as_json)
{
	static const struct node nodes[] = {
		{{1, NONE, NONE}, {NONE}, "2a00"},
		{{0, NONE, NONE},
		 {0, 1},
		 "120b 0a0156 1203612f62 1a016b  1205 0a0122 2005  2205 0a0173 1200  2a020801"},
	};
	cleanup_buf struct buf graph = {0}, text = {0}, expected = {0};
	struct error err = {0};

	make_graph(&graph, nodes, 1);
	add_hex(&graph, "1200"); /* no node */
	make_graph(&graph, nodes + 1, 1);
	assert_int_equal(object_graph_print(buf_span(&graph), &text, &err), 0);
	add_json(&expected,
		 "{'nodes': [\n"
		 "{'children': [{'nodeId': 1, 'localName': 'edge'}], 'hasCheckpointValues': "
		 "false},\n"
		 "{'children': [{'localName': 'edge'}],"
		 " 'attributes': [{'name': 'V', 'fullName': 'a/b', 'checkpointKey': 'k'},"
		 " {'name': '\\''}],"
		 " 'slotVariables': [{'slotName': 'm', 'slotVariableNodeId': 1}],"
		 " 'registeredSaver': {'name': 's'}, 'hasCheckpointValues': true}\n]}\n");
	assert_same(buf_span(&text), buf_span(&expected));
}

TEST(what_is_no_graph)
{
	static const struct {
		const char *hex, *says;
	} cases[] = {
		{"0a", "node 0"},
		{"0a00 0a020a05", "node 1"},
		{"0a00 0a00 0a031a0110", "node 2"},
		{"0b", "node 0"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buf struct buf graph = {0}, text = {0};
		struct error err = {0};
		size_t n;

		add_hex(&graph, cases[i].hex);
		assert_refused(object_graph_check(buf_span(&graph), &n, &err), -EBADMSG, &err,
			       cases[i].says);
		assert_int_equal(object_graph_print(buf_span(&graph), &text, &err), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges_lead_to_nodes),
		cmocka_unit_test(graph_of_nothing),
		cmocka_unit_test(as_json),
		cmocka_unit_test(what_is_no_graph),
	};

	return RUN(tests);
}
