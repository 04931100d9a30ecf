#include "fs/view/plant.h"

node_id plant_folder(struct plant *p, node_id folder, struct span name)
{
	struct node like = {.type = NODE_FOLDER, .branch = p->branch};

	if (!p->folders_left)
		return NODE_NONE;
	p->folders_left--;
	return tree_add(p->tree, folder, name, &like);
}

static struct span with_d(struct span name, struct buf *out)
{
	buf_add(out, name);
	buf_add_str(out, ".d");
	return buf_span(out);
}

/* The folder of that name, made if need be. */
static node_id enter(struct plant *p, node_id folder, struct span name)
{
	struct tree *t = p->tree;
	cleanup_buf struct buf other = {0};
	node_id id = tree_find(t, folder, name);
	struct node n;

	if (id && tree_get(t, id, &n) && n.type != NODE_FOLDER) {
		name = with_d(name, &other);
		id = tree_find(t, folder, name);
	}
	return id || other.failed ? id : plant_folder(p, folder, name);
}

/* Adds a node, or moves the one that there is, `old`, with its number. */
static node_id add_file(struct plant *p, node_id folder, struct span name, const struct node *like,
			node_id old)
{
	struct tree *t = p->tree;
	cleanup_buf struct buf other = {0};
	node_id id = tree_find(t, folder, name);
	struct node n;

	if (id && tree_get(t, id, &n) && n.type != NODE_FOLDER)
		return id == old ? id : NODE_NONE; /* two signatures of one name */
	if (id && (tree_move(t, id, folder, with_d(name, &other)) < 0 || other.failed))
		return NODE_NONE; /* a folder gives way */
	if (!old)
		return tree_add(t, folder, name, like);
	return tree_move(t, old, folder, name) < 0 ? NODE_NONE : old;
}

node_id plant_folders(struct plant *p, node_id folder, struct span path)
{
	while (path.n && folder) {
		const uint8_t *slash = memchr(path.p, '/', path.n);
		size_t n = slash ? (size_t)(slash - path.p) : path.n;

		folder = enter(p, folder, span_first(path, n));
		path = span_skip(path, slash ? n + 1 : n);
	}
	return folder;
}

node_id plant_file(struct plant *p, node_id root, struct span path, const struct node *like,
		   node_id old)
{
	const uint8_t *slash = memrchr(path.p, '/', path.n);
	size_t n = slash ? (size_t)(slash - path.p) : 0;
	node_id folder = plant_folders(p, root, span_first(path, n));

	return folder ? add_file(p, folder, span_skip(path, slash ? n + 1 : 0), like, old)
		      : NODE_NONE;
}
