/* weightctl compact: data files without wasted space. */
#include <stdio.h>
#include <string.h>

#include "codec/save/commit.h"
#include "codec/open.h"
#include "fs/cmd/ctl.h"
#include "fs/view/log.h"
#include "fs/view/open_model.h"

struct space {
	uint64_t size, live; /* bytes of all data files, and of the tensors in them */
	unsigned files;
};

static struct space measure(const struct model *m)
{
	struct space s = {0};

	for (uint32_t i = 0; i < m->n_shards; i++) {
		s.files += m->shards[i].id.ino != 0;
		s.size += m->shards[i].id.size;
		s.live += m->shards[i].live;
	}
	return s;
}

static void print(const char *when, struct space s)
{
	printf("%s %u data file%s, %llu bytes, %llu of them tensors\n", when, s.files,
	       s.files == 1 ? "" : "s", (unsigned long long)s.size, (unsigned long long)s.live);
}

static int compact(struct model *m)
{
	struct commit_options options = {.compact = true, .always = true, .progress = ctl_progress};
	struct commit_report done;
	struct error err = {""};
	int r = commit_model(m, &options, &done, &err);

	if (r < 0) {
		say("weightctl: NOT compacted: %s", err.text[0] ? err.text : strerror(-r));
		return r == -ESTALE ? EXIT_CHANGED : EXIT_SAVE_FAILED;
	}
	print("after: ", measure(m));
	return EXIT_FINE;
}

static int run(int argc, char **argv)
{
	bool dry = argc == 3 && strcmp(argv[2], "--dry-run") == 0;
	cleanup_open_model struct model *m = NULL;
	struct recovery found;
	struct error err = {""};
	struct space before;
	int r;

	if (argc != 2 && !dry)
		return ctl_usage(&ctl_compact);
	if (ctl_is_folder(argv[1]))
		return ctl_each(&(struct ctl_each){
			.argc = argc, .argv = argv, .model = 1, .heading = stdout, .run = run});
	r = open_model(argv[1], &(struct open_options){.read_only = dry}, &m, &found, &err);
	if (r < 0)
		return ctl_failed(r, &err);
	before = measure(m);
	print(dry ? "now:   " : "before:", before);
	if (before.size == before.live && before.files == 1 && !found.tensors) {
		puts("nothing to gain");
		return EXIT_FINE;
	}
	if (dry) {
		print("after: ", (struct space){before.live, before.live, 1});
		return EXIT_FINE;
	}
	if (m->read_only) {
		say("weightctl: %s", m->read_only->why);
		return EXIT_SAVE_FAILED;
	}
	return compact(m);
}

const struct ctl_command ctl_compact = {
	.name = "compact",
	.arguments = "MODEL [--dry-run]",
	.what = "rewrite the data files without wasted space",
	.run = run,
};
