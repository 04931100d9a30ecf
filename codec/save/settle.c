#include "codec/save/settle.h"

#include "codec/content/content.h"
#include "codec/work/edits_state.h"

void settle_tidy(struct model *m)
{
	if (ledger_empty(m) && edits_remove(m, NULL) == 0)
		m->edits->unsaved = false;
}

void settle_after_commit(struct model *m)
{
	cleanup_free struct object *drafts = NULL;
	bool renewed = edits_renew(m->edits);
	size_t n;

	/* Without memory to list them they stay in the old data file, whose name is gone. */
	if (scratch_objects(m, &drafts, &n) == 0)
		for (size_t i = 0; i < n; i++)
			content_move_draft(m, model_tensor(m, drafts[i].id), renewed);
	settle_tidy(m); /* they may have been closed meanwhile */
}

void settle_at_end(struct model *m)
{
	if (!m->output || !m->edits)
		return;
	if (m->edits->unsaved)
		settle_tidy(m);
	else
		(void)edits_remove(m, NULL);
}

void settle_dropped(struct model *m, void (*each)(void *context, struct object o), void *context)
{
	cleanup_free struct object *drafts = NULL;
	struct object at = {0};
	struct change c;
	size_t n;

	if (scratch_objects(m, &drafts, &n) == 0)
		for (size_t i = 0; i < n; i++)
			if (content_revert(m, model_tensor(m, drafts[i].id)))
				each(context, drafts[i]);
	while (ledger_next(m, &at, &c)) {
		content_revert(m, model_tensor(m, c.object.id));
		each(context, c.object);
	}
	settle_tidy(m);
}
