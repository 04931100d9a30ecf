/* The folder .weightfs: the mount itself. */
#include "fs/kinds/kinds.h"
#include "fs/view/log.h"
#include "fs/view/pieces.h"
#include "fs/view/status.h"

static int status_path(const struct showing *s, struct buf *out)
{
	(void)s;
	buf_add_str(out, ".weightfs/status");
	return 1;
}

static int status_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	(void)err;
	return status_json(s->view, &out->bytes);
}

const struct kind kind_status = {
	.of = THING_VIEW,
	.path = status_path,
	.compose = status_compose,
	.live = true,
};

static int log_path(const struct showing *s, struct buf *out)
{
	(void)s;
	buf_add_str(out, ".weightfs/log");
	return 1;
}

static int log_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	(void)s;
	(void)err;
	log_read(&out->bytes);
	return buf_error(&out->bytes);
}

const struct kind kind_log = {
	.of = THING_VIEW,
	.path = log_path,
	.compose = log_compose,
	.live = true,
};

static int version_path(const struct showing *s, struct buf *out)
{
	(void)s;
	buf_add_str(out, ".weightfs/version");
	return 1;
}

static int version_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	(void)s;
	(void)err;
	buf_add_str(&out->bytes, WEIGHTFS_VERSION "\n");
	return buf_error(&out->bytes);
}

const struct kind kind_version = {
	.of = THING_VIEW,
	.path = version_path,
	.compose = version_compose,
};

static int control_path(const struct showing *s, struct buf *out)
{
	(void)s;
	buf_add_str(out, ".weightfs/control");
	return 1;
}

/* No file: a conversation (fs/fuse/conversation.h). */
const struct kind kind_control = {.of = THING_VIEW, .path = control_path, .live = true};
