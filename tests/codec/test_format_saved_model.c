/* Models as a whole: those of tests/data beside what TensorFlow said of them, and some made here.
 */
#include "bundles.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "codec/graph/model_json.h"
#include "codec/model/format.h"
#include "codec/saved_model/internal.h"
#include "codec/base/json.h"
#include "codec/model/format.h"
#include "codec/saved_model/internal.h"
#include "codec/open.h"
#include "texts.h"

static void read_truth(const char *name, struct file *text, struct json *truth)
{
	cleanup_buf struct buf path = {0};
	struct error err = {0};

	buf_printf(&path, "%s/truth/%s.json%c", getenv("WEIGHTFS_DATA"), name, 0);
	assert_int_equal(file_read(AT_FDCWD, (const char *)path.p, 1 << 20, text, &err), 0);
	assert_int_equal(json_parse(truth, buf_span(&text->bytes), &err), 0);
}

static size_t count(const struct json *j, json_ref parent)
{
	size_t n = 0;

	for (json_ref i = j->values[parent].child; i; i = j->values[i].next)
		n++;
	return n;
}

/* Members may be in any order: the truth has them sorted by name. */
static void check_equal_json(const struct json *a, json_ref x, const struct json *b, json_ref y)
{
	const struct json_value *v = &a->values[x];
	json_ref other = b->values[y].child;

	assert_int_equal(v->type, b->values[y].type);
	assert_int_equal(count(a, x), count(b, y));
	if (v->type != JSON_OBJECT && v->type != JSON_ARRAY)
		assert_same(v->text, b->values[y].text);
	for (json_ref i = v->child; i; i = a->values[i].next) {
		if (v->type == JSON_OBJECT) {
			cleanup_buf struct buf key = {0};

			json_unescape(a->values[i].key, &key);
			buf_add_u8(&key, '\0');
			other = json_get(b, y, (const char *)key.p);
			assert_int_not_equal(other, 0);
		}
		check_equal_json(a, i, b, other);
		other = b->values[other].next;
	}
}

/* Those of one MetaGraphDef, by its number in the model and its place in the truth. */
static void check_signatures(struct model *m, const struct json *truth, uint32_t n,
			     json_ref metagraph)
{
	json_ref all = json_get(truth, metagraph, "signatures");
	size_t shown = 0, hidden = json_get(truth, all, "__saved_model_init_op") != 0;

	for (size_t i = 0; i < m->n_documents; i++) {
		const struct document *d = &m->documents[i];
		cleanup_json struct json json = {0};
		cleanup_buf struct buf text = {0};
		struct error err = {0};

		if (d->type != DOCUMENT_SIGNATURE || d->group != n)
			continue;
		assert_int_equal(model_print(m, d, &text, &err), 0);
		assert_int_equal(json_parse(&json, buf_span(&text), &err), 0);
		check_equal_json(&json, 0, truth, json_get(truth, all, (const char *)d->name.p));
		shown++;
	}
	assert_int_equal(shown + hidden, count(truth, all));
}

static void check_producer(struct span version, const struct json *truth, const char *name)
{
	json_ref producer = json_get(truth, json_get(truth, 0, "producer"), name);
	cleanup_buf struct buf text = {0};

	json_unescape(truth->values[producer].text, &text);
	assert_same(version, buf_span(&text));
}

static void check_training(const struct model *m, const struct json *truth)
{
	const struct document *d = model_document(m, DOCUMENT_TRAINING, span_str(""));
	json_ref keras = json_get(truth, 0, "keras");
	json_ref training = keras ? json_get(truth, keras, "training") : 0;
	cleanup_buf struct buf text = {0};

	if (training)
		json_unescape(truth->values[training].text, &text);
	assert_true((d != NULL) == (text.n > 0) && (d != NULL) == !m->absent[DOCUMENT_TRAINING]);
	if (d)
		assert_same(d->text, buf_span(&text));
}

static void check_config(const struct model *m, const struct json *truth)
{
	const struct document *d = model_document(m, DOCUMENT_CONFIG, span_str(""));
	json_ref keras = json_get(truth, 0, "keras");
	json_ref config = keras ? json_get(truth, keras, "from_saved") : 0;
	cleanup_buf struct buf text = {0};

	assert_int_equal(d != NULL, config != 0);
	assert_int_equal(m->absent[DOCUMENT_CONFIG] != NULL, config == 0);
	if (!d)
		return;
	json_unescape(truth->values[config].text, &text);
	assert_same(d->text, buf_span(&text));
	check_producer(m->keras_version, truth, "tf_keras");
}

