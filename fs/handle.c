#include "fs/handle.h"

#include <fcntl.h>
#include <stdio.h>

#include "fs/beneath.h"

/* What the kernel asks for in one READ. */
enum { REQUEST_MAX = 1 << 20 };

/* The process that a thread belongs to. 0 (of another pid namespace) stands for itself. */
static pid_t process_of(pid_t thread)
{
	char path[40], line[128];
	pid_t process = thread;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", thread);
	status = thread ? fopen(path, "re") : NULL;
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %d", &process) == 1)
			break;
	if (status)
		fclose(status);
	return process;
}

static int open_tensor(struct handle *h, const struct node *n, bool truncate, struct error *err)
{
	struct branch *b = view_branch(h->view, n);
	struct tensor *t = &b->model->tensors[n->object];
	int r = content_open(b->model, t, h->for_write, &h->content, err);

	if (r < 0 || !truncate)
		return r;
	r = content_truncate(h->content, 0, err);
	if (r < 0) {
		content_close(h->content, h->for_write, NULL);
		h->content = NULL;
	}
	return r;
}

static int open_asset(struct handle *h, const struct node *n, struct error *err)
{
	struct branch *b = view_branch(h->view, n);

	h->fd = open_beneath(b->model->place.rootfd, b->files[n->object], O_RDONLY);
	return h->fd < 0 ? error_errno(err, "%s", b->files[n->object]) : 0;
}

static int open_node(struct handle *h, const struct node *n, bool truncate, struct error *err)
{
	if (h->kind->of == THING_TENSOR && !h->kind->render)
		return open_tensor(h, n, truncate, err);
	if (h->for_write)
		return error_set(err, -EPERM, "cannot be edited");
	if (h->kind->render)
		return view_render(h->view, n, &h->text, err);
	return open_asset(h, n, err);
}

int handle_open(struct view *v, node_id id, bool for_write, bool truncate, pid_t thread,
		struct handle **ret, struct error *err)
{
	struct handle *h = calloc(1, sizeof(*h));
	struct node n;
	int r = -ENOENT;

	if (!h)
		return -ENOMEM;
	*h = (struct handle){.view = v, .node = id, .for_write = for_write, .fd = -1};
	if (tree_get(v->tree, id, &n) && n.type == NODE_FILE) {
		h->kind = kinds[n.kind];
		if (for_write)
			h->opener = process_of(thread);
		r = open_node(h, &n, truncate, err);
	}
	if (r < 0) {
		buf_release(&h->text);
		free(h);
		return r;
	}
	*ret = h;
	return 0;
}

enum content_outcome handle_close(struct handle *h)
{
	enum content_outcome outcome = CONTENT_SAME;
	struct error why = {0};

	if (h->content)
		outcome = content_close(h->content, h->for_write, &why);
	if (outcome == CONTENT_DROPPED)
		view_note_dropped(h->view, h->node, why.text);
	buf_release(&h->text);
	close_pointer(&h->fd);
	free(h);
	return outcome;
}

/* A buffer that is kept as long as the thread: memory that comes and goes is slow. */
static uint8_t *thread_buffer(void)
{
	static _Thread_local uint8_t *buffer;

	if (!buffer)
		buffer = malloc(REQUEST_MAX);
	return buffer;
}

static int read_asset(struct handle *h, uint64_t offset, size_t size, struct iovec *piece)
{
	uint8_t *buffer = thread_buffer();
	ssize_t n;

	if (!buffer)
		return -ENOMEM;
	n = pread(h->fd, buffer, size, (off_t)offset);
	*piece = (struct iovec){buffer, n < 0 ? 0 : (size_t)n};
	return n < 0 ? -errno : n > 0;
}

/* Runs too many for a vector are copied together. The content is locked. */
static int read_copied(struct handle *h, uint64_t offset, size_t n, struct iovec *piece,
		       struct error *err)
{
	uint8_t *buffer = thread_buffer();
	int r = buffer ? content_copy_locked(h->content, offset, n, buffer, err) : -ENOMEM;

	*piece = (struct iovec){buffer, n};
	return r < 0 ? r : 1;
}

static int read_content(struct handle *h, uint64_t offset, size_t size, struct reading *ret,
			struct error *err)
{
	struct content *c = h->content;
	uint64_t end;
	int r = 0;

	content_hold(c);
	end = content_seen(c);
	if (offset < end) {
		size = size < end - offset ? size : (size_t)(end - offset);
		r = content_read(c, offset, size, ret->pieces, HANDLE_PIECES);
		if (r == -E2BIG)
			r = read_copied(h, offset, size, ret->pieces, err);
	}
	if (r < 0)
		content_let_go(c);
	else
		ret->held = c;
	return r;
}

int handle_read(struct handle *h, uint64_t offset, size_t size, struct reading *ret,
		struct error *err)
{
	ret->held = NULL;
	if (size > REQUEST_MAX)
		size = REQUEST_MAX;
	if (h->content)
		return read_content(h, offset, size, ret, err);
	if (h->fd >= 0)
		return read_asset(h, offset, size, &ret->pieces[0]);
	if (offset >= h->text.n)
		return 0;
	if (size > h->text.n - offset)
		size = h->text.n - (size_t)offset;
	ret->pieces[0] = (struct iovec){h->text.p + offset, size};
	return 1;
}

void handle_read_end(struct reading *r)
{
	if (r->held)
		content_let_go(r->held);
}

int handle_flush(struct handle *h, pid_t thread, struct error *err)
{
	int r;

	if (!h->content || !h->for_write)
		return CONTENT_SAME;
	r = content_flush(h->content, err);
	if (r == -EINVAL && thread && process_of(thread) != h->opener)
		return CONTENT_SAME;
	return r;
}

int handle_sync(struct handle *h, struct error *err)
{
	struct error incomplete;
	int r = 0;

	if (!h->content)
		return 0;
	if (h->for_write)
		r = content_flush(h->content, &incomplete);
	if (r < 0 && r != -EINVAL)
		return error_set(err, r, "%s", incomplete.text);
	return edits_sync(h->content->model, err);
}

int handle_truncate(struct view *v, node_id id, struct handle *h, uint64_t size, struct error *err)
{
	struct tensor *t;
	struct node n;

	if (h && h->content && h->for_write)
		return content_truncate(h->content, size, err);
	if (!tree_get(v->tree, id, &n))
		return -ENOENT;
	t = view_tensor(v, &n);
	if (!t || kinds[n.kind]->render)
		return error_set(err, -EPERM, "cannot be edited");
	return content_truncate_closed(view_branch(v, &n)->model, t, size, err);
}
