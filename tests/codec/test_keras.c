#include "support.h"

#include "codec/graph/keras.h"
#include "texts.h"

/* metadata and expected with ' for ". */
static void check_config(const char *metadata, const char *expected)
{
	cleanup_buf struct buf json = {0}, wanted = {0};
	cleanup_keras struct keras_texts texts = {0};
	struct error err = {0};
	int r;

	add_json(&json, metadata);
	add_json(&wanted, expected);
	r = keras_read(buf_span(&json), &texts, &err);
	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
	assert_same(buf_span(&texts.config), buf_span(&wanted));
}

/* The same for the config inside of a model. */
static void check_value(const char *value, const char *expected)
{
	cleanup_buf struct buf metadata = {0}, wanted = {0};

	buf_printf(&metadata, "{'model_config': {'config': [%s], 'class_name': 'M'}}%c", value, 0);
	buf_printf(&wanted, "{'class_name': 'M', 'config': [%s]}%c", expected, 0);
	check_config((char *)metadata.p, (char *)wanted.p);
}

TEST(members_and_their_order)
{
	check_config("{'backend': 'tensorflow', 'name': 'n', 'config': {'of': 'the layer'},"
		     " 'model_config': {'config': {'name': 'x'}, 'class_name': 'Functional'},"
		     " 'keras_version': '2.12.0'}",
		     "{'class_name': 'Functional', 'config': {'name': 'x'},"
		     " 'keras_version': '2.12.0', 'backend': 'tensorflow'}");
	check_config("{'model_config':{'class_name':'S2','config':{'n':2}}}",
		     "{'class_name': 'S2', 'config': {'n': 2}}");
}

/* White space is Python's; what stands between it is copied to the byte. */
TEST(tokens_keep_their_spelling)
{
	check_value("1.0,\n1e-07 , 9223372036854775808,-0, 1E5, NaN,Infinity,-Infinity",
		    "1.0, 1e-07, 9223372036854775808, -0, 1E5, NaN, Infinity, -Infinity");
	check_value("'\\u00e9\\/\\ud83d\\ude00', true,null ,{ }, [\t]",
		    "'\\u00e9\\/\\ud83d\\ude00', true, null, {}, []");
	check_value("{'b':1,'a':[2,3],'\\u0061':4}", "{'b': 1, 'a': [2, 3], '\\u0061': 4}");
}

TEST(wrappers_are_undone)
{
	check_value("{'class_name': '__tuple__', 'items': [1, 2]}", "[1, 2]");
	check_value("{'items': [null, 5], 'class_name': 'TensorShape'}", "[null, 5]");
	check_value("{'class_name': 'TensorShape', 'items': null}", "null");
	check_value(
		"{'class_name': '__tuple__', 'items': [{'class_name': '__tuple__', 'items': []}]}",
		"[[]]");
	check_value(
		"{'class_name': '__tuple__', 'items': {'class_name': 'TensorShape', 'items': [7]}}",
		"[7]");
	/* What only looks like one. */
	check_value("{'class_name': '__tuple__', 'config': {}}",
		    "{'class_name': '__tuple__', 'config': {}}");
	check_value("{'class_name': 'Dense', 'items': [1]}",
		    "{'class_name': 'Dense', 'items': [1]}");
	check_value("{'class_name': ['__tuple__'], 'items': [1]}",
		    "{'class_name': ['__tuple__'], 'items': [1]}");
}

TEST(shared_object_ids_are_dropped)
{
	check_value("{'shared_object_id': 1}", "{}");
	check_value("{'a': {'shared_object_id': 3, 'b': 1}, 'shared_object_id': 4}",
		    "{'a': {'b': 1}}");
	check_value("'shared_object_id'", "'shared_object_id'");
}

TEST(no_architecture)
{
	check_config("{}", "");
	check_config("[1]", "");
	check_config("null", "");
	/* The config of the layer that the model is too is none of the model. */
	check_config("{'config': {'a': 1}, 'class_name': 'M'}", "");
	check_config("{'model_config': null, 'config': {}}", "");
	check_config("{'model_config': {'class_name': 'Sub'}}", "");
	check_config("{'model_config': {'class_name': 'Sub',"
		     " 'config': {'layer was saved without config': true}}}",
		     "");
}

