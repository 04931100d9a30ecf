#include "fs/view/root.h"

static bool can_be_edited(const struct view *v)
{
	struct branch *b;

	for (size_t i = 0; (b = view_next_branch(v, &i));)
		if (b->model->edits && !b->model->read_only)
			return true;
	return false;
}

const struct root_ops root_of_model = {
	.things = "tensors and documents",
	.can_be_edited = can_be_edited,
};
