#include "support.h"

#include "codec/saved_model/saved_model.h"
#include "texts.h"

/* A MetaGraphDef with these tags (NULL at the end) and one signature, named for the first. */
static void add_metagraph(struct buf *file, const char *const *tags)
{
	struct buf info = {0}, entry = {0}, graph = {0};
	const char *first = tags[0] ? tags[0] : "none";

	for (; *tags; tags++)
		add_text_field(&info, 4, *tags);
	add_text_field(&info, 5, "2.12.0");
	add_text_field(&entry, 1, first);
	add_text_field(&entry, 2, "");
	add_field(&graph, 1, &info);
	add_text_field(&graph, 2, "a graph that nobody looks into");
	add_field(&graph, 5, &entry);
	add_field(file, 2, &graph);
}

static const char *const serve[] = {"serve", NULL}, *const train[] = {"train", NULL},
			 *const gpu[] = {"serve", "gpu", NULL}, *const none[] = {NULL};

TEST(served)
{
	static const struct {
		const char *const *tags[4];
		const char *chosen;
	} cases[] = {
		{{train}, "train"},	   {{none}, "none"},
		{{train, serve}, "serve"}, {{serve, train, serve}, "serve"},
		{{train, gpu}, "train"},   {{gpu, train, serve}, "serve"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buf struct buf file = {0};
		struct metagraph_signature s;
		struct metagraph g;
		struct span rest;
		struct error err = {0};
		size_t n = 0, served = 42, found = 0;

		add_number_field(&file, 1, 1);
		for (; cases[i].tags[n]; n++)
			add_metagraph(&file, cases[i].tags[n]);
		assert_int_equal(saved_model_served(buf_span(&file), &served, &found, &err), 0);
		assert_int_equal(found, n);
		rest = buf_span(&file);
		for (size_t k = 0; k <= served; k++)
			assert_int_equal(saved_model_next(&rest, &g), 1);
		assert_int_equal(metagraph_next_signature(&g.body, &s), 1);
		assert_says(s.name, cases[i].chosen);
	}
}

TEST(parts_of_a_metagraph)
{
	cleanup_buf struct buf body = {0}, file = {0};
	struct metagraph_signature s;
	struct span rest, part;
	struct metagraph g;

	/* Their order on disk is free, keys and values may be missing, numbers may be new. */
	add_hex(&body,
		"3a03 0a0100  3205 12 03 612f62  2a06 1200 0a02 7371  2a00  f03e01  0a08 2a01 32"
		" 22 03 746167  3200  3204 0a0208 01");
	add_field(&file, 2, &body);
	rest = buf_span(&file);
	assert_int_equal(saved_model_next(&rest, &g), 1);
	assert_hex(g.object_graph, "0a0100");
	assert_int_equal(metagraph_tensorflow_version(&g, &part), 1);
	assert_says(part, "2");
	assert_int_equal(metagraph_next_tag(&g.info, &part), 1);
	assert_says(part, "tag");
	assert_int_equal(metagraph_next_tag(&g.info, &part), 0);
	rest = g.body;
	assert_int_equal(metagraph_next_asset(&rest, &part), 1);
	assert_says(part, "a/b");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(metagraph_next_asset(&rest, &part), 1);
		assert_says(part, "");
	}
	assert_int_equal(metagraph_next_asset(&rest, &part), 0);
	assert_int_equal(metagraph_next_signature(&g.body, &s), 1);
	assert_says(s.name, "sq");
	assert_int_equal(s.def.n, 0);
	assert_int_equal(metagraph_next_signature(&g.body, &s), 1);
	assert_int_equal(s.name.n + s.def.n, 0);
	assert_int_equal(metagraph_next_signature(&g.body, &s), 0);
}

TEST(refused_with_the_offset)
{
	static const struct {
		const char *hex, *says;
	} cases[] = {
		{"", "no MetaGraphDef"},
		{"0801", "no MetaGraphDef"},
		{"1000", "no MetaGraphDef"}, /* field 2, and no message */
		{"ff", "at offset 0"},
		{"0801 12", "at offset 2"},
		{"0801 1205 00", "at offset 2"},
		{"0801 1203 3200 0f", "at offset 6"},	/* a wire type that there is not */
		{"0801 1203 3200 13", "at offset 6"},	/* a group */
		{"1204 0a02 2205", "at offset 4"},	/* within the tags */
		{"1200 1204 0a02 2205", "at offset 6"}, /* of the second one */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buf struct buf file = {0};
		struct error err = {0};
		size_t served = 42, n = 42;
		int r;

		add_hex(&file, cases[i].hex);
		r = saved_model_served(buf_span(&file), &served, &n, &err);
		assert_refused(r, -EBADMSG, &err, cases[i].says);
		assert_true(n == 42 && served == 42);
	}
}

TEST(broken_entries)
{
	cleanup_buf struct buf body = {0};
	struct span rest, name;
	struct metagraph_signature s;

	add_hex(&body, "2a00 2a02 0a05");
	rest = buf_span(&body);
	assert_int_equal(metagraph_next_signature(&rest, &s), 1);
	assert_int_equal(metagraph_next_signature(&rest, &s), -EBADMSG);
	assert_int_equal(rest.p - body.p, 4);
	body.p[0] = body.p[2] = 0x32;
	rest = buf_span(&body);
	assert_int_equal(metagraph_next_asset(&rest, &name), 1);
	assert_int_equal(metagraph_next_asset(&rest, &name), -EBADMSG);
	assert_int_equal(rest.p - body.p, 4);
}

static int used(const char *graph, struct buf *bits)
{
	cleanup_buf struct buf bytes = {0};

	add_hex(&bytes, graph);
	return saved_model_used_nodes(buf_span(&bytes), bits);
}

/* Nodes are 0a00; a function is an entry of a map, whose value has the numbers in field 2. */
TEST(nodes_that_functions_work_with)
{
	static const struct {
		const char *graph, *bits;
	} cases[] = {
		{"", ""},
		{"0a00 0a00 0a00", "00"},
		{"0a00 0a00 0a00 1209 0a0166 1204 1202 0102", "06"},
		{"1207 0a0166 1202 1002 0a00 0a00 0a00", "04"}, /* not packed */
		{"1206 1204 1202 0002 0a00 0a00 0a00 1206 1204 1202 0101", "07"},
		{"0a00 1206 1204 1202 0007 1205 1203 10ff7f", "81"}, /* 7 is padding, 16383 none */
		{"1203 0a0166 0a00", "00"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buf struct buf bits = {0};

		assert_int_equal(used(cases[i].graph, &bits), 0);
		assert_hex(buf_span(&bits), cases[i].bits);
	}
}

TEST(broken_functions)
{
	static const char *const graphs[] = {"0a", "1205", "1203 1205", "1205 1203 120180"};

	for (size_t i = 0; i < ARRAY_SIZE(graphs); i++) {
		cleanup_buf struct buf bits = {0};

		assert_int_equal(used(graphs[i], &bits), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(served),
		cmocka_unit_test(parts_of_a_metagraph),
		cmocka_unit_test(refused_with_the_offset),
		cmocka_unit_test(broken_entries),
		cmocka_unit_test(nodes_that_functions_work_with),
		cmocka_unit_test(broken_functions),
	};

	return RUN(tests);
}
