/*
 * What a bundle has beside the tensors of the model: entries of its index that are no variables of
 * their own. They are slices of partitioned variables, and the object graph. A model that has a
 * bundle has them as m->own; only those who know that (saved_model/, too) know of them.
 */
#ifndef CODEC_BUNDLE_OWN_H
#define CODEC_BUNDLE_OWN_H

#include "codec/model/model.h"
#include "codec/tensor/stored.h"

/* A slice that its variable, which is damaged, does not name. */
enum { OWN_UNNAMED = UINT32_MAX };

struct own_entry {
	struct span key;
	struct span whole; /* of a slice: the base key of the variable; else empty */
	uint32_t slice;	   /* and which of its slices; or OWN_UNNAMED */
	struct stored_run run;
};

/*
 * An entry that makes no sense is not among them: nothing is known of it but its bytes. A format
 * that has more of its own begins with this one. All zero: there is no bundle.
 */
struct bundle_own {
	char *prefix; /* relative to the model's root */
	bool big_endian;
	int32_t producer;	   /* version of the format */
	size_t n_objects;	   /* nodes of the object graph; 0: there is none */
	struct arena arena;	   /* the keys */
	struct own_entry *entries; /* in the order of their keys */
	size_t n, capacity;
};

/* The prefix of a model's bundle; NULL: it has none. */
const char *own_prefix(const struct model *m);
/* struct format's (codec/model/format.h): frees what begins with a struct bundle_own. */
void own_release(void *own);
/* Adds a copy of an entry, whose key is greater than those that are there. -ENOMEM. */
int own_add(struct bundle_own *own, const struct own_entry *like);
/* The entry of the object graph, or NULL. */
const struct own_entry *own_graph(const struct bundle_own *own);

#endif
