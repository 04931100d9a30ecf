#include "views.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "fs/view/grow.h"
#include "fs/view/log.h"
#include "fs/view/look.h"
#include "fs/view/open_view.h"
#include "fs/view/saving.h"
#include "fs/view/stat.h"

struct folder models;

int models_setup(void **state)
{
	char command[1024];

	(void)state;
	umask(022);
	assert_int_equal(log_open(LOG_TO_FILE, "/dev/null"), 0);
	folder_make(&models);
	snprintf(command, sizeof(command), "cp -r '%s'/. '%s'", getenv("WEIGHTFS_DATA"),
		 models.path);
	assert_int_equal(system(command), 0);
	return 0;
}

int models_teardown(void **state)
{
	char command[512];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", models.path);
	close(models.fd);
	return system(command);
}

struct view *open_at(const char *argument, bool read_only)
{
	struct open_options options = {.read_only = read_only};
	struct view *v = view_new();
	struct error err = {""};
	char path[512];

	assert_non_null(v);
	snprintf(path, sizeof(path), "%s/%s", models.path, argument);
	if (open_view(v, path, &options, &err) < 0)
		fail_msg("%s", err.text);
	return v;
}

void add_control(struct view *v)
{
	assert_int_equal(grow_mount(v), 0);
}

node_id walk(struct view *v, const char *path)
{
	return view_walk(v, span_str(path));
}

node_id next_in(struct view *v, node_id in, uint32_t position, struct node *ret)
{
	return tree_next(v->tree, in, position, ret);
}

void add_link_target(struct view *v, node_id link, struct buf *out)
{
	tree_link_path(v->tree, link, out);
}

struct stat stat_of(struct view *v, node_id id)
{
	struct stat st;

	assert_true(view_stat(v, id, &st));
	assert_int_equal(st.st_ino, id);
	return st;
}

struct handle *open_file(struct view *v, node_id id, int flags)
{
	struct handle *h;
	struct error err = {""};

	if (handle_open(v, id, flags, 0, &h, &err) < 0)
		fail_msg("%s", err.text);
	return h;
}

void read_all(struct view *v, node_id id, struct buf *out)
{
	struct handle *h = open_file(v, id, O_RDONLY);
	struct reading r;
	size_t size = 1;
	int n;

	while ((n = handle_read(h, out->n, size, &r, NULL)) > 0) {
		for (int i = 0; i < n; i++)
			buf_add(out, span_of(r.pieces[i].iov_base, r.pieces[i].iov_len));
		handle_read_end(&r);
		size = size * 3 + 1;
	}
	assert_int_equal(n, 0);
	handle_read_end(&r);
	handle_close(h);
}

void write_file(struct handle *h, size_t at, struct span bytes)
{
	assert_int_equal(handle_write(h, bytes.p, bytes.n, at, NULL), bytes.n);
}

int flush_file(struct handle *h)
{
	int r = handle_flush(h, 0, NULL);

	return r < 0 ? r : r != EDIT_NONE;
}

bool close_file(struct handle *h)
{
	return handle_close(h) == EDIT_DROPPED;
}

void discard(struct view *v)
{
	struct error err = {""};
	node_id *changed;
	size_t n;

	assert_int_equal(discard_all(v, &changed, &n, &err), 0);
	free(changed);
}
