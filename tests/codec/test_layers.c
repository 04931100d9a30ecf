/* Layers of made-up object graphs; tests/mount and tests/oracle have those of real models. */
#include "support.h"

#include <stdio.h>

#include "codec/bundle/bundle.h"
#include "codec/model/format.h"
#include "codec/graph/layers.h"
#include "codec/tensor/stored.h"
#include "texts.h"

/* Edges as "name=node name=node"; the own name of a variable, or NULL. */
struct node {
	const char *edges, *variable;
};

static void add_edges(struct buf *node, const char *edges)
{
	const char *equals;

	for (; (equals = strchr(edges, '=')); edges += strcspn(edges, " ")) {
		struct buf child = {0};

		edges += strspn(edges, " ");
		add_number_field(&child, 1, strtoul(equals + 1, NULL, 10));
		pb_add_bytes(&child, 2, span_of(edges, (size_t)(equals - edges)));
		add_field(node, 1, &child);
	}
}

static struct span key_of(struct model *m, size_t node)
{
	cleanup_buf struct buf key = {0};

	buf_printf(&key, "variable/%06zu/.ATTRIBUTES/VARIABLE_VALUE", node);
	return arena_copy(&m->arena, buf_span(&key));
}

/* The graph that the format gives. */
static struct buf graph;

static void add_node(struct model *m, const struct node *n, size_t i)
{
	struct buf node = {0}, attribute = {0};
	struct tensor t;
	tensor_id id;

	add_edges(&node, n->edges);
	if (n->variable) {
		add_text_field(&attribute, 1, "VARIABLE_VALUE");
		pb_add_bytes(&attribute, 3, key_of(m, i));
		add_field(&node, 2, &attribute);
		t = (struct tensor){
			.key = key_of(m, i), .variable = span_str(n->variable), .dtype = 1};
		assert_int_equal(model_add_tensor(m, &t, &id), 0);
	}
	add_field(&graph, 1, &node);
}

static int give_graph(struct model *m, struct buf *stored, struct span *ret, struct error *err)
{
	(void)m;
	(void)err;
	if (!graph.n)
		return -ENOENT;
	buf_add(stored, buf_span(&graph));
	*ret = buf_span(stored);
	return 0;
}

static const struct layers_source nothing_else = {0};

static const struct format made_up = {.name = "made up", .graph = give_graph};

static struct model *make_model(const struct node *nodes, size_t n)
{
	struct model *m = model_new();

	m->format = &made_up;
	buf_reset(&graph);
	for (size_t i = 0; i < n; i++)
		add_node(m, &nodes[i], i);
	return m;
}

static void print_layers(const struct layers *l, struct buf *out)
{
	for (size_t i = 0; i < l->n; i++) {
		buf_add(out, l->layers[i].name);
		buf_add_u8(out, ':');
		for (size_t k = 0; k < l->layers[i].n; k++) {
			buf_add_u8(out, ' ');
			buf_add(out, l->weights[l->layers[i].first + k].name);
		}
		buf_add_u8(out, '\n');
	}
}

static void check(bool saved_model, const struct node *nodes, size_t n, const char *expected)
{
	cleanup_model struct model *m = make_model(nodes, n);
	cleanup_layers struct layers layers = {0};
	cleanup_buf struct buf out = {0};
	struct error err = {""};

	if (layers_read(m, &(struct layers_source){.lists = saved_model}, &layers, &err) < 0)
		fail_msg("%s", err.text);
	print_layers(&layers, &out);
	assert_says(buf_span(&out), expected);
}

#define CHECK(saved_model, expected, ...)                      \
	check(saved_model, (const struct node[]){__VA_ARGS__}, \
	      sizeof((const struct node[]){__VA_ARGS__}) / sizeof(struct node), expected)

TEST(numbered_layers_are_in_the_order_of_numbers)
{
	CHECK(false, "ten: w\ntwo: w\n", {"layer-10=1 layer-9=2 optimizer=3", NULL}, {"w=4", NULL},
	      {"w=5", NULL}, {"w=4", NULL}, {"", "two/w"}, {"", "ten/w"});
	/* What looks like it, and is not. */
	CHECK(false, "a: w\n", {"layer-1=1 layer-=2 layer-x=2 layer-1234567890=2", NULL},
	      {"w=3", NULL}, {"w=4", NULL}, {"", "a/w"}, {"", "b/w"});
}

