/*
 * Folders of links into variables/, npy/ and text/: other orders and names for the same tensors. A
 * new one is a new file links_*.c and one word in the list of fs/kinds/links.c. They are filled
 * when somebody looks.
 */
#ifndef FS_VIEW_LINKS_H
#define FS_VIEW_LINKS_H

#include "fs/view/branch.h"
#include "fs/view/plant.h"

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
 * Adds a link to each file that shows the tensor and wants one (struct kind's link): PATH to its
 * bytes, PATH.npy to its .npy. One that cannot be made is logged. -ENOMEM.
 */
int link_emit(struct link_sink *sink, struct span path, tensor_id tensor);
/* Adds a folder, in which links may follow or not; its name is not there yet. -ENOMEM. */
int link_emit_folder(struct link_sink *sink, struct span name);
/* Logs that a tensor has no link. */
void link_hide(struct link_sink *sink, tensor_id tensor, const char *why);

/* The one whose folder is called that, or NULL. */
const struct links *links_of(const char *folder);
/* Fills its folder; what the links lead to is in the tree. -ENOMEM. */
int links_fill(const struct links *l, struct plant plant, struct branch *b, node_id folder);

#endif
