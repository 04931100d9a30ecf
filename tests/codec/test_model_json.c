#include "support.h"

#include "codec/model/format.h"
#include "codec/saved_model/internal.h"
#include "codec/base/json.h"
#include "codec/graph/model_json.h"
#include "texts.h"

static void check(const struct model *m, const char *expected)
{
	cleanup_buf struct buf text = {0}, wanted = {0};
	cleanup_json struct json json = {0};
	struct error err = {0};

	add_json(&wanted, expected);
	assert_int_equal(model_json(m, &text), 0);
	assert_same(buf_span(&text), buf_span(&wanted));
	assert_int_equal(json_parse(&json, buf_span(&text), &err), 0);
}

TEST(checkpoint)
{
	struct bundle_own own = {.prefix = NULL};
	struct model m = {.format = &format_bundle, .own = &own, .n_shards = 3};

	m.object_based = true;
	check(&m, "{\n\t'format':\t'checkpoint',\n\t'tensors':\t0,\n\t'bytes':\t0,\n"
		  "\t'shards':\t3,\n\t'byte_order':\t'little',\n\t'object_based':\ttrue\n}\n");
}

TEST(saved_model)
{
	struct span tags[] = {span_str("serve"), span_str("gpu")}, group = span_str("gpu,serve");
	struct document documents[] = {
		{DOCUMENT_SIGNATURE, 0, span_str("serving_default"), span_str("")},
		{DOCUMENT_CONFIG, 0, span_str(""), span_str("{}")},
		{DOCUMENT_SIGNATURE, 0, span_str("b"), span_str("")},
		{DOCUMENT_SIGNATURE, 1, span_str("of another"), span_str("")},
	};
	struct saved_model_own own = {
		.bundle = {.big_endian = true, .producer = 1, .n_objects = 7},
		.tags = tags,
		.n_tags = 2,
	};
	static const struct read_only reason = {-EROFS, NULL, "nobody may"};
	struct model m = {
		.format = &format_saved_model,
		.own = &own,
		.kind = "a kind",
		.tensorflow_version = span_str("2.12.0"),
		.keras_version = span_str("2.12.1"),
		.groups = &group,
		.n_groups = 1,
		.documents = documents,
		.n_documents = 4,
		.read_only = &reason,
	};

	check(&m,
	      "{\n\t'format':\t'saved_model',\n\t'kind':\t'a kind',\n"
	      "\t'tensorflow_version':\t'2.12.0',\n"
	      "\t'keras_version':\t'2.12.1',\n\t'metagraphs':\t1,\n\t'tags':\t['serve', 'gpu'],\n"
	      "\t'signatures':\t['serving_default', 'b'],\n\t'tensors':\t0,\n\t'bytes':\t0,\n"
	      "\t'objects':\t7,\n\t'shards':\t0,\n\t'bundle_producer':\t1,\n"
	      "\t'byte_order':\t'big',\n\t'object_based':\tfalse,\n"
	      "\t'read_only':\t'nobody may'\n}\n");
}

static void check_member(const struct model *m, const char *name, const char *expected)
{
	cleanup_buf struct buf text = {0}, wanted = {0};
	cleanup_json struct json json = {0};
	struct error err = {0};
	json_ref found;

	add_json(&wanted, expected);
	assert_int_equal(model_json(m, &text), 0);
	assert_int_equal(json_parse(&json, buf_span(&text), &err), 0);
	found = json_get(&json, 0, name);
	assert_int_equal(found != 0, expected[0] != '\0');
	if (found)
		assert_same(json.values[found].text, buf_span(&wanted));
}

TEST(several_metagraphs)
{
	struct span serve = span_str("serve"), groups[] = {span_str("untagged"), serve};
	struct document documents[] = {
		{DOCUMENT_SIGNATURE, 0, span_str("a"), span_str("")},
		{DOCUMENT_SIGNATURE, 1, span_str("b"), span_str("")},
	};
	struct saved_model_own own = {.tags = &serve, .n_tags = 1};
	struct model m = {
		.format = &format_saved_model,
		.own = &own,
		.groups = groups,
		.n_groups = 2,
		.served = 1,
		.documents = documents,
		.n_documents = 2,
	};

	check_member(&m, "metagraphs", "2");
	check_member(&m, "metagraph_names", "['untagged', 'serve']");
	check_member(&m, "tags", "['serve']");
	check_member(&m, "signatures", "['b']");
}

