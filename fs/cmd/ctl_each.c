/* Commands for one model, carried out for each checkpoint of a folder. */
#include <stdio.h>
#include <string.h>

#include "codec/checkpoints/collection.h"
#include "codec/model/place.h"
#include "fs/cmd/ctl.h"
#include "fs/view/log.h"

bool ctl_is_folder(const char *argument)
{
	struct place place;
	bool found;

	if (place_open(argument, &place, NULL) < 0)
		return false;
	found = collection_probe(&place);
	place_release(&place);
	return found;
}

static int run_one(const struct ctl_each *each, const struct place *folder, const char *name)
{
	cleanup_buf struct buf path = {0};
	char *argv[8];

	for (int i = 0; i <= each->argc && i < (int)ARRAY_SIZE(argv); i++)
		argv[i] = each->argv[i];
	if (collection_argument(folder, name, &path) < 0)
		return ctl_failed(-ENOMEM, &(struct error){""});
	argv[each->model] = (char *)path.p;
	fprintf(each->heading, "%s:\n", quote(span_str(name)));
	fflush(each->heading);
	return each->run(each->argc, argv);
}

/* Of a checkpoint that is gone edits may be left: nobody can do anything with them. */
static int run_edited(const struct ctl_each *each, const struct place *folder,
		      const struct collection *c)
{
	cleanup_buf struct buf gone = {0};
	size_t n = collection_edited(c, true, &gone);
	int code = EXIT_FINE;

	for (size_t i = 0; i < c->n_work; i++)
		if (c->work[i].edits && collection_find(c, c->work[i].name))
			code = exit_worse(code, run_one(each, folder, c->work[i].name));
	if (n)
		say("weightctl: edits of %zu checkpoint%s that %s gone are kept in %s: %.*s; "
		    "remove these folders if they are not needed",
		    n, n == 1 ? "" : "s", n == 1 ? "is" : "are", folder->root, (int)gone.n,
		    (const char *)gone.p);
	else if (!collection_edited(c, false, NULL))
		fprintf(each->heading, "no checkpoint of %s has edits\n", folder->root);
	return code;
}

int ctl_each(const struct ctl_each *each)
{
	cleanup_collection struct collection c = {0};
	struct place place;
	struct error err = {""};
	int code = EXIT_FINE, r = place_open(each->argv[each->model], &place, &err);

	if (r < 0)
		return ctl_failed(r, &err);
	r = collection_scan(&place, &c, &err);
	if (r < 0)
		code = ctl_failed(r, &err);
	else if (each->edited)
		code = run_edited(each, &place, &c);
	for (size_t i = 0; !each->edited && i < c.n; i++)
		code = exit_worse(code, run_one(each, &place, c.members[i].name));
	place_release(&place);
	return code;
}
