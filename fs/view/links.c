#include "fs/view/links.h"

#include "fs/view/log.h"

enum { HIDDEN_LOGGED = 20 }; /* of the links that could not be made */

struct link_sink {
	struct plant plant;
	struct branch *branch;
	node_id root; /* the folder of the links */
	const struct links *links;
	unsigned long hidden; /* links that could not be made */
};

static bool add_link(struct link_sink *sink, struct span path, node_id to)
{
	struct node like = {
		.type = NODE_LINK,
		.branch = sink->branch->number,
		.object = to,
	};

	return plant_file(&sink->plant, sink->root, path, &like, NODE_NONE);
}

/* To the file of one kind, if there is one. */
static int emit_one(struct link_sink *sink, struct span path, uint8_t kind, tensor_id tensor)
{
	node_id to = branch_node(sink->branch, kind, tensor);
	cleanup_buf struct buf name = {0};

	if (!to)
		return 0;
	buf_add(&name, path);
	buf_add_str(&name, kinds[kind]->link);
	if (name.failed)
		return -ENOMEM;
	if (!add_link(sink, buf_span(&name), to))
		link_hide(sink, tensor, "no room in the tree");
	return 0;
}

int link_emit(struct link_sink *sink, struct span path, tensor_id tensor)
{
	int r = 0;

	for (uint8_t kind = 0; kind < kind_count && r == 0; kind++)
		if (kinds[kind]->link)
			r = emit_one(sink, path, kind, tensor);
	return r;
}

int link_emit_folder(struct link_sink *sink, struct span name)
{
	return plant_folder(&sink->plant, sink->root, name) ? 0 : -ENOMEM;
}

void link_hide(struct link_sink *sink, tensor_id tensor, const char *why)
{
	if (sink->hidden++ < HIDDEN_LOGGED)
		log_line("%s/: no link to '%s': %s", sink->links->folder,
			 quote(model_tensor(sink->branch->model, tensor)->key), why);
}

int links_fill(const struct links *l, struct plant plant, struct branch *b, node_id folder)
{
	struct link_sink sink = {.plant = plant, .branch = b, .root = folder, .links = l};

	return l->list(b->model, &sink);
}

const struct links *links_of(const char *folder)
{
	for (size_t i = 0; i < links_count; i++)
		if (strcmp(links[i]->folder, folder) == 0)
			return links[i];
	return NULL;
}
