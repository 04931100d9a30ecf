/* Files of the model's own that are shown as they are: assets/ and assets.extra/. */
#include "fs/view/kind.h"
#include "fs/view/view.h"

static int asset_path(const struct showing *s, struct buf *out)
{
	buf_add_str(out, s->branch->files[s->object]);
	return 1;
}

const struct kind kind_asset = {.of = THING_FILE, .path = asset_path};
