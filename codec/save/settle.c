#include "codec/save/settle.h"

#include "codec/content/content.h"
#include "codec/work/edits_state.h"

void settle_tidy(struct model *m)
{
	const struct tensor *t;

	for (size_t i = 0; (t = model_next(m, &i));)
		if (content_holds(m, t))
			return;
	if (!scratch_any(m->edits) && edits_remove(m, NULL) == 0)
		m->edits->unsaved = false;
}

static bool has_drafts(struct model *m)
{
	const struct tensor *t;

	for (size_t i = 0; (t = model_next(m, &i));)
		if (content_holds(m, t) & CONTENT_DRAFT)
			return true;
	return false;
}

void settle_after_commit(struct model *m)
{
	bool drafts = has_drafts(m), renewed = edits_renew(m->edits, drafts);
	struct tensor *t;

	for (size_t i = 0; drafts && (t = model_next(m, &i));)
		content_move_draft(m, t, renewed);
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
