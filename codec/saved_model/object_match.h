/*
 * A SavedModel has its objects in two graphs: that of the checkpoint says which key each variable
 * has, that of saved_model.pb (SavedObjectGraph) its name as well, and Keras's metadata speaks of
 * its nodes. The two number their nodes each in its own way: an object is known by its path from
 * the root, or, as a slot, by the optimizer and the variable that it is for.
 */
#ifndef CODEC_SAVED_MODEL_OBJECT_MATCH_H
#define CODEC_SAVED_MODEL_OBJECT_MATCH_H

#include "codec/base/error.h"

enum { OBJECT_NOBODY = UINT32_MAX };

/* The node of the one graph that is the same object as a node of the other, or OBJECT_NOBODY. */
struct object_match {
	uint32_t *saved_of, *checkpoint_of;
	size_t n_checkpoint, n_saved; /* nodes of the checkpoint, of saved_model.pb */
};

/* -EBADMSG: no graphs. -EFBIG: one takes over 64 MiB. -ENOMEM. Released in any case. */
int object_match(struct span checkpoint, struct span saved, struct object_match *ret,
		 struct error *err);
void object_match_release(struct object_match *m);
#define cleanup_match __attribute__((cleanup(object_match_release)))

/*
 * The names of the variables among the nodes of a SavedObjectGraph: n of them are filled in, empty
 * for what is no variable. -EBADMSG.
 */
int object_names(struct span saved, struct span *ret, size_t n, struct error *err);

#endif