static void check_metagraphs(struct model *m, const struct json *truth)
{
	json_ref list = json_get(truth, 0, "metagraphs");
	uint32_t n = 0;

	for (json_ref i = truth->values[list].child; i; i = truth->values[i].next, n++) {
		json_ref tags = json_get(truth, i, "tags");

		check_signatures(m, truth, n, i);
		if (count(truth, tags) == 1 && json_is(truth, truth->values[tags].child, "serve"))
			assert_int_equal(m->served, n);
	}
	assert_int_equal(m->n_groups, n);
	assert_says(m->groups[m->served], "serve");
}

static void check_object_graph(struct model *m, const struct json *truth)
{
	json_ref of = json_get(truth, 0, "checkpoints"), nodes;
	const struct document *d = model_document(m, DOCUMENT_OBJECT_GRAPH, span_str(""));
	cleanup_buf struct buf text = {0}, number = {0};
	cleanup_json struct json graph = {0};
	struct error err = {0};

	of = json_get(truth, truth->values[of].child, "graph");
	nodes = of ? json_get(truth, of, "nodes") : 0;
	assert_true(!d == !nodes && !d == (m->absent[DOCUMENT_OBJECT_GRAPH] != NULL));
	if (!d)
		return;
	assert_int_equal(model_print(m, d, &text, &err), 0);
	assert_int_equal(json_parse(&graph, buf_span(&text), &err), 0);
	buf_printf(&number, "%zu", (size_t)count(&graph, json_get(&graph, 0, "nodes")));
	assert_same(buf_span(&number), truth->values[nodes].text);
}

static const struct {
	const char *name;
	size_t variables;
	const char *base; /* its files, the one that is locked last */
	const char *folders;
	const char *kind;
} models[] = {
	{"mlp", 24, "keras_metadata.pb saved_model.pb variables/variables.index ", "",
	 "Keras 2 SavedModel"},
	{"nested", 38, "keras_metadata.pb saved_model.pb variables/variables.index ", "",
	 "Keras 2 SavedModel"},
	{"vocab", 2, "saved_model.pb variables/variables.index ", "assets assets.extra ",
	 "TensorFlow 2 SavedModel"},
	{"tf1", 9, "saved_model.pb variables/variables.index ", "assets ",
	 "TensorFlow 1 SavedModel"},
	{"keras3", 17, "saved_model.pb variables/variables.index ", "", "TensorFlow 2 SavedModel"},
	{"multi", 1, "saved_model.pb variables/variables.index ", "", "TensorFlow 1 SavedModel"},
	{"novars", 0, "saved_model.pb variables/variables.index ", "", "TensorFlow 2 SavedModel"},
	{"novars_tf1", 0, "saved_model.pb ", "", "TensorFlow 1 SavedModel"},
	{"tags", 1, "saved_model.pb variables/variables.index ", "", "TensorFlow 1 SavedModel"},
	{"spelled", 4, "keras_metadata.pb saved_model.pb variables/variables.index ", "",
	 "Keras 2 SavedModel"},
	{"old_keras", 4, "saved_model.pb variables/variables.index ", "", "Keras 2 SavedModel"},
	{"plain_215", 14, "keras_metadata.pb saved_model.pb variables/variables.index ", "",
	 "Keras 2 SavedModel"},
	{"spelled_215", 4, "keras_metadata.pb saved_model.pb variables/variables.index ", "",
	 "Keras 2 SavedModel"},
	{"spelled_212", 2, "keras_metadata.pb saved_model.pb variables/variables.index ", "",
	 "Keras 2 SavedModel"},
	{"plain_212", 14, "keras_metadata.pb saved_model.pb variables/variables.index ", "",
	 "Keras 2 SavedModel"},
};

static void check_base(const struct model *m, const char *expected)
{
	cleanup_buf struct buf names = {0};

	for (size_t i = 0; i < m->n_base; i++)
		buf_printf(&names, "%s ", m->base[i].name);
	assert_says(buf_span(&names), expected);
	assert_string_equal(m->work, ".weightfs");
}

