/*
 * The gate that edits pass through. A commit closes it: it waits for the edits that are inside, and
 * nothing can be edited until it is open again. Nobody waits at the gate: who finds it closed
 * puts the request aside (park.h).
 */
#ifndef FS_FUSE_GATE_H
#define FS_FUSE_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t empty;
	unsigned inside;
	bool closed;
};

void gate_init(struct gate *g);
void gate_release(struct gate *g);
/* False if it is closed. */
bool gate_enter(struct gate *g);
void gate_leave(struct gate *g);
/* Returns when nobody is inside. */
void gate_close(struct gate *g);
void gate_open(struct gate *g);

#endif
