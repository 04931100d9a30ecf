/*
 * What a bundle has beside the tensors of the model: entries of its index that are no variables of
 * their own. They are slices of partitioned variables, and the object graph. A bundle's model has
 * them as m->own; nobody outside of this wing knows of them.
 */
#ifndef CODEC_BUNDLE_OWN_H
#define CODEC_BUNDLE_OWN_H

#include "codec/model/model.h"
#include "codec/tensor/stored.h"

struct own_entry {
	struct span key;
	struct span whole; /* of a slice: the base key of the variable; else empty */
	uint32_t slice;	   /* and which of its slices */
	struct stored_run run;
};

/* An entry that makes no sense is not among them: nothing is known of it but its bytes. */
struct bundle_own {
	char *prefix;		   /* relative to the model's root */
	struct arena arena;	   /* the keys */
	struct own_entry *entries; /* in the order of their keys */
	size_t n, capacity;
};

/* NULL without memory. */
struct bundle_own *own_new(const char *prefix);
/* The prefix of a model that has a bundle. */
const char *own_prefix(const struct model *m);
/* struct format's (codec/model/format.h): frees a struct bundle_own. */
void own_release(void *own);
/* Adds a copy of an entry, whose key is greater than those that are there. -ENOMEM. */
int own_add(struct bundle_own *own, const struct own_entry *like);
/* The entry of the object graph, or NULL. */
const struct own_entry *own_graph(const struct bundle_own *own);

#endif
