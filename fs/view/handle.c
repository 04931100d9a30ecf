#include "fs/view/handle.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/work/edits.h"

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

static int open_node(struct handle *h, const struct node *n, bool truncate, struct error *err)
{
	int r = opened_open(h->view, h->node, n, h->for_write, truncate, &h->opened, err);

	if (r < 0 || !truncate)
		return r;
	r = opened_truncate(h->opened, 0, err);
	if (r < 0)
		opened_close(h->opened, h->for_write, NULL);
	return r;
}

/* Those who will not read need not wait, and can write over what is damaged. */
static int verify(struct handle *h, int flags, struct error *err)
{
	if ((flags & O_ACCMODE) == O_WRONLY || (h->for_write && flags & O_TRUNC))
		return 0;
	return opened_verify(h->opened, err);
}

/* The lock of a model of which there are many comes now; what cannot be edited is not locked. */
static int lock_model_of(struct view *v, const struct node *n, struct error *err)
{
	if (opened_editable(v, n, NULL) < 0)
		return 0;
	return edits_lock(view_branch(v, n)->model, err);
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
	*h = (struct handle){.view = v, .node = id, .for_write = for_write};
	if (tree_get(v->tree, id, &n) && n.type == NODE_FILE) {
		h->kind = kinds[n.kind];
		if (for_write)
			h->opener = process_of(thread);
		r = for_write ? lock_model_of(v, &n, err) : 0;
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

enum edit_outcome handle_close(struct handle *h)
{
	struct error why = {""};
	enum edit_outcome outcome = opened_close(h->opened, h->for_write, &why);

	if (outcome == EDIT_DROPPED)
		view_note_dropped(h->view, h->node, why.text);
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

int handle_read(struct handle *h, uint64_t offset, size_t size, struct reading *ret,
		struct error *err)
{
	uint8_t *buffer = thread_buffer();
	int r;

	if (!buffer)
		return -ENOMEM;
	ret->opened = h->opened;
	ret->offset = offset;
	ret->n = size < REQUEST_MAX ? size : REQUEST_MAX;
	opened_hold(h->opened, offset, ret->n);
	r = opened_read(h->opened, offset, ret->n, buffer, ret->pieces, HANDLE_PIECES, err);
	if (r < 0)
		handle_read_end(ret);
	return r;
}

void handle_read_end(struct reading *r)
{
	opened_unhold(r->opened, r->offset, r->n);
}

ssize_t handle_write(struct handle *h, const void *bytes, size_t n, uint64_t offset,
		     struct error *err)
{
	return h->for_write ? opened_write(h->opened, bytes, n, offset, err) : -EBADF;
}

int handle_flush(struct handle *h, pid_t thread, struct error *err)
{
	int r;

	if (!h->for_write)
		return EDIT_NONE;
	r = opened_flush(h->opened, err);
	if (r == -EINVAL && thread && process_of(thread) != h->opener)
		return EDIT_NONE;
	return r;
}

int handle_sync(struct handle *h, enum edit_outcome *outcome, struct error *err)
{
	struct error incomplete = {""};
	struct node n;
	int r = 0;

	*outcome = EDIT_NONE;
	if (h->kind->of == THING_VIEW || !tree_get(h->view->tree, h->node, &n))
		return 0;
	if (h->for_write)
		r = opened_flush(h->opened, &incomplete);
	*outcome = r < 0 ? EDIT_NONE : (enum edit_outcome)r;
	if (r < 0 && r != -EINVAL)
		return error_set(err, r, "%s", incomplete.text);
	return edits_sync(view_branch(h->view, &n)->model, err);
}

int handle_truncate(struct view *v, node_id id, struct handle *h, uint64_t size, struct error *err)
{
	int r;

	if (h && h->for_write)
		return opened_truncate(h->opened, size, err);
	r = handle_open(v, id, O_WRONLY, 0, &h, err);
	if (r < 0)
		return r;
	r = opened_truncate_alone(h->opened, size, err);
	handle_close(h);
	return r;
}
