/*
 * Folders of links into variables/, npy/ and text/: other orders and names for the same tensors. A
 * new one is a new file links_*.c and one word in the list of links.c. They are filled when
 * somebody looks.
 */
#ifndef FS_VIEW_LINKS_H
#define FS_VIEW_LINKS_H

#include "codec/model/model.h"

struct link_sink;

struct links {
	const char *folder; /* in the root of a model */
	/* True if the model has anything to show there. Asked at the mount: it is quick. */
	bool (*there)(const struct model *m);
	/* Adds all links, in the order in which they are to be listed. -ENOMEM. */
	int (*list)(struct model *m, struct link_sink *sink);
};

/* The list; links_count of them. */
extern const struct links *const links[];
extern const size_t links_count;

extern const struct links links_names, links_layers; /* links_NAME.c */

/*
 * Adds PATH, to the bytes of a tensor, and, where it has one, PATH.npy to its .npy. A path that
 * cannot be shown is logged. -ENOMEM.
 */
int link_emit(struct link_sink *sink, struct span path, tensor_id tensor);
/* Adds a folder, in which links may follow or not; its name is not there yet. -ENOMEM. */
int link_emit_folder(struct link_sink *sink, struct span name);
/* Logs that a tensor has no link. */
void link_hide(struct link_sink *sink, tensor_id tensor, const char *why);

#endif
