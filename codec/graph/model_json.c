#include "codec/graph/model_json.h"

#include <cjson/cJSON.h>

#include "codec/graph/object_graph.h"
#include "codec/model/format.h"
#include "codec/base/json.h"

/*
 * cJSON's own strings end at a NUL and may be no UTF-8, its numbers are doubles: what comes from
 * a file goes in as text that is JSON already.
 */
struct printer {
	cJSON *root;
	bool ok; /* false: no memory, and nothing more is added */
};

static cJSON *text_item(struct span text)
{
	cleanup_buf struct buf json = {0};

	json_add_string(&json, text);
	buf_add_u8(&json, '\0');
	return json.failed ? NULL : cJSON_CreateRaw((const char *)json.p);
}

static cJSON *number_item(uint64_t n)
{
	cleanup_buf struct buf json = {0};

	buf_printf(&json, "%llu", (unsigned long long)n);
	return json.failed ? NULL : cJSON_CreateRaw((const char *)json.p);
}

/* item is NULL without memory; it is the printer's now. */
static void add(struct printer *p, const char *key, cJSON *item)
{
	p->ok = p->ok && cJSON_AddItemToObject(p->root, key, item);
	if (!p->ok)
		cJSON_Delete(item);
}

static void append(struct printer *p, cJSON *array, cJSON *item)
{
	p->ok = p->ok && cJSON_AddItemToArray(array, item);
	if (!p->ok)
		cJSON_Delete(item);
}

static void add_known(struct printer *p, const char *key, struct span text)
{
	if (text.n)
		add(p, key, text_item(text));
}

/* What the MetaGraphDefs are called below metagraphs/. */
static void add_names(struct printer *p, const struct model *m)
{
	cJSON *names = cJSON_CreateArray();

	add(p, "metagraph_names", names);
	for (size_t i = 0; i < m->n_metagraphs; i++)
		append(p, names, text_item(m->metagraphs[i].name));
}

static void add_graph(struct printer *p, const struct model *m)
{
	cJSON *tags = cJSON_CreateArray(), *signatures = cJSON_CreateArray();
	const struct model_graph *served = &m->metagraphs[m->served];

	add(p, "metagraphs", number_item(m->n_metagraphs));
	if (m->n_metagraphs > 1)
		add_names(p, m);
	add(p, "tags", tags);
	for (size_t i = 0; i < served->n_tags; i++)
		append(p, tags, text_item(served->tags[i]));
	add(p, "signatures", signatures);
	for (size_t i = 0; i < m->n_documents; i++)
		if (m->documents[i].type == DOCUMENT_SIGNATURE &&
		    m->documents[i].metagraph == m->served)
			append(p, signatures, text_item(m->documents[i].name));
}

static void add_tensors(struct printer *p, const struct model *m)
{
	uint64_t bytes = 0, damaged = 0;
	const struct tensor *t;

	for (size_t i = 0; (t = model_next(m, &i));) {
		damaged += t->damage != NULL;
		/* Entries may claim what no disk holds. */
		if (!t->damage && add_overflows(bytes, tensor_size(t), &bytes))
			bytes = UINT64_MAX;
	}
	add(p, "tensors", number_item(m->n_tensors));
	add(p, "bytes", number_item(bytes));
	if (damaged)
		add(p, "damaged", number_item(damaged));
}

static void add_absent(struct printer *p, const struct model *m)
{
	static const char *const names[DOCUMENT_TYPES] = {
		[DOCUMENT_SIGNATURE] = "signatures",
		[DOCUMENT_CONFIG] = "config.json",
		[DOCUMENT_TRAINING] = "training_config.json",
		[DOCUMENT_OBJECT_GRAPH] = "object_graph.json",
	};
	struct printer absent = {.root = cJSON_CreateObject(), .ok = p->ok};

	for (int i = 0; i < DOCUMENT_TYPES; i++)
		if (m->absent[i])
			add(&absent, names[i], text_item(span_str(m->absent[i])));
	p->ok = absent.ok;
	if (cJSON_GetArraySize(absent.root))
		add(p, "absent", absent.root);
	else
		cJSON_Delete(absent.root);
}

/* The model's notes: a sentence a line. */
static void add_notes(struct printer *p, const struct model *m)
{
	struct span rest = buf_span(&m->notes);
	cJSON *notes;

	if (!rest.n)
		return;
	notes = cJSON_CreateArray();
	add(p, "notes", notes);
	while (rest.n) {
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;

		append(p, notes, text_item(span_first(rest, n)));
		rest = span_skip(rest, end ? n + 1 : n);
	}
}

static void add_all(struct printer *p, const struct model *m)
{
	const struct read_only *read_only = m->read_only;

	add_known(p, "format", span_str(m->format->name));
	if (m->kind)
		add_known(p, "kind", span_str(m->kind));
	add_known(p, "tensorflow_version", m->tensorflow_version);
	add_known(p, "keras_version", m->keras_version);
	if (m->n_metagraphs)
		add_graph(p, m);
	add_tensors(p, m);
	if (m->n_objects)
		add(p, "objects", number_item(m->n_objects));
	add(p, "shards", number_item(m->n_shards));
	if (m->bundle_producer)
		add(p, "bundle_producer", number_item((uint64_t)m->bundle_producer));
	add(p, "byte_order", cJSON_CreateString(m->byte_order ? m->byte_order : "little"));
	add(p, "object_based", cJSON_CreateBool(m->object_based));
	if (read_only)
		add_known(p, "read_only", span_str(read_only->why));
	add_absent(p, m);
	add_notes(p, m);
}

int model_json(const struct model *m, struct buf *out)
{
	struct printer p = {.root = cJSON_CreateObject(), .ok = true};
	char *text = NULL;

	add_all(&p, m);
	if (p.ok)
		text = cJSON_Print(p.root);
	cJSON_Delete(p.root);
	if (!text)
		return -ENOMEM;
	buf_add_str(out, text);
	buf_add_u8(out, '\n');
	cJSON_free(text);
	return buf_error(out);
}
