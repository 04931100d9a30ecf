/*
 * Views that tests of floor 3 open, of copies of the models of tests/data; and what today's
 * functions are called.
 */
#ifndef TESTS_FS_VIEWS_H
#define TESTS_FS_VIEWS_H

#include "support.h"

#include <sys/stat.h>

#include "fs/view/handle.h"
#include "fs/view/view.h"

/* The copies, for a group of tests: made by the setup, removed by the teardown. */
extern struct folder models;
int models_setup(void **state);
int models_teardown(void **state);

/* A view of a model, or of a folder, in there. */
struct view *open_at(const char *argument, bool read_only);
/* Adds the files of the mount. */
void add_control(struct view *v);

/* The node at a path, or NODE_NONE. */
node_id walk(struct view *v, const char *path);
/* The child of a folder that comes next behind a position; NODE_NONE: there is none. */
node_id next_in(struct view *v, node_id in, uint32_t position, struct node *ret);
/* Adds what a link says. */
void add_link_target(struct view *v, node_id link, struct buf *out);
struct stat stat_of(struct view *v, node_id id);

struct handle *open_file(struct view *v, node_id id, int flags);
/* Adds all that is read from a file, in requests of many sizes. */
void read_all(struct view *v, node_id id, struct buf *out);
void write_file(struct handle *h, size_t at, struct span bytes);
/* What a close() does: true if a draft was accepted. -EINVAL: it is not complete. */
int flush_file(struct handle *h);
/* True if a draft was dropped. */
bool close_file(struct handle *h);
/* Drops all edits. */
void discard(struct view *v);

#endif
