/* The folder .weightfs: the mount itself. */
#include "fs/view/kind.h"
#include "fs/view/log.h"
#include "fs/view/status.h"
#include "fs/view/view.h"

static int status_render(const struct showing *s, struct buf *out, struct error *err)
{
	(void)err;
	return status_json(s->view, out);
}

const struct kind kind_status = {
	.of = THING_VIEW,
	.fixed = ".weightfs/status",
	.render = status_render,
	.live = true,
};

static int log_render(const struct showing *s, struct buf *out, struct error *err)
{
	(void)s;
	(void)err;
	log_read(out);
	return buf_error(out);
}

const struct kind kind_log = {
	.of = THING_VIEW,
	.fixed = ".weightfs/log",
	.render = log_render,
	.live = true,
};

static int version_render(const struct showing *s, struct buf *out, struct error *err)
{
	(void)s;
	(void)err;
	buf_add_str(out, WEIGHTFS_VERSION "\n");
	return buf_error(out);
}

const struct kind kind_version = {
	.of = THING_VIEW,
	.fixed = ".weightfs/version",
	.render = version_render,
};

/* No text: a conversation (fs/fuse/conversation.h). */
const struct kind kind_control = {.of = THING_VIEW, .fixed = ".weightfs/control", .live = true};
