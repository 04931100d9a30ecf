/* What somebody who looks into a folder finds there: some are filled then, or filled anew. */
#include "fs/view/look.h"

#include "fs/view/grow.h"
#include "fs/view/log.h"
#include "fs/view/members.h"

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

	if (!tree_get(v->tree, folder, &n) || n.type != NODE_FOLDER)
		return 0;
	if (v->members && (folder == NODE_ROOT || n.kind == FOLDER_MEMBER))
		return members_look(v->members, folder, &n);
	return n.object ? grow(v, folder) : 0;
}

bool view_is_fleeting(const struct view *v, node_id id, const struct node *n)
{
	return v->members && id != NODE_ROOT && n->parent == NODE_ROOT &&
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