static void check_folders(const struct model *m, const char *expected)
{
	cleanup_buf struct buf names = {0};

	for (size_t i = 0; m->folders[i]; i++)
		buf_printf(&names, "%s ", m->folders[i]);
	assert_says(buf_span(&names), expected);
}

TEST(models_of_tensorflow)
{
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		cleanup_open_model struct model *m =
			open_model_in(getenv("WEIGHTFS_DATA"), models[i].name);
		cleanup_file struct file text = {0};
		cleanup_json struct json truth = {0};

		read_truth(models[i].name, &text, &truth);
		check_metagraphs(m, &truth);
		check_object_graph(m, &truth);
		check_config(m, &truth);
		check_training(m, &truth);
		check_base(m, models[i].base);
		assert_int_equal(m->n_tensors, models[i].variables);
		assert_string_equal(m->kind, models[i].kind);
		check_folders(m, models[i].folders);
		check_producer(m->tensorflow_version, &truth, "tensorflow");
		assert_int_equal(m->notes.n, 0);
	}
}

TEST(the_file_stands_for_the_folder)
{
	cleanup_open_model struct model *m =
		open_model_in(getenv("WEIGHTFS_DATA"), "vocab/saved_model.pb");

	check_base(m, "saved_model.pb variables/variables.index ");
	assert_true(m->n_documents == 3 && m->n_tensors == 2);
}

TEST(models_of_other_people)
{
	const char *real = getenv("WEIGHTFS_REAL");
	struct stat st;

	if (!real || stat(real, &st) < 0)
		skip();
	for (int tf = 1; tf <= 2; tf++) {
		cleanup_open_model struct model *m =
			open_model_in(real, tf == 1 ? "half_plus_three_tf1" : "half_plus_two_tf2");

		assert_true(m->n_tensors == 3 && m->folders[0]);
		assert_int_equal(m->n_documents, tf == 1 ? 2 : 7);
		assert_non_null(model_document(m, DOCUMENT_SIGNATURE, span_str("serving_default")));
		assert_says(m->tensorflow_version, tf == 1 ? "1.0.0-rc2" : "2.14.0");
	}
}

