/* What somebody who looks into a folder finds there: some are filled then, or filled anew. */
#include "fs/view/look.h"

#include "fs/view/grow.h"
#include "fs/view/log.h"
#include "fs/view/root.h"

static int grow(struct view *v, node_id folder)
{
	int r;

	pthread_mutex_lock(&v->growing);
	r = grow_folder(v, folder);
	pthread_mutex_unlock(&v->growing);
	if (r < 0)
		log_line("no memory to show what is in a folder");
	return r;
}

int view_look(struct view *v, node_id folder)
{
	struct node n;
	int r;

	if (!tree_get(v->tree, folder, &n) || n.type != NODE_FOLDER)
		return 0;
	r = v->root->look ? v->root->look(v, folder, &n) : 0;
	if (r)
		return r < 0 ? r : 0;
	return n.object ? grow(v, folder) : 0;
}

bool view_is_shared(const struct view *v, node_id folder)
{
	return v->root->is_shared && v->root->is_shared(v, folder);
}

bool view_is_fleeting(const struct view *v, node_id id, const struct node *n)
{
	return id != NODE_ROOT && view_is_shared(v, n->parent) &&
	       (n->type == NODE_LINK || n->kind == FOLDER_MEMBER);
}

/* What a link leads to; any other node is what it is. */
static node_id view_follow(struct view *v, node_id id)
{
	struct node n;

	return id && tree_get(v->tree, id, &n) && n.type == NODE_LINK ? n.object : id;
}

node_id view_walk(struct view *v, struct span path)
{
	node_id id = NODE_ROOT;

	while (path.n && id) {
		const uint8_t *slash = memchr(path.p, '/', path.n);
		size_t n = slash ? (size_t)(slash - path.p) : path.n;

		if (view_look(v, id) < 0)
			return NODE_NONE;
		id = view_follow(v, tree_find(v->tree, id, span_first(path, n)));
		path = span_skip(path, slash ? n + 1 : n);
	}
	return id;
}
