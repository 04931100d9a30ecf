/* weightctl ls: the tensors of a model, by their paths. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/cmd/ctl.h"
#include "fs/view/log.h"

static void print_one(const struct view *v, const struct branch *b, const struct tensor *t,
		      bool long_form)
{
	cleanup_buf struct buf path = {0}, shape = {0};

	view_path(v, branch_main_node(b, THING_TENSOR, t->id), &path);
	shape_print(&t->shape, &shape);
	if (long_form)
		printf("%-10s %12llu  %-16.*s  ", dtype_name(t->dtype).text,
		       (unsigned long long)tensor_size(t), (int)shape.n, (const char *)shape.p);
	if (path.n && isatty(STDOUT_FILENO)) /* as ls(1) does */
		log_clean((char *)path.p, path.n);
	fwrite(path.p, 1, path.n, stdout);
	putchar('\n');
}

static int run(int argc, char **argv)
{
	bool long_form = argc == 3 && strcmp(argv[1], "-l") == 0;
	const struct tensor *t;
	struct branch *b;
	struct view *v;
	bool all;

	if (argc != 2 && !long_form)
		return ctl_usage(&ctl_ls);
	v = ctl_open(argv[argc - 1]);
	if (!v)
		return EXIT_NOT_MOUNTABLE;
	all = ctl_look_at_all(v);
	for (size_t k = 0; (b = view_next_branch(v, &k));)
		for (size_t i = 0; (t = model_next(b->model, &i));)
			if (branch_main_node(b, THING_TENSOR, t->id))
				print_one(v, b, t, long_form);
	view_free(v);
	return all && fflush(stdout) == 0 ? EXIT_FINE : EXIT_FINDING;
}

const struct ctl_command ctl_ls = {
	.name = "ls",
	.arguments = "[-l] MODEL",
	.what = "list the tensors; -l: with dtype, bytes and shape",
	.run = run,
};
