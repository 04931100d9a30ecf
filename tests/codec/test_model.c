/* Tensors of a model by their ids and by their keys; and the keys of what can be edited. */
#include "support.h"

#include <stdio.h>

#include "codec/model/document.h"
#include "codec/model/object.h"

static tensor_id add(struct model *m, const char *key)
{
	struct tensor t = {.key = arena_copy(&m->arena, span_str(key)), .dtype = DTYPE_FLOAT32};
	tensor_id id;

	assert_int_equal(model_add_tensor(m, &t, &id), 0);
	return id;
}

/* Whatever was added since: a tensor is where it was, and the index is in order. */
TEST(tensors_never_move)
{
	enum { TENSORS = 5000 };
	cleanup_model struct model *m = model_new();
	struct tensor **where = calloc(TENSORS, sizeof(*where));
	const struct tensor *t, *last = NULL;
	uint64_t seed = 1;
	char key[32];

	for (tensor_id i = 0; i < TENSORS; i++) {
		/* Each once: the last digits count up. */
		snprintf(key, sizeof(key), "%05llu/%u",
			 (unsigned long long)random_below(&seed, 100000), i);
		assert_int_equal(add(m, key), i);
		where[i] = model_tensor(m, i);
	}
	assert_int_equal(m->n_ids, TENSORS);
	assert_int_equal(m->n_tensors, TENSORS);
	for (tensor_id i = 0; i < TENSORS; i++) {
		assert_ptr_equal(model_tensor(m, i), where[i]);
		assert_int_equal(where[i]->id, i);
		assert_ptr_equal(model_find(m, where[i]->key), where[i]);
	}
	for (size_t i = 0; (t = model_next(m, &i)); last = t)
		assert_true(!last || span_compare(last->key, t->key) < 0);
	free(where);
}

TEST(a_key_is_there_once)
{
	cleanup_model struct model *m = model_new();
	struct tensor again = {.key = span_str("b")};
	tensor_id id = 42;
	size_t i = 0;

	assert_null(model_next(m, &i));
	assert_null(model_find(m, span_str("b")));
	add(m, "b");
	add(m, "a");
	assert_int_equal(model_add_tensor(m, &again, &id), -EEXIST);
	assert_int_equal(id, 42);
	assert_int_equal(m->n_ids, 2);
	assert_null(model_find(m, span_str("aa")));
	assert_null(model_find(m, span_str("")));
}

/* A tensor has its key on disk too, which is the same bytes unless it was renamed. */
TEST(keys_on_disk)
{
	cleanup_model struct model *m = model_new();
	struct tensor renamed = {.key = span_str("new"), .base_key = span_str("old")};
	tensor_id id, other = add(m, "plain");

	assert_int_equal(model_add_tensor(m, &renamed, &id), 0);
	assert_ptr_equal(model_tensor(m, other)->base_key.p, model_tensor(m, other)->key.p);
	assert_ptr_equal(model_find_base(m, span_str("old")), model_tensor(m, id));
	assert_ptr_equal(model_find_base(m, span_str("plain")), model_tensor(m, other));
	assert_null(model_find_base(m, span_str("new")));
	assert_ptr_equal(model_find(m, span_str("new")), model_tensor(m, id));
	assert_null(model_find(m, span_str("old")));
}

/* ---- objects ---- */

static void check_key(const struct model *m, struct object o, const char *expected)
{
	cleanup_buf struct buf key = {0};
	struct object found;

	assert_int_equal(object_key(m, o, &key), 0);
	assert_says(buf_span(&key), expected);
	assert_true(object_find(m, o.type, buf_span(&key), &found));
	assert_int_equal(found.type, o.type);
	assert_int_equal(found.id, o.id);
}

TEST(objects_by_their_keys)
{
	cleanup_model struct model *m = model_new();
	static const struct document documents[] = {
		{.type = DOCUMENT_CONFIG},
		{.type = DOCUMENT_SIGNATURE, .name = {(const uint8_t *)"a/b", 3}},
		{.type = DOCUMENT_SIGNATURE, .group = 1, .name = {(const uint8_t *)"a/b", 3}},
	};
	struct object none;

	add(m, "w/0/x");
	add(m, "0/0/a/b");
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++)
		assert_int_equal(model_add_document(m, &documents[i]), 0);
	check_key(m, object_tensor(0), "w/0/x");
	check_key(m, object_tensor(1), "0/0/a/b");
	check_key(m, (struct object){OBJECT_DOCUMENT, 0}, "1/0/");
	check_key(m, (struct object){OBJECT_DOCUMENT, 1}, "0/0/a/b");
	check_key(m, (struct object){OBJECT_DOCUMENT, 2}, "0/1/a/b");
	assert_false(object_find(m, OBJECT_DOCUMENT, span_str("0/2/a/b"), &none));
	assert_false(object_find(m, OBJECT_TENSOR, span_str("1/0/"), &none));
	assert_false(object_find(m, OBJECT_TYPES, span_str("w/0/x"), &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tensors_never_move),
		cmocka_unit_test(a_key_is_there_once),
		cmocka_unit_test(keys_on_disk),
		cmocka_unit_test(objects_by_their_keys),
	};

	return RUN(tests);
}
