#include "fs/view/handle.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/view/beneath.h"
#include "fs/view/stat.h"

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
	struct tensor *t = model_tensor(b->model, n->object);
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

static int open_text(struct handle *h, const struct node *n, bool truncate, struct error *err)
{
	int r = text_open(h->view, h->node, n, h->for_write, truncate, &h->text, err);

	if (r < 0 || !truncate)
		return r;
	r = text_truncate(h->text, 0, err);
	if (r < 0) {
		text_close(h->text, h->for_write, NULL);
		h->text = NULL;
	}
	return r;
}

static int open_node(struct handle *h, const struct node *n, bool truncate, struct error *err)
{
	if (h->kind->render)
		return open_text(h, n, truncate, err);
	if (h->kind->of == THING_TENSOR)
		return open_tensor(h, n, truncate, err);
	if (h->for_write)
		return error_set(err, -EPERM, "cannot be edited");
	return open_asset(h, n, err);
}

/* Those who will not read need not wait, and can write over what is damaged. */
static int verify(struct handle *h, int flags, struct error *err)
{
	struct content *c = h->text ? h->text->tail : h->content;

	if (!c || (flags & O_ACCMODE) == O_WRONLY || (h->for_write && flags & O_TRUNC))
		return 0;
	return content_verify(c, err);
}

/* The lock of a model of which there are many comes now; what cannot be edited is not locked. */
static int claim(struct view *v, const struct node *n, struct error *err)
{
	if (kinds[n->kind]->of == THING_VIEW || !view_is_editable(v, n))
		return 0;
	return edits_claim(view_branch(v, n)->model, err);
}

int handle_open(struct view *v, node_id id, int flags, pid_t thread, struct handle **ret,
		struct error *err)
{
	bool for_write = (flags & O_ACCMODE) != O_RDONLY;
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
		r = for_write ? claim(v, &n, err) : 0;
		if (r == 0)
			r = open_node(h, &n, for_write && flags & O_TRUNC, err);
	}
	if (r < 0) {
		free(h);
		return r;
	}
	r = verify(h, flags, err);
	if (r < 0) {
		handle_close(h);
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
	if (h->text)
		outcome = text_close(h->text, h->for_write, &why);
	if (outcome == CONTENT_DROPPED)
		view_note_dropped(h->view, h->node, why.text);
	close_pointer(&h->fd);
	free(h);
	return outcome;
}

static pthread_key_t buffer_key;

static void make_buffer_key(void)
{
	if (pthread_key_create(&buffer_key, free) != 0)
		abort();
}

/* A buffer that is kept as long as the thread: memory that comes and goes is slow. */
static uint8_t *thread_buffer(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint8_t *buffer;

	pthread_once(&once, make_buffer_key);
	buffer = pthread_getspecific(buffer_key);
	if (buffer)
		return buffer;
	buffer = malloc(REQUEST_MAX);
	if (pthread_setspecific(buffer_key, buffer) != 0) {
		free(buffer);
		return NULL;
	}
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
		ret->content = c;
	return r;
}

static int read_text(struct handle *h, uint64_t offset, size_t size, struct reading *ret,
		     struct error *err)
{
	uint8_t *buffer = thread_buffer();
	int r;

	if (!buffer)
		return -ENOMEM;
	text_hold(h->text);
	r = text_read(h->text, offset, size, buffer, ret->pieces, HANDLE_PIECES, err);
	if (r < 0)
		text_let_go(h->text);
	else
		ret->text = h->text;
	return r;
}

int handle_read(struct handle *h, uint64_t offset, size_t size, struct reading *ret,
		struct error *err)
{
	ret->content = NULL;
	ret->text = NULL;
	if (size > REQUEST_MAX)
		size = REQUEST_MAX;
	if (h->content)
		return read_content(h, offset, size, ret, err);
	if (h->text)
		return read_text(h, offset, size, ret, err);
	return read_asset(h, offset, size, &ret->pieces[0]);
}

void handle_read_end(struct reading *r)
{
	if (r->content)
		content_let_go(r->content);
	if (r->text)
		text_let_go(r->text);
}

ssize_t handle_write(struct handle *h, const void *bytes, size_t n, uint64_t offset,
		     struct error *err)
{
	if (!h->for_write)
		return -EBADF;
	if (h->content)
		return content_write(h->content, bytes, n, offset, err);
	return text_write(h->text, bytes, n, offset, err);
}

int handle_flush(struct handle *h, pid_t thread, struct error *err)
{
	int r;

	if (!h->for_write)
		return CONTENT_SAME;
	r = h->content ? content_flush(h->content, err) : text_flush(h->text, err);
	if (r == -EINVAL && thread && process_of(thread) != h->opener)
		return CONTENT_SAME;
	return r;
}

int handle_sync(struct handle *h, struct error *err)
{
	struct error incomplete = {""};
	struct node n;
	int r = 0;

	if (!tree_get(h->view->tree, h->node, &n) || kinds[n.kind]->of == THING_VIEW)
		return 0;
	if (h->for_write && h->content)
		r = content_flush(h->content, &incomplete);
	if (h->for_write && h->text)
		r = text_flush(h->text, &incomplete);
	if (r < 0 && r != -EINVAL)
		return error_set(err, r, "%s", incomplete.text);
	return edits_sync(view_branch(h->view, &n)->model, err);
}

int handle_truncate(struct view *v, node_id id, struct handle *h, uint64_t size, struct error *err)
{
	struct tensor *t;
	struct stat st;
	struct node n;

	if (h && h->content && h->for_write)
		return content_truncate(h->content, size, err);
	if (h && h->text && h->for_write)
		return text_truncate(h->text, size, err);
	if (!tree_get(v->tree, id, &n))
		return -ENOENT;
	t = view_tensor(v, &n);
	if (t && !kinds[n.kind]->render)
		return content_truncate_closed(view_branch(v, &n)->model, t, size, err);
	if (!view_stat(v, id, &st))
		return -ENOENT;
	if (!(st.st_mode & 0222))
		return error_set(err, -EPERM, "cannot be edited");
	return (uint64_t)st.st_size == size
		       ? 0
		       : error_set(err, -EINVAL, "a text cannot be cut without opening it");
}
