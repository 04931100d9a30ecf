#include "fs/view/open_view.h"

#include "codec/checkpoints/collection.h"
#include "codec/model/place.h"
#include "fs/view/grow.h"
#include "fs/view/folder.h"

int open_view(struct view *v, const char *argument, const struct open_options *options,
	      struct error *err)
{
	struct place place;
	struct model *m;
	int r = place_open(argument, &place, err);

	if (r < 0)
		return r;
	if (collection_probe(&place))
		return folder_open(v, &place, options, err);
	place_release(&place);
	r = open_model(argument, options, &m, &v->recovery, err);
	if (r < 0)
		return r;
	open_model_report(m, NULL, &v->recovery);
	r = view_add_model(v, m);
	if (r == 0)
		view_note_lost_drafts(v, v->branches[0]);
	return r;
}
