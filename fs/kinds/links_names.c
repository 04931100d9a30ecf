/* names/: the variables by their own names. Its paths are those of a checkpoint of these keys. */
#include "codec/model/names.h"
#include "fs/view/links.h"
#include "fs/view/paths.h"

static int add_name(void *sink, tensor_id tensor, struct span name)
{
	cleanup_buf struct buf path = {0};
	int r = path_from_key(name, false, &path);

	if (r == -ENOMEM)
		return r;
	if (r == 0)
		return link_emit(sink, buf_span(&path), tensor);
	link_hide(sink, tensor, strerror(-r));
	return 0;
}

static int list_names(struct model *m, struct link_sink *sink)
{
	return model_names(m, add_name, sink);
}

const struct links links_names = {"names", model_has_names, list_names};
