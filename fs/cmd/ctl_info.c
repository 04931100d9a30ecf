/* weightctl info: what a model is, for people: model.json line by line, and counts. */
#include <stdio.h>
#include <stdlib.h>

#include "codec/base/json.h"
#include "codec/graph/model_json.h"
#include "fs/cmd/ctl.h"
#include "fs/view/log.h"

enum { COLUMN = 23 };

static void print_text(struct span quoted)
{
	cleanup_buf struct buf text = {0};

	json_unescape(quoted, &text);
	log_clean((char *)text.p, text.n);
	fwrite(text.p, 1, text.n, stdout);
}

/* A key of model.json, with spaces; a name of a document, below one, as it is. */
static void print_key(struct span quoted, int indent, int width)
{
	cleanup_buf struct buf key = {0};

	json_unescape(quoted, &key);
	for (size_t i = 0; i < key.n && !indent; i++)
		key.p[i] = key.p[i] == '_' ? ' ' : key.p[i];
	printf("%*s%-*.*s", indent, "", width, (int)key.n, (const char *)key.p);
}

static void print_value(const struct json *json, json_ref v);

static void print_elements(const struct json *json, json_ref array)
{
	for (json_ref i = json->values[array].child; i; i = json->values[i].next) {
		print_value(json, i);
		if (json->values[i].next)
			fputs(", ", stdout);
	}
}

static void print_value(const struct json *json, json_ref v)
{
	const struct json_value *value = &json->values[v];

	if (value->type == JSON_ARRAY)
		print_elements(json, v);
	else if (value->type == JSON_STRING)
		print_text(value->text);
	else if (value->type == JSON_BOOL)
		fputs(span_is(value->text, "true") ? "yes" : "no", stdout);
	else
		printf("%.*s", (int)value->text.n, (const char *)value->text.p);
}

static void print_members(const struct json *json, json_ref object, int indent)
{
	for (json_ref i = json->values[object].child; i; i = json->values[i].next) {
		bool group = json->values[i].type == JSON_OBJECT && !indent;

		print_key(json->values[i].key, indent, group ? 0 : COLUMN - indent);
		if (!group)
			print_value(json, i);
		putchar('\n');
		if (group)
			print_members(json, i, 2);
	}
}

/* ---- counts ---- */

struct count {
	uint32_t dtype;
	uint64_t tensors, elements, bytes;
};

static uint64_t sum(uint64_t a, uint64_t b)
{
	return add_overflows(a, b, &a) ? UINT64_MAX : a;
}

static int compare_dtypes(const void *a, const void *b)
{
	const struct count *x = a, *y = b;

	return (x->dtype > y->dtype) - (x->dtype < y->dtype);
}

/* One for each tensor that is shown and sound; how many. */
static size_t list_tensors(const struct model *m, struct count *counts)
{
	const struct tensor *t;
	size_t n = 0;

	for (size_t i = 0; (t = model_next(m, &i));) {
		struct count c = {.dtype = t->dtype, .tensors = 1, .bytes = tensor_size(t)};

		if (t->damage || shape_elements(&t->shape, &c.elements) < 0)
			continue;
		counts[n++] = c;
	}
	return n;
}

/* Adds up those of one dtype, which stand together; how many are left. */
static size_t add_up(struct count *counts, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		struct count *c = &counts[left ? left - 1 : 0];

		if (!left || c->dtype != counts[i].dtype) {
			counts[left++] = counts[i];
			continue;
		}
		c->tensors++;
		c->elements = sum(c->elements, counts[i].elements);
		c->bytes = sum(c->bytes, counts[i].bytes);
	}
	return left;
}

static int compare_bytes(const void *a, const void *b)
{
	const struct count *x = a, *y = b;

	return x->bytes == y->bytes ? (x->dtype > y->dtype) - (x->dtype < y->dtype)
				    : (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static bool print_counts(const struct model *m)
{
	cleanup_free struct count *counts = calloc(m->n_tensors + 1, sizeof(*counts));
	size_t n;

	if (!counts)
		return false;
	n = list_tensors(m, counts);
	if (!n)
		return true;
	qsort(counts, n, sizeof(*counts), compare_dtypes);
	n = add_up(counts, n);
	qsort(counts, n, sizeof(*counts), compare_bytes);
	printf("\n%-*s %10s %16s %16s\n", COLUMN - 1, "dtype", "tensors", "elements", "bytes");
	for (size_t i = 0; i < n; i++)
		printf("%-*s %10llu %16llu %16llu\n", COLUMN - 1, dtype_name(counts[i].dtype).text,
		       (unsigned long long)counts[i].tensors,
		       (unsigned long long)counts[i].elements, (unsigned long long)counts[i].bytes);
	return true;
}

static bool print_model(const struct model *m)
{
	cleanup_json struct json json = {0};
	cleanup_buf struct buf text = {0};

	if (model_json(m, &text) < 0 || json_parse(&json, buf_span(&text), NULL) < 0)
		return false;
	print_members(&json, 0, 0);
	return print_counts(m);
}

static int run(int argc, char **argv)
{
	struct branch *b;
	struct view *v;
	bool all, first = true;

	if (argc != 2)
		return ctl_usage(&ctl_info);
	v = ctl_open(argv[1]);
	if (!v)
		return EXIT_NOT_MOUNTABLE;
	all = ctl_look_at_all(v);
	for (size_t k = 0; (b = view_next_branch(v, &k)); first = false) {
		cleanup_buf struct buf name = {0};

		view_path(v, b->root, &name);
		if (name.n)
			printf("%s%s:\n", first ? "" : "\n", quote(buf_span(&name)));
		all &= print_model(b->model);
	}
	view_free(v);
	return all && fflush(stdout) == 0 ? EXIT_FINE : EXIT_FINDING;
}

const struct ctl_command ctl_info = {
	.name = "info",
	.arguments = "MODEL",
	.what = "say what a model is, and what it holds",
	.run = run,
};
