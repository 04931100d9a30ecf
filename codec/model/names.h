/*
 * Names that are not unique, made so: variables by their own names, and layers.
 */
#ifndef CODEC_MODEL_NAMES_H
#define CODEC_MODEL_NAMES_H

#include "codec/model/model.h"

/*
 * Numbers n names: 1 for the first of a name, which keeps it. The next of the same name is to be
 * called NAME#2, and so on; numbers that make a name which another has by itself are left out.
 * -ENOMEM.
 */
int names_number(const struct span *names, size_t n, uint32_t *ret);
/* Adds the name, and its number unless that is 1. */
void name_add(struct buf *out, struct span name, uint32_t number);

/* True if there is a variable that has a name of its own. */
bool model_has_names(const struct model *m);
/*
 * Calls each() for every variable that has a name of its own, with a name that no other has: of
 * two of one name the one that the model's functions work with keeps it, else the one that comes
 * first in the object graph. In the order of the names. What each() returns below 0 ends it.
 * -ENOMEM.
 */
int model_names(const struct model *m,
		int (*each)(void *context, tensor_id tensor, struct span name), void *context);

#endif
