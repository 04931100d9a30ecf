/* Files of the model's own that are shown as they are: assets/ and assets.extra/. */
#include <fcntl.h>

#include "fs/kinds/kinds.h"
#include "fs/view/branch.h"
#include "fs/view/pieces.h"

static const struct asset *asset_of(const struct showing *s)
{
	return &s->branch->assets.file[s->object];
}

static int asset_path(const struct showing *s, struct buf *out)
{
	buf_add_str(out, asset_of(s)->path);
	return 1;
}

static int asset_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	cleanup_fd int fd = asset_open(asset_of(s), O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "%s", quote(span_str(asset_of(s)->path)));
	return pieces_add_file(out, steal_fd(&fd), (uint64_t)st.st_size);
}

static uint64_t asset_size(const struct showing *s)
{
	struct stat st;

	return asset_stat(asset_of(s), &st) ? (uint64_t)st.st_size : 0;
}

const struct kind kind_asset = {
	.of = THING_FILE,
	.path = asset_path,
	.compose = asset_compose,
	.size = asset_size,
};
