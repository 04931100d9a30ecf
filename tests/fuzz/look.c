#include "codec/content/content.h"
#include "codec/content/verify.h"
#include "codec/model/format.h"
#include "codec/base/json.h"
#include "codec/graph/layers.h"
#include "codec/graph/model_json.h"
#include "codec/model/names.h"
#include "fuzz.h"

enum { TENSORS_MAX = 100, SEEN_MAX = 65536, IOVECS = 16 };

static void must_be_json(struct span text)
{
	cleanup_json struct json json = {0};

	MUST(json_parse(&json, text, NULL) == 0);
}

static void look_at_documents(struct model *m)
{
	cleanup_buf struct buf out = {0};
	struct error err = {0};

	MUST(model_json(m, &out) == 0);
	must_be_json(buf_span(&out));
	for (size_t i = 0; i < m->n_documents; i++) {
		const struct document *d = &m->documents[i];

		MUST(d->group < m->n_groups || !d->group);
		MUST(d->group != m->served || model_document(m, d->type, d->name) == d);
		buf_reset(&out);
		if (model_print(m, d, &out, &err) == 0)
			must_be_json(buf_span(&out));
		else
			MUST(d->type == DOCUMENT_OBJECT_GRAPH);
	}
}

/* The mapped pieces are the bytes that were copied. */
static void compare_pieces(struct content *c, uint64_t offset, struct span copied)
{
	struct iovec iov[IOVECS];
	int n;

	content_lock(c);
	n = content_read(c, offset, copied.n, iov, IOVECS);
	for (int i = 0; i < n; i++) {
		struct span part;

		MUST(span_take(&copied, iov[i].iov_len, &part) == 0);
		MUST(span_equal(part, span_of(iov[i].iov_base, iov[i].iov_len)));
	}
	MUST(n == -E2BIG || copied.n == 0);
	content_unlock(c);
}

/* Any part of it, at its place in the whole. */
static void look_at_part(struct content *c, uint64_t offset, struct span whole, size_t from,
			 size_t n)
{
	static uint8_t part[SEEN_MAX];

	MUST(content_copy(c, offset + from, n, part, NULL) == 0);
	MUST(span_equal(span_of(part, n), span_first(span_skip(whole, from), n)));
	if (n)
		compare_pieces(c, offset + from, span_of(part, n));
}

static void look_at_bytes(struct content *c, uint64_t offset, size_t n)
{
	static uint8_t seen[SEEN_MAX];
	struct span whole = span_of(seen, n);

	if (!n || content_copy(c, offset, n, seen, NULL) < 0)
		return;
	compare_pieces(c, offset, whole);
	look_at_part(c, offset, whole, 0, n / 2);
	look_at_part(c, offset, whole, n / 2, n - n / 2);
	look_at_part(c, offset, whole, n / 3, 1);
}

static void verify(struct model *m, const struct tensor *t)
{
	for (size_t i = 0; i < tensor_runs(t); i++) {
		struct error err = {0};

		MUST(tensor_run(t, i).extent.shard < m->n_shards);
		if (verify_part(m, t, i, NULL, &err) < 0)
			MUST(err.text[0]);
	}
}

static void must_be_said(void *context, const char *sentence)
{
	(void)context;
	MUST(sentence[0]);
}

static void look_at_tensor(struct model *m, struct tensor *t)
{
	struct content *c;
	struct error err = {0};
	uint64_t size = content_size(m, t);
	size_t n = size < SEEN_MAX ? (size_t)size : SEEN_MAX;

	MUST(model_find(m, t->key) == t);
	if (content_open(m, t, false, &c, &err) < 0) {
		MUST(err.text[0]);
		return;
	}
	MUST(!t->damage);
	look_at_bytes(c, 0, n);
	look_at_bytes(c, size - n, n);
	(void)content_close(c, false, NULL);
}

static int look_at_name(void *model, uint32_t tensor, struct span name)
{
	const struct model *m = model;

	MUST(model_find(m, model_tensor(m, tensor)->key)->id == tensor && name.n);
	return 0;
}

static void look_at_layers(struct model *m)
{
	cleanup_layers struct layers l = {0};
	struct error err = {0};

	if (model_layers(m, &l, &err) < 0) {
		MUST(err.text[0]);
		return;
	}
	for (size_t i = 0; i < l.n; i++)
		MUST(l.layers[i].name.n && l.layers[i].first + l.layers[i].n <= l.n_weights);
	for (size_t i = 0; i < l.n_weights; i++)
		MUST(look_at_name(m, l.weights[i].tensor, l.weights[i].name) == 0);
}

void look_at_model(struct model *m)
{
	struct tensor *t;

	look_at_documents(m);
	MUST(model_names(m, look_at_name, m) == 0);
	look_at_layers(m);
	for (size_t i = 0; i < TENSORS_MAX && (t = model_next(m, &i));) {
		look_at_tensor(m, t);
		verify(m, t);
	}
	if (m->format->verify)
		m->format->verify(m, must_be_said, NULL);
}
