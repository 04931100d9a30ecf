#include "codec/save/resume.h"

#include "codec/content/content.h"
#include "codec/save/rebase.h"
#include "codec/work/edits_state.h"

/* One lock serves both, one after the other. */
static void pass_lock(struct edits *from, struct edits *to)
{
	to->lockfd = from->lockfd;
	from->lockfd = -1;
}

int resume(struct model *m,
	   int (*run)(struct model *fresh, struct recovery *ret, struct error *err),
	   struct recovery *ret, struct error *err)
{
	struct model *fresh;
	int r = model_reload(m, &fresh, err);

	if (r < 0)
		return r;
	r = model_set_workdir(fresh, m->workdir);
	if (r == 0)
		r = edits_open(fresh, EDITS_LOOK, err);
	if (r == 0) {
		edits_let_go(m->edits);
		pass_lock(m->edits, fresh->edits);
		r = run(fresh, ret, err);
		pass_lock(fresh->edits, m->edits);
	}
	content_free_all(fresh);
	fresh->edits = edits_free(fresh->edits);
	model_free(fresh);
	return r;
}
