#include "codec/graph/model_json.h"

#include "codec/base/json_write.h"
#include "codec/model/format.h"

static void add_known(struct json_write *w, const char *key, struct span text)
{
	if (text.n)
		json_write_text(w, key, text);
}

static void add_tensors(struct json_write *w, const struct model *m)
{
	uint64_t bytes = 0, damaged = 0;
	const struct tensor *t;

	for (size_t i = 0; (t = model_next(m, &i));) {
		damaged += t->damage != NULL;
		/* Entries may claim what no disk holds. */
		if (!t->damage && add_overflows(bytes, tensor_size(t), &bytes))
			bytes = UINT64_MAX;
	}
	json_write_number(w, "tensors", m->n_tensors);
	json_write_number(w, "bytes", bytes);
	if (damaged)
		json_write_number(w, "damaged", damaged);
}

static void add_absent(struct json_write *w, const struct model *m)
{
	static const char *const names[DOCUMENT_TYPES] = {
		[DOCUMENT_SIGNATURE] = "signatures",
		[DOCUMENT_CONFIG] = "config.json",
		[DOCUMENT_TRAINING] = "training_config.json",
		[DOCUMENT_OBJECT_GRAPH] = "object_graph.json",
	};
	bool any = false;

	for (int i = 0; i < DOCUMENT_TYPES; i++) {
		if (!m->absent[i])
			continue;
		if (!any)
			json_write_object(w, "absent");
		any = true;
		json_write_text(w, names[i], span_str(m->absent[i]));
	}
	if (any)
		json_write_close(w);
}

/* The model's notes: a sentence a line. */
static void add_notes(struct json_write *w, const struct model *m)
{
	struct span rest = buf_span(&m->notes);

	if (!rest.n)
		return;
	json_write_array(w, "notes");
	while (rest.n) {
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;

		json_write_text(w, NULL, span_first(rest, n));
		rest = span_skip(rest, end ? n + 1 : n);
	}
	json_write_close(w);
}

int model_json(const struct model *m, struct buf *out)
{
	const struct read_only *read_only = m->read_only;
	struct json_write w;

	json_write_begin(&w);
	json_write_text(&w, "format", span_str(m->format->name));
	if (m->kind)
		json_write_text(&w, "kind", span_str(m->kind));
	add_known(&w, "tensorflow_version", m->tensorflow_version);
	add_known(&w, "keras_version", m->keras_version);
	m->format->explain(m, EXPLAIN_WHOLE, &w);
	add_tensors(&w, m);
	m->format->explain(m, EXPLAIN_STORAGE, &w);
	if (read_only)
		json_write_text(&w, "read_only", span_str(read_only->why));
	add_absent(&w, m);
	add_notes(&w, m);
	return json_write_end(&w, JSON_BY_TABS, out);
}
