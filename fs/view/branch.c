#include "fs/view/branch.h"

#include "fs/view/grow.h"
#include "fs/view/view.h"

void branch_free(struct branch *b)
{
	model_free(b->model);
	for (size_t i = 0; i < b->n_files; i++)
		free(b->files[i]);
	free(b->files);
	free(b->tensor_nodes);
	free(b->npy_nodes);
	free(b->sizes);
	free(b);
}

int view_add_branch(struct view *v, struct model *model, node_id root, struct branch **ret)
{
	size_t n = v->n_branches;
	struct branch *b = n < BRANCHES_MAX ? calloc(1, sizeof(*b)) : NULL;
	int r;

	if (!b) {
		model_free(model);
		return n < BRANCHES_MAX ? -ENOMEM : -EMFILE;
	}
	b->model = model;
	b->number = (uint16_t)n;
	b->root = root;
	b->first = (node_id)tree_count(v->tree) + 1;
	v->branches[n] = b;
	v->n_branches = n + 1;
	r = grow_branch(v, b);
	if (r < 0)
		return r;
	b->shown = true;
	*ret = b;
	return 0;
}

int view_add_model(struct view *v, struct model *model)
{
	struct branch *b;

	v->place = &model->place;
	return view_add_branch(v, model, NODE_ROOT, &b);
}

struct branch *view_next_branch(const struct view *v, size_t *i)
{
	while (*i < v->n_branches) {
		struct branch *b = v->branches[(*i)++];

		if (b->shown)
			return b;
	}
	return NULL;
}

struct branch *view_branch(const struct view *v, const struct node *n)
{
	return n->branch < v->n_branches ? v->branches[n->branch] : NULL;
}
