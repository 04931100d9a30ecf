/*
 * An object: a thing of a model that can be edited, known by a number that it keeps as long as the
 * model is loaded. Another mount of the same model may give it another number; its key, which is
 * what the journal says once, is the same there.
 */
#ifndef CODEC_MODEL_OBJECT_H
#define CODEC_MODEL_OBJECT_H

#include "codec/model/model.h"

enum object_type {
	OBJECT_TENSOR,	 /* id: a tensor_id */
	OBJECT_DOCUMENT, /* id: index of model->documents */
	OBJECT_TYPES,
};

struct object {
	enum object_type type;
	uint32_t id;
};

static inline struct object object_tensor(tensor_id id)
{
	return (struct object){OBJECT_TENSOR, id};
}

/*
 * Adds the key: of a tensor its key on disk; of a document its type, the number of its group,
 * and its name, as "0/0/serving_default". -ENOMEM.
 */
int object_key(const struct model *m, struct object o, struct buf *out);
/* The other way. False: the model has no such object. */
bool object_find(const struct model *m, enum object_type type, struct span key, struct object *ret);

#endif