TEST(broken_models_are_refused)
{
	static const struct {
		const char *name, *says;
	} cases[] = {
		{"saved-model-not-a-proto",
		 "saved_model.pb: no SavedModel: not a message at offset 2"},
		{"saved-model-without-graph", "no MetaGraphDef"},
		{"nested-proto-bomb",
		 "saved_model.pb: signature serving_default, at offset 40: not a"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buf struct buf path = {0};
		struct model *m = NULL;
		struct error err = {0};

		buf_printf(&path, "%s/broken/%s%c", getenv("WEIGHTFS_DATA"), cases[i].name, 0);
		assert_refused(model_open((const char *)path.p, &m, &err), -EBADMSG, &err,
			       cases[i].says);
		assert_null(m);
	}
}

/* ---- made here ---- */

/* A MetaGraphDef with the tags (with commas between), which holds what is in rest. */
static void add_graph(struct buf *file, const char *tags, struct buf *rest)
{
	struct buf info = {0}, graph = {0};

	while (*tags) {
		size_t n = strcspn(tags, ",");

		pb_add_bytes(&info, 4, span_of(tags, n));
		tags += n + (tags[n] == ',');
	}
	add_field(&graph, 1, &info);
	buf_add(&graph, buf_span(rest));
	buf_release(rest);
	add_field(file, 2, &graph);
}

/* saved_model.pb with one for serving. */
static void write_graph(const struct folder *f, struct buf *rest)
{
	struct buf file = {0};

	add_graph(&file, "serve", rest);
	folder_write(f, "saved_model.pb", buf_span(&file));
	buf_release(&file);
}

static void add_signature(struct buf *graph, const char *name, const char *method)
{
	struct buf entry = {0}, def = {0};

	add_text_field(&def, 3, method);
	add_text_field(&entry, 1, name);
	add_field(&entry, 2, &def);
	add_field(graph, 5, &entry);
}

TEST(signatures_of_tensorflow_itself_are_not_shown)
{
	struct folder f;
	struct buf graph = {0};
	struct model *m;

	folder_make(&f);
	add_signature(&graph, "__saved_model_init_op", "");
	add_signature(&graph, "__saved_model_train_op", "");
	write_graph(&f, &graph);
	m = open_model_in(f.path, ".");
	assert_int_equal(m->n_documents, 0);
	assert_string_equal(m->absent[DOCUMENT_SIGNATURE], "the model has none");
	check_base(m, "saved_model.pb ");
	assert_null(own_prefix(m));
	model_close(m);
	folder_unmake(&f);
}

/* A map that has a key twice: the last one counts, as in every reader of protobuf. */
TEST(signature_that_stands_twice)
{
	struct folder f;
	struct buf graph = {0};
	struct model *m;

	folder_make(&f);
	add_signature(&graph, "a", "first");
	add_signature(&graph, "b", "other");
	add_signature(&graph, "a", "last");
	write_graph(&f, &graph);
	m = open_model_in(f.path, ".");
	assert_int_equal(m->n_documents, 2);
	assert_says(model_document(m, DOCUMENT_SIGNATURE, span_str("a"))->text, "\x1a\x04last");
	assert_null(m->absent[DOCUMENT_SIGNATURE]);
	model_close(m);
	folder_unmake(&f);
}

TEST(names_of_metagraphs)
{
	static const struct {
		const char *tags, *name;
	} cases[] = {
		{"train", "train"},   {"serve,gpu", "gpu,serve"},   {"serve", "serve"},
		{"", "untagged"},     {"gpu,serve", "gpu,serve#2"}, {"", "untagged#2"},
		{"serve", "serve#2"}, {"gpu,serve", "gpu,serve#3"}, {"ser", "ser"},
	};
	struct buf file = {0};
	struct folder f;
	struct model *m;

	folder_make(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf rest = {0};

		add_signature(&rest, "same", cases[i].name);
		add_graph(&file, cases[i].tags, &rest);
	}
	folder_write(&f, "saved_model.pb", buf_span(&file));
	buf_release(&file);
	m = open_model_in(f.path, ".");
	assert_int_equal(m->n_groups, ARRAY_SIZE(cases));
	assert_int_equal(m->served, 2);
	assert_true(model_document(m, DOCUMENT_SIGNATURE, span_str("same")) == &m->documents[2]);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_says(m->groups[i], cases[i].name);
		assert_int_equal(m->documents[i].group, i);
	}
	model_close(m);
	folder_unmake(&f);
}

/* Beyond what anybody has, the signatures are given up, not the model. */
TEST(too_many_signatures)
{
	struct folder f;
	struct model *m;

	folder_make(&f);
	for (int n = 10000; n <= 10001; n++) {
		struct buf graph = {0};

		for (int i = 0; i < n; i++)
			add_signature(&graph, "same", "");
		write_graph(&f, &graph);
		m = open_model_in(f.path, ".");
		assert_int_equal(m->n_documents, n == 10000);
		assert_int_equal(m->notes.n > 0, n > 10000);
		check_base(m, "saved_model.pb ");
		model_close(m);
	}
	folder_unmake(&f);
}

static void write_metadata(const struct folder *f, const char *json)
{
	struct buf node = {0}, file = {0};

	add_text_field(&node, 3, "root");
	add_text_field(&node, 5, json);
	add_field(&file, 1, &node);
	folder_write(f, "keras_metadata.pb", buf_span(&file));
	buf_release(&file);
}

static bool span_has(struct span s, const char *words)
{
	return s.n && memmem(s.p, s.n, words, strlen(words));
}

static void check_no_config(const struct folder *f, const char *why, bool noted)
{
	cleanup_open_model struct model *m = open_model_in(f->path, ".");

	assert_null(model_document(m, DOCUMENT_CONFIG, span_str("")));
	assert_null(model_document(m, DOCUMENT_TRAINING, span_str("")));
	assert_non_null(strstr(m->absent[DOCUMENT_CONFIG], why));
	assert_non_null(m->absent[DOCUMENT_TRAINING]);
	assert_int_equal(span_has(buf_span(&m->notes), "config.json"), noted);
}

