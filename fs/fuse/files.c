#include "fs/fuse/files.h"

#include <stdlib.h>

#include "codec/base/mem.h"
#include "fs/fuse/conversation.h"

void files_add(struct session *s, struct open_file *file)
{
	pthread_mutex_lock(&s->files_lock);
	LIST_INSERT_HEAD(&s->files, file, in_session);
	pthread_mutex_unlock(&s->files_lock);
}

enum edit_outcome files_close(struct session *s, struct open_file *file)
{
	enum edit_outcome outcome = EDIT_NONE;

	pthread_mutex_lock(&s->files_lock);
	LIST_REMOVE(file, in_session);
	pthread_mutex_unlock(&s->files_lock);
	if (file->handle)
		outcome = handle_close(file->handle);
	else
		conversation_free(file->talk);
	free(file);
	return outcome;
}

static int compare_nodes(const void *a, const void *b)
{
	node_id x = *(const node_id *)a, y = *(const node_id *)b;

	return (x > y) - (x < y);
}

/* The lock is held. */
static node_id *list_written(struct session *s, size_t *ret_n)
{
	node_id *nodes = NULL, *grown;
	struct open_file *f;
	size_t capacity = 0;

	LIST_FOREACH(f, &s->files, in_session) {
		if (!f->handle || !f->handle->for_write)
			continue;
		grown = vector_grow(nodes, *ret_n, &capacity, sizeof(*grown));
		if (!grown)
			break;
		nodes = grown;
		nodes[(*ret_n)++] = f->handle->node;
	}
	return nodes;
}

node_id *files_for_writing(struct session *s, size_t *ret_n)
{
	node_id *nodes;
	size_t all = 0, n = 0;

	pthread_mutex_lock(&s->files_lock);
	nodes = list_written(s, &all);
	pthread_mutex_unlock(&s->files_lock);
	if (nodes)
		qsort(nodes, all, sizeof(*nodes), compare_nodes);
	for (size_t i = 0; i < all; i++)
		if (!n || nodes[n - 1] != nodes[i])
			nodes[n++] = nodes[i];
	*ret_n = n;
	return nodes;
}

void files_close_all(struct session *s)
{
	while (!LIST_EMPTY(&s->files))
		files_close(s, LIST_FIRST(&s->files));
}
