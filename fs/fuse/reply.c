#include "fs/fuse/reply.h"

#include "fs/view/log.h"

struct post {
	struct post *next;
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
	struct post *first, **last;
	bool stopping;
};

void log_refusal(const struct view *v, node_id node, const struct error *err)
{
	cleanup_buf struct buf path = {0};

	if (!err->text[0])
		return;
	view_path(v, node, &path);
	log_line("%s: %s", path.n ? quote(buf_span(&path)) : "/", err->text);
}

void reply_error(fuse_req_t req, node_id node, int code, const struct error *err)
{
	if (code < 0 && err)
		log_refusal(session_of(req)->view, node, err);
	fuse_reply_err(req, -code);
}

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
	while (n->first || !n->stopping) {
		struct post *p = n->first;

		if (!p) {
			pthread_cond_wait(&n->some, &n->lock);
			continue;
		}
		n->first = p->next;
		if (!n->first)
			n->last = &n->first;
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
	n->last = &n->first;
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
	p->next = NULL;
	pthread_mutex_lock(&n->lock);
	*n->last = p;
	n->last = &p->next;
	pthread_cond_signal(&n->some);
	pthread_mutex_unlock(&n->lock);
	return true;
}

void notify_changed(struct notifier *n, node_id node)
{
	if (!post(n, &(struct post){.node = node}))
		log_line("no memory: the kernel may show old bytes");
}

void notify_twin(struct session *s, node_id node, uint64_t offset, uint64_t size)
{
	struct post p = {.size = (off_t)size};
	struct node twin;
	int64_t shift;

	p.node = view_twin(s->view, node, &shift);
	if (!p.node || !tree_get(s->view->tree, p.node, &twin) || !twin.known)
		return;
	if (size && (int64_t)offset + shift > 0)
		p.offset = (off_t)((int64_t)offset + shift);
	if (!post(s->notifier, &p))
		log_line("no memory: the kernel may show old bytes");
}

void notify_reply(struct notifier *n, fuse_req_t req, int code)
{
	if (!post(n, &(struct post){.req = req, .code = code}))
		fuse_reply_err(req, code ? -code : ENOMEM);
}
