#include "fs/fuse/gate.h"

void gate_init(struct gate *g)
{
	*g = (struct gate){0};
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->empty, NULL);
}

void gate_release(struct gate *g)
{
	pthread_cond_destroy(&g->empty);
	pthread_mutex_destroy(&g->lock);
}

bool gate_enter(struct gate *g)
{
	bool open;

	pthread_mutex_lock(&g->lock);
	open = !g->closed;
	g->inside += open;
	pthread_mutex_unlock(&g->lock);
	return open;
}

void gate_leave(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	if (--g->inside == 0)
		pthread_cond_broadcast(&g->empty);
	pthread_mutex_unlock(&g->lock);
}

void gate_close(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->closed = true;
	while (g->inside)
		pthread_cond_wait(&g->empty, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

void gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->closed = false;
	pthread_mutex_unlock(&g->lock);
}
