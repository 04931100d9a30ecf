/*
 * weightctl check: every checksum and every structure of a model. One line on stdout for each
 * fault; with --stats a table of the numbers behind them.
 */
#include <stdio.h>
#include <string.h>

#include "codec/content/verify.h"
#include "codec/open.h"
#include "fs/cmd/ctl.h"
#include "fs/cmd/ctl_stats.h"
#include "fs/cmd/progress.h"

struct check {
	struct model *m;
	unsigned long faults;
	uint64_t done, all;  /* bytes */
	struct stats *stats; /* by tensor_id; NULL: nobody asks */
};

static void fault(void *context, const struct tensor *t, const char *sentence)
{
	struct check *c = context;

	c->faults++;
	printf("%s: ", c->m->place.argument);
	if (t)
		printf("'%s': ", quote(t->key));
	printf("%s\n", sentence);
}

static void advance(void *context, uint64_t bytes)
{
	struct check *c = context;

	c->done += bytes;
	progress_show("checking", c->done, c->all);
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
	const struct verify_visitor visitor = {c, advance, fault};
	const struct tensor *t;

	for (size_t i = 0; (t = model_next(c->m, &i));)
		if (!t->damage)
			c->all += tensor_size(t);
	if (verify_model(c->m, &visitor, c->stats) < 0)
		fault(c, NULL, "no memory");
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
