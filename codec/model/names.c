#include "codec/model/names.h"

/* ---- making names unique ---- */

static int compare_names(const void *a, const void *b, void *names)
{
	const struct span *n = names;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	int c = span_compare(n[i], n[k]);

	return c ? c : (i > k) - (i < k);
}

struct sorted {
	const struct span *names;
	uint32_t *order; /* indices of names, sorted */
	size_t n;
};

static bool is_taken(const struct sorted *s, struct span name)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = span_compare(s->names[s->order[middle]], name);

		if (c == 0)
			return true;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/*
 * The next number behind `number` that is free. What is skipped is a name of somebody else, and of
 * one name only: all of them together are no more than there are names.
 */
static uint32_t next_number(const struct sorted *s, struct span name, uint32_t number,
			    struct buf *text)
{
	do {
		number++;
		buf_reset(text);
		name_add(text, name, number);
	} while (!text->failed && is_taken(s, buf_span(text)));
	return number;
}

int names_number(const struct span *names, size_t n, uint32_t *ret)
{
	cleanup_free uint32_t *order = calloc(n + 1, sizeof(*order));
	struct sorted s = {names, order, n};
	cleanup_buf struct buf text = {0};

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), compare_names, (void *)(uintptr_t)names);
	for (size_t i = 0; i < n; i++) {
		struct span name = names[order[i]];
		bool again = i && span_equal(name, names[order[i - 1]]);

		ret[order[i]] = again ? next_number(&s, name, ret[order[i - 1]], &text) : 1;
	}
	return buf_error(&text);
}

void name_add(struct buf *out, struct span name, uint32_t number)
{
	buf_add(out, name);
	if (number > 1)
		buf_printf(out, "#%u", number);
}

/* ---- variables ---- */

bool model_has_names(const struct model *m)
{
	const struct tensor *t;

	for (size_t i = 0; (t = model_next(m, &i));)
		if (t->variable.n)
			return true;
	return false;
}

/* Who may keep a name: the one that functions work with, then the first of the graph. */
static int compare_claims(const void *a, const void *b, void *model)
{
	const struct tensor *x = model_tensor(model, *(const tensor_id *)a);
	const struct tensor *y = model_tensor(model, *(const tensor_id *)b);
	int c = span_compare(x->variable, y->variable);

	if (c == 0)
		c = (int)y->used - (int)x->used;
	if (c == 0)
		c = (x->node > y->node) - (x->node < y->node);
	return c ? c : span_compare(x->key, y->key);
}

static size_t sort_named(const struct model *m, tensor_id *order)
{
	const struct tensor *t;
	size_t n = 0;

	for (size_t i = 0; (t = model_next(m, &i));)
		if (t->variable.n)
			order[n++] = t->id;
	qsort_r(order, n, sizeof(*order), compare_claims, (void *)(uintptr_t)m);
	return n;
}

int model_names(const struct model *m,
		int (*each)(void *context, tensor_id tensor, struct span name), void *context)
{
	cleanup_free tensor_id *order = calloc(m->n_tensors + 1, sizeof(*order));
	cleanup_free uint32_t *numbers = calloc(m->n_tensors + 1, sizeof(*numbers));
	cleanup_free struct span *names = calloc(m->n_tensors + 1, sizeof(*names));
	cleanup_buf struct buf text = {0};
	size_t n;
	int r;

	if (!order || !numbers || !names)
		return -ENOMEM;
	n = sort_named(m, order);
	for (size_t i = 0; i < n; i++)
		names[i] = model_tensor(m, order[i])->variable;
	r = names_number(names, n, numbers);
	for (size_t i = 0; i < n && r >= 0; i++) {
		buf_reset(&text);
		name_add(&text, names[i], numbers[i]);
		r = text.failed ? -ENOMEM : each(context, order[i], buf_span(&text));
	}
	return r < 0 ? r : 0;
}
