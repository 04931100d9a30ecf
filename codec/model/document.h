/*
 * Documents: what a model says beside the values of its tensors.
 */
#ifndef CODEC_MODEL_DOCUMENT_H
#define CODEC_MODEL_DOCUMENT_H

#include "codec/base/span.h"

struct model;

/*
 * What a document says; how it is shown is the affair of floor 3. The numbers stand in journals
 * (codec/model/object.h): a new type comes at the end.
 */
enum document_type {
	DOCUMENT_SIGNATURE,    /* text: a SignatureDef, as its bytes stand in saved_model.pb */
	DOCUMENT_CONFIG,       /* text: JSON, as model_from_json() takes it */
	DOCUMENT_TRAINING,     /* text: JSON, what model.compile() was given */
	DOCUMENT_OBJECT_GRAPH, /* text: none; model_print() shows what lies on disk */
	DOCUMENT_TYPES,
};

struct document {
	enum document_type type;
	uint32_t group;	  /* of a signature: the one that it is in, model->groups[group]; else 0 */
	struct span name; /* of a signature; empty otherwise */
	struct span text;
};

/* The document, or NULL; name matters for signatures only, which are those that are served. */
const struct document *model_document(const struct model *m, enum document_type type,
				      struct span name);
/* Adds a document; its strings must live in the model's arena. -ENOMEM. */
int model_add_document(struct model *m, const struct document *document);
/* Says why there are no documents of that type; the sentence is copied. */
void model_set_absent(struct model *m, enum document_type type, const char *why);
/* Says why there are no documents of the types that nothing was said about. */
void model_explain_absent(struct model *m);

#endif
