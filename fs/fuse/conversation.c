#include "fs/fuse/conversation.h"

#include <stdarg.h>

#include "codec/base/buf.h"

struct conversation {
	pthread_mutex_t lock;
	unsigned refs;	    /* the open file, and a command that is being carried out */
	struct buf text;    /* to be read */
	bool busy;	    /* more will come */
	fuse_req_t waiting; /* a READ that found nothing; or NULL */
	size_t waiting_size;
};

struct conversation *conversation_new(void)
{
	struct conversation *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	c->refs = 1;
	return c;
}

void conversation_free(struct conversation *c)
{
	bool last;

	pthread_mutex_lock(&c->lock);
	last = --c->refs == 0;
	if (c->waiting) {
		fuse_reply_err(c->waiting, EINTR);
		c->waiting = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	if (!last)
		return;
	buf_release(&c->text);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Gives text to a READ. The lock is held. */
static void hand_over(struct conversation *c, fuse_req_t req, size_t size)
{
	size_t n = c->text.n < size ? c->text.n : size;

	fuse_reply_buf(req, (const char *)c->text.p, n);
	buf_drop_front(&c->text, n);
}

void conversation_read(struct conversation *c, fuse_req_t req, size_t size)
{
	pthread_mutex_lock(&c->lock);
	if (c->text.n || !c->busy) {
		hand_over(c, req, size);
	} else if (c->waiting) {
		fuse_reply_err(req, EBUSY);
	} else {
		c->waiting = req;
		c->waiting_size = size;
	}
	pthread_mutex_unlock(&c->lock);
}

void conversation_tell(struct conversation *c, bool busy, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&c->lock);
	va_start(args, format);
	buf_vprintf(&c->text, format, args);
	va_end(args);
	c->busy = busy;
	if (c->waiting && (c->text.n || !busy)) {
		hand_over(c, c->waiting, c->waiting_size);
		c->waiting = NULL;
	}
	pthread_mutex_unlock(&c->lock);
}

bool conversation_begin(struct conversation *c)
{
	bool idle;

	pthread_mutex_lock(&c->lock);
	idle = !c->busy;
	c->refs += idle;
	c->busy = true;
	pthread_mutex_unlock(&c->lock);
	return idle;
}

bool conversation_is_awaited(struct conversation *c)
{
	bool awaited;

	pthread_mutex_lock(&c->lock);
	awaited = c->waiting != NULL;
	pthread_mutex_unlock(&c->lock);
	return awaited;
}
