#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "fs/cmd/ctl.h"
#include "fs/cmd/progress.h"
#include "fs/view/log.h"
#include "fs/view/look.h"
#include "fs/view/open_view.h"

static const struct ctl_command *const commands[] = {
	&ctl_ls,     &ctl_cat,	   &ctl_info,	 &ctl_check,   &ctl_status,
	&ctl_commit, &ctl_discard, &ctl_recover, &ctl_compact,
};

int ctl_usage(const struct ctl_command *c)
{
	say("usage: weightctl %s %s", c->name, c->arguments);
	return EXIT_USAGE;
}

void ctl_progress(void *context, uint64_t done, uint64_t all)
{
	(void)context;
	progress_show("saving", done, all);
}

int ctl_failed(int r, const struct error *err)
{
	say("weightctl: %s", err->text[0] ? err->text : strerror(-r));
	return r == -EBUSY ? EXIT_BUSY : r == -ESTALE ? EXIT_CHANGED : EXIT_NOT_MOUNTABLE;
}

struct view *ctl_open(const char *model)
{
	struct view *v = view_new();
	struct error err = {""};
	int r = v ? open_view(v, model, &(struct open_options){.read_only = true}, &err) : -ENOMEM;

	if (r == 0)
		return v;
	say("weightctl: %s", err.text[0] ? err.text : strerror(-r));
	return view_free(v);
}

bool ctl_look_at_all(struct view *v)
{
	struct node n = {0};
	bool all = true;
	node_id id;

	while ((id = tree_next(v->tree, NODE_ROOT, n.position, &n)))
		if (n.kind == FOLDER_MEMBER)
			all &= view_look(v, id) == 0;
	return all;
}

static void help(void)
{
	puts("usage: weightctl COMMAND ...\n\nLooks into TensorFlow models without mounting "
	     "them, and at the edits of those that are or were mounted.\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s %-18s %s\n", commands[i]->name, commands[i]->arguments,
		       commands[i]->what);
	puts("\n  -h, --help     show this\n  -V, --version  show the version");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	log_reserve_streams();
	signal(SIGXFSZ, SIG_IGN); /* a write beyond ulimit -f is EFBIG */
	if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0) {
		help();
		return EXIT_FINE;
	}
	if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0) {
		puts("weightctl " WEIGHTFS_VERSION);
		return EXIT_FINE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i]->run(argc - 1, argv + 1);
	say(*name ? "weightctl: no command '%s'" : "weightctl: no command%s", name);
	say("Try 'weightctl --help'.");
	return EXIT_USAGE;
}