TEST(version_even_without_architecture)
{
	static const struct {
		const char *metadata, *version;
	} cases[] = {
		{"{\"keras_version\": \"2.\\u0039.0\"}", "2.9.0"},
		{"{\"keras_version\": 2}", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_keras struct keras_texts texts = {0};
		struct error err = {0};

		assert_int_equal(keras_read(span_str(cases[i].metadata), &texts, &err), 0);
		assert_says(buf_span(&texts.version), cases[i].version);
		assert_int_equal(texts.config.n, 0);
	}
}

/* Nothing of it is changed: load_model() takes it as it was written. */
TEST(training_config_is_copied)
{
	static const struct {
		const char *metadata, *training;
	} cases[] = {
		{"{'training_config': {'loss':'mse', 'rate': 1.0, 'shared_object_id': 3,"
		 " 'm': {'class_name': '__tuple__', 'items': [NaN]}}}",
		 "{'loss':'mse', 'rate': 1.0, 'shared_object_id': 3,"
		 " 'm': {'class_name': '__tuple__', 'items': [NaN]}}"},
		{"{'training_config': null}", ""},
		{"{'config': {'training_config': 1}}", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buf struct buf json = {0}, wanted = {0};
		cleanup_keras struct keras_texts texts = {0};
		struct error err = {0};

		add_json(&json, cases[i].metadata);
		add_json(&wanted, cases[i].training);
		assert_int_equal(keras_read(buf_span(&json), &texts, &err), 0);
		assert_same(buf_span(&texts.training), buf_span(&wanted));
	}
}

TEST(what_is_no_json)
{
	static const char *const texts[] = {"{", "{\"model_config\": {\"config\": {}}", "{} {}"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_buf struct buf config = {0};
		struct keras_texts found = {0};
		struct error err = {0};

		assert_refused(keras_read(span_str(texts[i]), &found, &err), -EBADMSG, &err,
			       "JSON, line 1");
		assert_true(!found.config.p && !found.training.p && !found.version.p);
		assert_refused(keras_object_config(span_str(texts[i]), &config, &err), -EBADMSG,
			       &err, "JSON, line 1");
		assert_int_equal(config.n, 0);
	}
	assert_int_equal(keras_read((struct span){0}, &(struct keras_texts){0}, NULL), -EBADMSG);
}

TEST(nested_as_deep_as_the_parser_lets_it)
{
	for (int depth = 505; depth < 20000; depth *= 2) {
		cleanup_keras struct keras_texts texts = {0};
		cleanup_buf struct buf text = {0};
		struct error err = {0};
		int r;

		buf_add_str(&text, "{\"model_config\": {\"config\": ");
		for (int i = 0; i < depth; i++)
			buf_add_u8(&text, '[');
		for (int i = 0; i < depth; i++)
			buf_add_u8(&text, ']');
		buf_add_str(&text, "}}");
		r = keras_read(buf_span(&text), &texts, &err);
		assert_int_equal(r, depth == 505 ? 0 : -EBADMSG);
	}
}

/* What older versions of TensorFlow put into checkpoints, for each object. */
TEST(architecture_of_an_object)
{
	static const struct {
		const char *json, *config;
	} cases[] = {
		{"{'class_name': 'Model', 'config': {'name': 'm', 'layers':"
		 " [{'rate': 1.0, 'shape': {'class_name': 'TensorShape', 'items': [2]}}]}}",
		 "{'class_name': 'Model', 'config': {'name': 'm', 'layers':"
		 " [{'rate': 1.0, 'shape': [2]}]}}"},
		{"{'class_name': 'Sequential', 'config': [{'class_name': 'Dense'}]}",
		 "{'class_name': 'Sequential', 'config': [{'class_name': 'Dense'}]}"},
		{"{'class_name': 'Dense', 'config': {'units': 3}}", ""},
		{"{'class_name': 'Model'}", ""},
		{"{'config': {'layers': []}}", ""},
		{"[]", ""},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buf struct buf json = {0}, config = {0}, wanted = {0};
		struct error err = {0};

		add_json(&json, cases[i].json);
		add_json(&wanted, cases[i].config);
		assert_int_equal(keras_object_config(buf_span(&json), &config, &err), wanted.n > 0);
		assert_same(buf_span(&config), buf_span(&wanted));
	}
}

/* ---- where the metadata stands ---- */

static void add_node(struct buf *file, uint64_t id, const char *path, const char *metadata)
{
	struct buf node = {0};

	if (id)
		add_number_field(&node, 2, id);
	add_text_field(&node, 3, path);
	add_text_field(&node, 4, "_tf_keras_network");
	add_text_field(&node, 5, metadata);
	add_field(file, 1, &node);
}

TEST(root_of_keras_metadata)
{
	cleanup_buf struct buf file = {0};
	struct span metadata = span_str("untouched");
	struct error err = {0};

	assert_int_equal(keras_root_metadata((struct span){0}, &metadata, &err), 0);
	add_node(&file, 1, "root.layer-0", "{\"a\": 1}");
	add_node(&file, UINT64_MAX, "root", "{\"a\": 2}");
	assert_int_equal(keras_root_metadata(buf_span(&file), &metadata, &err), 0);
	assert_says(metadata, "untouched");
	add_node(&file, 0, "root", "{\"a\": 3}");
	add_node(&file, 7, "root.layer-1", "{\"a\": 4}");
	assert_int_equal(keras_root_metadata(buf_span(&file), &metadata, &err), 1);
	assert_says(metadata, "{\"a\": 3}");
	for (size_t n = 1; n < 8; n++)
		assert_refused(keras_root_metadata(span_first(buf_span(&file), n), &metadata, &err),
			       -EBADMSG, &err, "not a message at offset 0");
}

TEST(broken_node_is_found_by_its_offset)
{
	cleanup_buf struct buf file = {0};
	struct span metadata;
	struct error err = {0};

	add_hex(&file, "0a02 1001  0a03 1000 2a");
	assert_refused(keras_root_metadata(buf_span(&file), &metadata, &err), -EBADMSG, &err,
		       "not a message at offset 6");
}

static void make_graph(struct buf *graph, const char *identifier, const char *metadata)
{
	struct buf user = {0}, node = {0};

	buf_reset(graph);
	add_text_field(&user, 1, identifier);
	add_text_field(&user, 3, metadata);
	add_field(&node, 4, &user);
	add_field(graph, 1, &node);
	pb_add_bytes(graph, 1, (struct span){0});
}

TEST(root_of_an_old_object_graph)
{
	cleanup_buf struct buf graph = {0};
	struct span metadata = span_str("untouched");
	struct error err = {0};

	assert_int_equal(keras_root_metadata_old((struct span){0}, &metadata, &err), 0);
	assert_int_equal(keras_root_metadata_old(span_of("\x0a\x00", 2), &metadata, &err), 0);
	make_graph(&graph, "_generic_user_object", "{\"a\": 1}");
	assert_int_equal(keras_root_metadata_old(buf_span(&graph), &metadata, &err), 0);
	make_graph(&graph, "_tf_keras_model", "");
	assert_int_equal(keras_root_metadata_old(buf_span(&graph), &metadata, &err), 0);
	assert_says(metadata, "untouched");
	make_graph(&graph, "_tf_keras_sequential", "{\"a\": 1}");
	assert_int_equal(keras_root_metadata_old(buf_span(&graph), &metadata, &err), 1);
	assert_says(metadata, "{\"a\": 1}");
	assert_refused(keras_root_metadata_old(span_of("\x0a\x02\x22\x05", 4), &metadata, &err),
		       -EBADMSG, &err, "root of the object graph");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_and_their_order),
		cmocka_unit_test(tokens_keep_their_spelling),
		cmocka_unit_test(wrappers_are_undone),
		cmocka_unit_test(shared_object_ids_are_dropped),
		cmocka_unit_test(no_architecture),
		cmocka_unit_test(version_even_without_architecture),
		cmocka_unit_test(training_config_is_copied),
		cmocka_unit_test(what_is_no_json),
		cmocka_unit_test(nested_as_deep_as_the_parser_lets_it),
		cmocka_unit_test(architecture_of_an_object),
		cmocka_unit_test(root_of_keras_metadata),
		cmocka_unit_test(broken_node_is_found_by_its_offset),
		cmocka_unit_test(root_of_an_old_object_graph),
	};

	return RUN(tests);
}
