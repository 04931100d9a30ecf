#include "fs/fuse/session.h"

void session_init(struct session *s)
{
	gate_init(&s->gate);
	pthread_mutex_init(&s->parking.lock, NULL);
	STAILQ_INIT(&s->parking.calls);
	pthread_mutex_init(&s->files_lock, NULL);
	LIST_INIT(&s->files);
}

void session_release(struct session *s)
{
	pthread_mutex_destroy(&s->files_lock);
	pthread_mutex_destroy(&s->parking.lock);
	gate_release(&s->gate);
}
