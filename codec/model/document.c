#include "codec/model/model.h"

const struct document *model_document(const struct model *m, enum document_type type,
				      struct span name)
{
	for (size_t i = 0; i < m->n_documents; i++)
		if (m->documents[i].type == type && span_equal(m->documents[i].name, name) &&
		    (type != DOCUMENT_SIGNATURE || m->documents[i].group == m->served))
			return &m->documents[i];
	return NULL;
}

int model_add_document(struct model *m, const struct document *document)
{
	struct document *grown = realloc(m->documents, (m->n_documents + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	m->documents = grown;
	grown[m->n_documents++] = *document;
	return 0;
}

void model_set_absent(struct model *m, enum document_type type, const char *why)
{
	struct span text = arena_copy(&m->arena, span_str(why));

	m->absent[type] = text.p ? (const char *)text.p : "";
}

void model_explain_absent(struct model *m)
{
	static const char *const usually[DOCUMENT_TYPES] = {
		[DOCUMENT_SIGNATURE] = "only a SavedModel has signatures",
		[DOCUMENT_CONFIG] = "a checkpoint holds values, not the architecture",
		[DOCUMENT_TRAINING] = "only a SavedModel of Keras 2 says how it was compiled",
		[DOCUMENT_OBJECT_GRAPH] = "the keys are names, as TensorFlow 1 has them",
	};
	bool there[DOCUMENT_TYPES] = {false};

	for (size_t i = 0; i < m->n_documents; i++)
		there[m->documents[i].type] = true;
	for (int i = 0; i < DOCUMENT_TYPES; i++)
		if (!there[i] && !m->absent[i])
			m->absent[i] = usually[i];
}
