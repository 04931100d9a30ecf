/* Files of the model's own that are shown as they are: assets/ and assets.extra/. */
#include <fcntl.h>

#include "fs/kinds/kinds.h"
#include "fs/view/beneath.h"
#include "fs/view/branch.h"
#include "fs/view/pieces.h"

static int asset_path(const struct showing *s, struct buf *out)
{
	buf_add_str(out, s->branch->files[s->object]);
	return 1;
}

static int asset_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	const char *path = s->branch->files[s->object];
	cleanup_fd int fd = open_beneath(s->branch->model->place.rootfd, path, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "%s", path);
	return pieces_add_file(out, steal_fd(&fd), (uint64_t)st.st_size);
}

static uint64_t asset_size(const struct showing *s)
{
	struct stat st;

	if (fstatat(s->branch->model->place.rootfd, s->branch->files[s->object], &st, 0) < 0)
		return 0;
	return (uint64_t)st.st_size;
}

const struct kind kind_asset = {
	.of = THING_FILE,
	.path = asset_path,
	.compose = asset_compose,
	.size = asset_size,
};