TEST(models_without_config)
{
	struct folder f;
	struct buf graph = {0};

	folder_make(&f);
	write_graph(&f, &graph);
	check_no_config(&f, "there is no keras_metadata.pb", false);
	folder_write(&f, "keras_metadata.pb", (struct span){0});
	check_no_config(&f, "keras_metadata.pb says nothing of the model", false);
	folder_write(&f, "keras_metadata.pb", span_str("\x0a"));
	check_no_config(&f, "keras_metadata.pb: not a message at offset 0", true);
	write_metadata(&f, "{\"a\": 1,\n x}");
	check_no_config(&f, "keras_metadata.pb: JSON, line 2, column 2", true);
	write_metadata(&f, "{\"model_config\": {\"class_name\": \"Sub\"}}");
	check_no_config(&f, "without its architecture", false);
	folder_unmake(&f);
}

/* Up to TensorFlow 2.4 the metadata stood in the object graph. */
TEST(config_of_an_old_model)
{
	struct buf user = {0}, object = {0}, objects = {0}, graph = {0};
	struct folder f;
	struct model *m;

	folder_make(&f);
	add_text_field(&user, 1, "_tf_keras_sequential");
	add_text_field(&user, 3,
		       "{\"model_config\": {\"class_name\": \"Sequential\", \"config\": [1.0]}}");
	add_field(&object, 4, &user);
	add_field(&objects, 1, &object);
	add_field(&graph, 7, &objects);
	write_graph(&f, &graph);
	m = open_model_in(f.path, ".");
	assert_int_equal(m->n_documents, 1);
	assert_says(m->documents[0].text, "{\"class_name\": \"Sequential\", \"config\": [1.0]}");
	model_close(m);
	/* Where there is a keras_metadata.pb, it alone is asked. */
	write_metadata(&f, "{\"keras_version\": \"2.5.0\"}");
	check_no_config(&f, "without its architecture", false);
	folder_unmake(&f);
}

static void check_noted(const struct folder *f, const char *words, const char *base)
{
	cleanup_open_model struct model *m = open_model_in(f->path, ".");

	assert_true(span_has(buf_span(&m->notes), words));
	check_base(m, base);
}

static int make_huge(const struct folder *f, const char *name)
{
	cleanup_fd int fd = openat(f->fd, name, O_WRONLY | O_CLOEXEC);

	return ftruncate(fd, (off_t)3 << 30); /* sparse */
}

TEST(what_is_noted)
{
	struct folder f;
	struct buf graph = {0};

	folder_make(&f);
	folder_write(&f, "saved_model.pbtxt", span_str("text"));
	check_noted(&f, "no signatures and no config.json: saved_model.pbtxt is text",
		    "saved_model.pbtxt ");
	write_graph(&f, &graph);
	assert_return_code(mkdirat(f.fd, "variables", 0700), errno);
	check_noted(&f, "variables/variables.index is missing", "saved_model.pb ");
	folder_write(&f, "saved_model.cpb", span_str(""));
	check_noted(&f, "saved_model.cpb", "saved_model.pb ");
	assert_return_code(unlinkat(f.fd, "variables", AT_REMOVEDIR), errno);
	assert_return_code(make_huge(&f, "saved_model.pb"), errno);
	check_noted(&f, "saved_model.pb: 3221225472 bytes, more than", "saved_model.pb ");
	folder_unmake(&f);
}

TEST(empty_file_is_no_model)
{
	struct folder f;
	struct model *m = NULL;
	struct error err = {0};

	folder_make(&f);
	folder_write(&f, "saved_model.pb", (struct span){0});
	assert_refused(model_open(f.path, &m, &err), -EBADMSG, &err, "no MetaGraphDef");
	folder_unmake(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models_of_tensorflow),
		cmocka_unit_test(the_file_stands_for_the_folder),
		cmocka_unit_test(models_of_other_people),
		cmocka_unit_test(broken_models_are_refused),
		cmocka_unit_test(signatures_of_tensorflow_itself_are_not_shown),
		cmocka_unit_test(signature_that_stands_twice),
		cmocka_unit_test(names_of_metagraphs),
		cmocka_unit_test(too_many_signatures),
		cmocka_unit_test(models_without_config),
		cmocka_unit_test(config_of_an_old_model),
		cmocka_unit_test(what_is_noted),
		cmocka_unit_test(empty_file_is_no_model),
	};

	return RUN(tests);
}
