/*
 * weightctl check: every checksum and every structure of a model. One line on stdout for each
 * fault; with --stats a table of the numbers behind them.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "codec/model/format.h"
#include "codec/content/verify.h"
#include "codec/open.h"
#include "fs/cmd/ctl.h"
#include "fs/cmd/ctl_stats.h"
#include "fs/cmd/progress.h"

enum { THREADS = 2 };

struct check {
	struct model *m;
	pthread_mutex_t lock; /* all below, and stdout */
	size_t next;	      /* what model_next() asks for */
	const struct tensor *tensor;
	size_t run; /* the next one of `tensor` that is to be checked */
	unsigned long faults;
	uint64_t done, all;  /* bytes */
	struct stats *stats; /* by tensor_id; NULL: nobody asks */
};

/* t: NULL if it is no fault of a tensor. */
static void fault(struct check *c, const struct tensor *t, const char *what)
{
	pthread_mutex_lock(&c->lock);
	c->faults++;
	printf("%s: ", c->m->place.argument);
	if (t)
		printf("'%s': ", quote(t->key));
	printf("%s\n", what);
	pthread_mutex_unlock(&c->lock);
}

static void tell(void *c, const char *sentence)
{
	fault(c, NULL, sentence);
}

/* A tensor, or a slice of one, whose bytes go by. */
struct seen {
	const struct tensor *tensor;
	struct stats stats;
};

static void see(void *context, struct span bytes)
{
	struct seen *seen = context;

	stats_see(&seen->stats, seen->tensor, bytes);
}

/* So many bytes more are done. The lock is held, if there are threads. */
static void advance(struct check *c, uint64_t bytes)
{
	c->done += bytes;
	progress_show("checking", c->done, c->all);
}

static void check_run(struct check *c, const struct tensor *t, size_t run)
{
	struct seen seen = {.tensor = t};
	struct stored_watch watch = {see, &seen};
	struct error err = {""};
	int r = verify_part(c->m, t, run, c->stats ? &watch : NULL, &err);

	if (r < 0)
		fault(c, t, err.text[0] ? err.text : strerror(-r));
	pthread_mutex_lock(&c->lock);
	if (c->stats)
		stats_merge(&c->stats[t->id], &seen.stats);
	advance(c, tensor_run(t, run).extent.size);
	pthread_mutex_unlock(&c->lock);
}

/* The next tensor, and which of its runs; NULL behind the last one. */
static const struct tensor *next_run(struct check *c, size_t *ret_run)
{
	const struct tensor *t;

	pthread_mutex_lock(&c->lock);
	while (!c->tensor || c->run == tensor_runs(c->tensor)) {
		c->tensor = model_next(c->m, &c->next);
		c->run = 0;
		if (!c->tensor)
			break;
	}
	t = c->tensor;
	*ret_run = c->run++;
	pthread_mutex_unlock(&c->lock);
	return t;
}

static void *check_main(void *context)
{
	const struct tensor *t;
	size_t run;

	while ((t = next_run(context, &run)))
		check_run(context, t, run);
	return NULL;
}

/* What a format that decodes its tensors says of one. */
static void check_decoded(void *context, const struct tensor *t, struct span bytes, int r,
			  const struct error *why)
{
	struct check *c = context;

	if (r < 0)
		fault(c, t, why->text[0] ? why->text : strerror(-r));
	if (!t)
		return;
	if (c->stats)
		stats_see(&c->stats[t->id], t, bytes);
	advance(c, bytes.n);
}

static void check_threaded(struct check *c)
{
	pthread_t threads[THREADS];
	int started = 0;

	while (started < THREADS && pthread_create(&threads[started], NULL, check_main, c) == 0)
		started++;
	if (!started)
		check_main(c);
	while (started)
		pthread_join(threads[--started], NULL);
}

/* What could not be understood when the model was loaded, and cost only a part of it. */
static unsigned long check_notes(const struct model *m)
{
	unsigned long n = 0;
	struct span rest = buf_span(&m->notes);

	while (rest.n) {
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		size_t length = end ? (size_t)(end - rest.p) : rest.n;

		printf("%s: %.*s\n", m->place.argument, (int)length, (const char *)rest.p);
		rest = span_skip(rest, end ? length + 1 : length);
		n++;
	}
	return n;
}

static void check_model(struct check *c)
{
	const struct format *f = c->m->format;
	const struct tensor *t;

	pthread_mutex_init(&c->lock, NULL);
	for (size_t i = 0; (t = model_next(c->m, &i));) {
		if (t->damage)
			fault(c, t, t->damage);
		else
			c->all += tensor_size(t);
	}
	if (f->verify)
		f->verify(c->m, tell, c);
	if (!f->decode_all)
		check_threaded(c);
	else if (f->decode_all(c->m, check_decoded, c) < 0)
		fault(c, NULL, "no memory");
	pthread_mutex_destroy(&c->lock);
}

static int run(int argc, char **argv)
{
	bool stats = argc == 3 && strcmp(argv[1], "--stats") == 0;
	struct check c = {0};
	struct error err = {""};
	int r;

	if (argc != 2 && !stats)
		return ctl_usage(&ctl_check);
	if (ctl_is_folder(argv[argc - 1]))
		return ctl_each(&(struct ctl_each){.argc = argc,
						   .argv = argv,
						   .model = argc - 1,
						   .heading = stats ? stdout : stderr,
						   .run = run});
	r = model_open(argv[argc - 1], &c.m, &err);
	if (r == -EBADMSG) {
		printf("%s\n", err.text);
		return EXIT_FINDING;
	}
	if (r < 0) {
		fprintf(stderr, "weightctl: %s\n", err.text[0] ? err.text : strerror(-r));
		return EXIT_NOT_MOUNTABLE;
	}
	c.stats = stats ? calloc(c.m->n_ids + 1, sizeof(*c.stats)) : NULL;
	if (stats && !c.stats) {
		model_close(c.m);
		return ctl_failed(-ENOMEM, &err);
	}
	c.faults = check_notes(c.m);
	check_model(&c);
	if (stats && stats_print(c.m, c.stats) < 0)
		fault(&c, NULL, "no memory for the table");
	free(c.stats);
	fprintf(stderr, "%zu tensor%s checked, %lu fault%s\n", c.m->n_tensors,
		c.m->n_tensors == 1 ? "" : "s", c.faults, c.faults == 1 ? "" : "s");
	model_close(c.m);
	return c.faults ? EXIT_FINDING : EXIT_FINE;
}

const struct ctl_command ctl_check = {
	.name = "check",
	.arguments = "[--stats] MODEL",
	.what = "verify every checksum and structure; --stats: count NaNs, show min, max, mean",
	.run = run,
};
