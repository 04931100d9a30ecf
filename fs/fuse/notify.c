#include "fs/fuse/notify.h"

#include "fs/view/log.h"

struct post {
	STAILQ_ENTRY(post) next;
	node_id node;	    /* whose pages are wrong, */
	off_t offset, size; /* from where on, and how many bytes (0: all); or */
	fuse_req_t req;	    /* what is to be answered */
	int code;
};

struct notifier {
	struct fuse_session *fuse;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t some;
	STAILQ_HEAD(, post) posts;
	bool stopping;
};

static void deliver(struct notifier *n, const struct post *p)
{
	if (p->req)
		fuse_reply_err(p->req, -p->code);
	else
		fuse_lowlevel_notify_inval_inode(n->fuse, p->node, p->offset, p->size);
}

static void *notifier_main(void *context)
{
	struct notifier *n = context;

	pthread_mutex_lock(&n->lock);
	while (!STAILQ_EMPTY(&n->posts) || !n->stopping) {
		struct post *p = STAILQ_FIRST(&n->posts);

		if (!p) {
			pthread_cond_wait(&n->some, &n->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&n->posts, next);
		pthread_mutex_unlock(&n->lock);
		deliver(n, p); /* may wait for the workers: no lock is held */
		free(p);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

struct notifier *notifier_start(struct fuse_session *fuse)
{
	struct notifier *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->fuse = fuse;
	STAILQ_INIT(&n->posts);
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->some, NULL);
	if (pthread_create(&n->thread, NULL, notifier_main, n) == 0)
		return n;
	free(n);
	return NULL;
}

void notifier_stop(struct notifier *n)
{
	pthread_mutex_lock(&n->lock);
	n->stopping = true;
	pthread_cond_signal(&n->some);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	pthread_cond_destroy(&n->some);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

static bool post(struct notifier *n, const struct post *what)
{
	struct post *p = malloc(sizeof(*p));

	if (!p)
		return false;
	*p = *what;
	pthread_mutex_lock(&n->lock);
	STAILQ_INSERT_TAIL(&n->posts, p, next);
	pthread_cond_signal(&n->some);
	pthread_mutex_unlock(&n->lock);
	return true;
}

void notify_changed(struct notifier *n, node_id node)
{
	if (!post(n, &(struct post){.node = node}))
		log_line("no memory: the kernel may show old bytes");
}

void notify_twins(struct session *s, node_id node, uint64_t offset, uint64_t size)
{
	struct node n, other;
	struct twin twin;

	if (!tree_get(s->view->tree, node, &n))
		return;
	for (uint8_t kind = 0; view_next_twin(s->view, &n, &kind, &twin);) {
		int64_t start = (int64_t)offset + twin.shift;
		struct post p = {.node = twin.node};

		if (!tree_get(s->view->tree, twin.node, &other) || !other.known)
			continue;
		if (twin.shifted) {
			p.size = (off_t)size;
			p.offset = size && start > 0 ? start : 0;
		}
		if (!post(s->notifier, &p))
			log_line("no memory: the kernel may show old bytes");
	}
}

void notify_reply(struct notifier *n, fuse_req_t req, int code)
{
	if (!post(n, &(struct post){.req = req, .code = code}))
		fuse_reply_err(req, code ? -code : ENOMEM);
}