TEST(a_list_of_keras_comes_first)
{
	CHECK(true, "b: v w\na: w\n", {"layer-0=2 keras_api=1", NULL}, {"layers=4", NULL},
	      {"w=5", NULL}, {"variables=8 w=6 v=7", NULL}, {"1=2 0=3", NULL}, {"", "a/w"},
	      {"", "b/w"}, {"", "b/v"}, {"0=7 1=6", NULL});
}

TEST(own_weights_then_those_of_what_is_within)
{
	CHECK(false, "m: w in.w\n", {"layer-0=1", NULL}, {"inner=2 w=3 keras_api=5", NULL},
	      {"w=4", NULL}, {"", "m/w"}, {"", "m/in/w"}, {"x=6", NULL}, {"", "m/other"});
	/* In a model it is the other way round. */
	CHECK(false, "layer-0: a.w b.w own\n", {"layer-0=1", NULL},
	      {"own=2 layer-1=4 layer-0=3 layer_with_weights-0=5", NULL}, {"", "own"},
	      {"w=6", NULL}, {"w=7", NULL}, {"w=8", NULL}, {"", "a/w"}, {"", "b/w"},
	      {"", "never/w"});
}

TEST(statistics_come_last_in_a_layer)
{
	CHECK(false, "m: bn.moving_mean2 d.w bn.moving_mean bn.moving_variance\n",
	      {"layer-0=1", NULL}, {"bn=2 d=3", NULL},
	      {"moving_mean=4 moving_variance=5 moving_mean2=6", NULL}, {"w=7", NULL},
	      {"", "m/bn/moving_mean"}, {"", "m/bn/moving_variance"}, {"", "m/bn/moving_mean2"},
	      {"", "m/d/w"});
}

TEST(children_of_a_subclassed_model)
{
	CHECK(false, "a: w\nb: w\nb#2: w\nlstm: w b\n",
	      {"one=1 many=2 rnn=3 root=0 save_counter=4 own=4", NULL}, {"w=5", NULL},
	      {"0=6 1=7", NULL}, {"cell=8", NULL}, {"", "net/c"}, {"", "net/a/w"}, {"w=9", NULL},
	      {"w=9", NULL}, {"w=10 b=11", NULL}, {"", "net/b/w"}, {"", "net/lstm/lstm_cell/w"},
	      {"", "net/lstm/lstm_cell/b"});
	/* One layer: the scope of the model is known to be there. */
	CHECK(false, "a: w\n", {"one=1 root=0", NULL}, {"w=2", NULL}, {"", "net/a/w"});
}

TEST(models_in_a_checkpoint)
{
	CHECK(false, "a: w\nb: w\n", {"step=1 net=2 other=3 optimizer=2", NULL}, {"", "step"},
	      {"layer-0=4", NULL}, {"layer-0=5", NULL}, {"w=6", NULL}, {"w=7", NULL}, {"", "a/w"},
	      {"", "b/w"});
	CHECK(false, "", {"step=1 net=2", NULL}, {"", "step"}, {"dense=3", NULL}, {"w=1", NULL});
}

TEST(weights_of_keras_3_are_grouped_by_name)
{
	CHECK(true, "b: w moving\na: w in.w\n",
	      {"variables=1 non_trainable_variables=2 _all_variables=3", NULL},
	      {"0=4 1=5 2=6 3=7 4=8 5=9", NULL}, {"", NULL}, {"0=4", NULL}, {"", "net/b/w"},
	      {"", "net/a/w"}, {"", "seed_generator/seed_generator_state"}, {"", "net/b/moving"},
	      {"", "alone"}, {"", "net/a/in/w"});
	CHECK(true, "a: w\nb: w\n", {"variables=1 non_trainable_variables=2", NULL},
	      {"0=3 1=4", NULL}, {"", NULL}, {"", "a/w"}, {"", "b/w"});
}

