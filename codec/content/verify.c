#include "codec/content/verify.h"

#include <pthread.h>

#include "codec/model/format.h"

enum { THREADS = 2 };

int verify_run(struct model *m, const struct stored_run *run, const struct stored_watch *watch,
	       struct error *err)
{
	struct shard *s = &m->shards[run->extent.shard];
	cleanup_fd int fd = shard_open(s, m->place.rootfd, err);
	int r = fd < 0 ? fd : stored_verify_watched(fd, run, watch, err);

	if (r < 0 && fd >= 0)
		error_prefix(err, r, "%s at offset %llu", s->name,
			     (unsigned long long)run->extent.offset);
	return r == -EBADMSG ? -EIO : r;
}

int verify_part(struct model *m, const struct tensor *t, size_t i, const struct stored_watch *watch,
		struct error *err)
{
	struct stored_run run = tensor_run(t, i);
	int r = t->storage.has_checksum ? verify_run(m, &run, watch, err) : 0;

	if (r < 0 && t->storage.type == STORED_SLICES)
		error_prefix(err, r, "slice %zu", i);
	return r;
}

int verify_tensor(struct model *m, const struct tensor *t, struct error *err)
{
	int r = 0;

	if (t->damage)
		return error_set(err, -EIO, "%s", t->damage);
	for (size_t i = 0; i < tensor_runs(t) && r == 0; i++)
		r = verify_part(m, t, i, NULL, err);
	return r;
}

/* ---- a model ---- */

struct verifier {
	struct model *m;
	const struct verify_visitor *visitor;
	struct stats *stats;  /* or NULL */
	pthread_mutex_t lock; /* all below, stats, and what the visitor is called for */
	size_t next;	      /* what model_next() asks for */
	const struct tensor *tensor;
	size_t run; /* the next one of `tensor` */
};

static void fault(struct verifier *v, const struct tensor *t, int r, const struct error *why)
{
	pthread_mutex_lock(&v->lock);
	v->visitor->fault(v->visitor->context, t, why->text[0] ? why->text : strerror(-r));
	pthread_mutex_unlock(&v->lock);
}

static void fault_beside(void *context, const char *sentence)
{
	struct verifier *v = context;

	v->visitor->fault(v->visitor->context, NULL, sentence);
}

/* A tensor, or a slice of one, whose bytes go by. */
struct look {
	const struct tensor *tensor;
	struct stats stats;
};

static void look_at(void *context, struct span bytes)
{
	struct look *l = context;

	if (stats_countable(l->tensor->dtype))
		stats_add(&l->stats, l->tensor->dtype, l->tensor->storage.big_endian, bytes);
}

static void done(struct verifier *v, const struct look *l, uint64_t bytes)
{
	pthread_mutex_lock(&v->lock);
	if (v->stats)
		stats_merge(&v->stats[l->tensor->id], &l->stats);
	v->visitor->advance(v->visitor->context, bytes);
	pthread_mutex_unlock(&v->lock);
}

static void verify_one(struct verifier *v, const struct tensor *t, size_t run)
{
	struct look look = {.tensor = t};
	struct stored_watch watch = {look_at, &look};
	struct error why = {""};
	int r = verify_part(v->m, t, run, v->stats ? &watch : NULL, &why);

	if (r < 0)
		fault(v, t, r, &why);
	done(v, &look, tensor_run(t, run).extent.size);
}

/* The next tensor, and which of its runs; NULL behind the last one. */
static const struct tensor *next_run(struct verifier *v, size_t *ret_run)
{
	const struct tensor *t;

	pthread_mutex_lock(&v->lock);
	while (!v->tensor || v->run == tensor_runs(v->tensor)) {
		v->tensor = model_next(v->m, &v->next);
		v->run = 0;
		if (!v->tensor)
			break;
	}
	t = v->tensor;
	*ret_run = v->run++;
	pthread_mutex_unlock(&v->lock);
	return t;
}

static void *verify_main(void *context)
{
	const struct tensor *t;
	size_t run;

	while ((t = next_run(context, &run)))
		verify_one(context, t, run);
	return NULL;
}

static void verify_threaded(struct verifier *v)
{
	pthread_t threads[THREADS];
	int started = 0;

	while (started < THREADS && pthread_create(&threads[started], NULL, verify_main, v) == 0)
		started++;
	if (!started)
		verify_main(v);
	while (started)
		pthread_join(threads[--started], NULL);
}

/* What a format that decodes its tensors says of a run of one. */
static void verify_decoded(void *context, const struct tensor *t, struct span bytes, int r,
			   const struct error *why)
{
	struct verifier *v = context;
	struct look look = {.tensor = t};

	if (r < 0)
		fault(v, t, r, why);
	if (!t)
		return;
	if (v->stats)
		look_at(&look, bytes);
	done(v, &look, bytes.n);
}

int verify_model(struct model *m, const struct verify_visitor *visitor, struct stats *stats)
{
	struct verifier v = {.m = m, .visitor = visitor, .stats = stats};
	const struct tensor *t;
	int r = 0;

	pthread_mutex_init(&v.lock, NULL);
	for (size_t i = 0; (t = model_next(m, &i));)
		if (t->damage)
			visitor->fault(visitor->context, t, t->damage);
	if (m->format->verify)
		m->format->verify(m, fault_beside, &v);
	if (m->format->decode_all)
		r = m->format->decode_all(m, verify_decoded, &v);
	else
		verify_threaded(&v);
	pthread_mutex_destroy(&v.lock);
	return r;
}