TEST(why_something_is_absent)
{
	struct bundle_own own = {.prefix = NULL};
	struct model m = {.format = &format_bundle, .own = &own};

	check_member(&m, "absent", "");
	m.absent[DOCUMENT_CONFIG] = "no \"Keras\"";
	check_member(&m, "absent", "{\n\t\t'config.json':\t'no \\'Keras\\''\n\t}");
	m.absent[DOCUMENT_SIGNATURE] = "none";
	check_member(&m, "absent",
		     "{\n\t\t'signatures':\t'none',\n\t\t'config.json':\t'no \\'Keras\\''\n\t}");
	m.absent[DOCUMENT_SIGNATURE] = m.absent[DOCUMENT_CONFIG] = NULL;
	m.absent[DOCUMENT_TRAINING] = m.absent[DOCUMENT_OBJECT_GRAPH] = "-";
	check_member(&m, "absent",
		     "{\n\t\t'training_config.json':\t'-',\n\t\t'object_graph.json':\t'-'\n\t}");
}

TEST(notes_line_by_line)
{
	struct bundle_own own = {.prefix = NULL};
	struct model m = {.format = &format_bundle, .own = &own};

	check_member(&m, "notes", "");
	model_note(&m, "one %d", 1);
	check_member(&m, "notes", "['one 1']");
	model_note(&m, "two");
	check_member(&m, "notes", "['one 1', 'two']");
	buf_release(&m.notes);
}

/* Text from a file may be anything. */
TEST(odd_names)
{
	struct span tags[] = {
		span_of("a\0b", 3),	span_str("\xff\xc3"), span_str("\xc3\xa9"),
		span_str("\"\\\n\x7f"), span_str(""),
	};
	struct saved_model_own own = {.tags = tags, .n_tags = 5};
	struct span group = {0};
	struct model m = {.format = &format_saved_model, .own = &own};

	m.groups = &group;
	m.n_groups = 1;

	check_member(&m, "tags",
		     "['a\\u0000b', '\\ufffd\\ufffd', '\\u00e9', '\\'\\\\\\n\\u007f', '']");
}

/* Members of a model that has these tensors. */
static void check_tensors(const struct tensor *tensors, size_t n, const char *key,
			  const char *expected)
{
	cleanup_model struct model *m = model_new();

	m->format = &format_bundle;
	m->own = calloc(1, sizeof(struct bundle_own));
	for (size_t i = 0; i < n; i++) {
		const char name[] = {(char)('a' + i)};
		struct tensor t = tensors[i];
		tensor_id id;

		t.key = arena_copy(&m->arena, span_of(name, 1));
		assert_int_equal(model_add_tensor(m, &t, &id), 0);
	}
	check_member(m, key, expected);
}

TEST(sizes)
{
	int64_t big[] = {INT64_MAX}, small[] = {3, 5};
	const struct tensor most = {.dtype = 4, .shape = {1, big}};
	const struct tensor tensors[] = {
		{.dtype = 1, .shape = {2, small}},
		{.dtype = DTYPE_STRING,
		 .shape = {2, small},
		 .storage = {.type = STORED_EXTENT, .extent = {.size = 100}}},
		{.dtype = 1, .shape = {1, big}, .damage = "bad"},
	};

	check_tensors(tensors, 3, "tensors", "3");
	check_tensors(tensors, 3, "bytes", "160");
	check_tensors(tensors, 3, "damaged", "1");
	check_tensors(tensors, 2, "damaged", "");
	/* More than a double could say, and more than there is. */
	check_tensors(&most, 1, "bytes", "9223372036854775807");
	check_tensors((struct tensor[]){most, most, most}, 3, "bytes", "18446744073709551615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checkpoint),
		cmocka_unit_test(saved_model),
		cmocka_unit_test(several_metagraphs),
		cmocka_unit_test(why_something_is_absent),
		cmocka_unit_test(notes_line_by_line),
		cmocka_unit_test(odd_names),
		cmocka_unit_test(sizes),
	};

	return RUN(tests);
}