TEST(names_where_weights_have_none)
{
	CHECK(false, "layer-0: w b\nlayer-1: 000005\na.b: c\n",
	      {"layer-0=1 layer-1=2 layer-2=3", NULL}, {"w=4 b=6", NULL}, {"list=7", NULL},
	      {"c=8", NULL}, {"", ""}, {"", ""}, {"", ""}, {"=5", NULL}, {"", "a/b/c"});
}

TEST(graphs_that_lead_in_circles_or_nowhere)
{
	CHECK(false, "a: w\n", {"layer-0=1 layer-1=99 layer-2=4000000000", NULL},
	      {"me=1 up=0 w=2 nowhere=77", NULL}, {"me=2 up=1", "a/w"});
	CHECK(false, "", {"", NULL});
	check(false, NULL, 0, "");
}

/* Each of many layers has all of many weights: that is too much to show. */
TEST(layers_that_share_too_much_are_refused)
{
	enum { LAYERS = 2000, WEIGHTS = 2000 };
	cleanup_layers struct layers layers = {0};
	struct error err = {""};
	struct buf root = {0}, shared = {0};
	cleanup_model struct model *m = make_model((struct node[]){{"", "w"}}, 1);
	char text[64];

	for (int i = 0; i < LAYERS; i++) {
		snprintf(text, sizeof(text), "layer-%d=1", i);
		add_edges(&root, text);
	}
	for (int i = 0; i < WEIGHTS; i++) {
		snprintf(text, sizeof(text), "w%d=%d", i, 2 + i);
		add_edges(&shared, text);
	}
	buf_reset(&graph);
	add_field(&graph, 1, &root);
	add_field(&graph, 1, &shared);
	assert_refused(layers_read(m, &nothing_else, &layers, &err), -EFBIG, &err,
		       "share too much");
}

TEST(lists_in_lists_have_a_depth)
{
	enum { CHAIN = 300000 };
	struct node *nodes = calloc(CHAIN, sizeof(*nodes));
	char(*edges)[16] = calloc(CHAIN, sizeof(*edges));
	struct model *m;
	struct layers layers = {0};
	struct error err = {""};

	assert_true(nodes && edges);
	for (int i = 0; i < CHAIN; i++) {
		snprintf(edges[i], sizeof(edges[i]), i ? "0=%d" : "layer-0=%d", i + 1);
		nodes[i].edges = edges[i];
	}
	m = make_model(nodes, CHAIN);
	assert_int_equal(layers_read(m, &nothing_else, &layers, &err), 0);
	assert_int_equal(layers.n_weights, 0);
	layers_release(&layers);
	model_free(m);
	free(edges);
	free(nodes);
}

TEST(a_graph_that_is_none)
{
	cleanup_model struct model *m = make_model((struct node[]){{"", "w"}}, 1);
	cleanup_layers struct layers layers = {0};
	struct error err = {""};

	buf_reset(&graph);
	buf_add_str(&graph, "\x0a\x05");
	assert_refused(layers_read(m, &nothing_else, &layers, &err), -EBADMSG, &err, "node 0");
	buf_reset(&graph);
	assert_int_equal(layers_read(m, &nothing_else, &layers, &err), 0);
	assert_int_equal(layers.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbered_layers_are_in_the_order_of_numbers),
		cmocka_unit_test(a_list_of_keras_comes_first),
		cmocka_unit_test(own_weights_then_those_of_what_is_within),
		cmocka_unit_test(statistics_come_last_in_a_layer),
		cmocka_unit_test(children_of_a_subclassed_model),
		cmocka_unit_test(models_in_a_checkpoint),
		cmocka_unit_test(weights_of_keras_3_are_grouped_by_name),
		cmocka_unit_test(names_where_weights_have_none),
		cmocka_unit_test(graphs_that_lead_in_circles_or_nowhere),
		cmocka_unit_test(layers_that_share_too_much_are_refused),
		cmocka_unit_test(lists_in_lists_have_a_depth),
		cmocka_unit_test(a_graph_that_is_none),
	};
	int failed = RUN(tests);

	buf_release(&graph);
	return failed;
}
