/*
 * weightctl status, commit, discard, recover: edits, of a mount or of a model that is not mounted.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec/save/commit.h"
#include "codec/work/ledger.h"
#include "codec/open.h"
#include "fs/cmd/control.h"
#include "fs/cmd/ctl.h"
#include "fs/view/grow.h"
#include "fs/view/log.h"
#include "fs/cmd/mounts.h"
#include "fs/view/open_model.h"
#include "fs/view/saving.h"

/*
 * The absolute path of the mount that the argument names, or NULL if it names none. Of a mount
 * whose daemon died the model is what is meant: *argument is it then, for as long as *ret_source.
 */
static char *mount_of(const char **argument, struct mount *ret_source)
{
	struct error err;
	cleanup_free char *path = mountpoint_path(*argument, &err);

	*ret_source = path ? mount_find(path) : (struct mount){0};
	if (!ret_source->found)
		return NULL;
	if (!mount_is_dead(path))
		return steal_pointer(path);
	say("weightctl: the daemon of %s had died; this is %s", path, ret_source->source);
	*argument = ret_source->source;
	return NULL;
}

static int daemon_died(const char *mount)
{
	say("weightctl: the daemon of %s died meanwhile: 'weightfs -u %s' says where its edits are",
	    mount, mount);
	return EXIT_SAVE_FAILED;
}

/* Sends a command to a daemon and waits for its verdict. */
static int ask_daemon(const char *mount, const char *command)
{
	int code, fd = control_send(mount, command);

	if (fd < 0 && (errno == ENOTCONN || errno == ECONNABORTED))
		return daemon_died(mount);
	if (fd < 0) {
		say("weightctl: %s: %s: %s", mount, command,
		    errno == EROFS ? "the mount is read-only" : strerror(errno));
		return errno == EBUSY ? EXIT_BUSY : EXIT_SAVE_FAILED;
	}
	code = control_listen(fd);
	close(fd);
	return code != EXIT_FINE && mount_is_dead(mount) ? daemon_died(mount) : code;
}

/* Carries a command out for the checkpoints of a folder that have edits. */
static int for_each(const char *name, const char *folder, FILE *heading,
		    int (*run)(int argc, char **argv))
{
	char *argv[] = {(char *)(uintptr_t)name, (char *)(uintptr_t)folder, NULL};

	return ctl_each(&(struct ctl_each){.argc = 2,
					   .argv = argv,
					   .model = 1,
					   .edited = true,
					   .heading = heading,
					   .run = run});
}

/* ---- status ---- */

static int status_of_mount(const char *mount)
{
	cleanup_buf struct buf path = {0};
	char part[4096];
	size_t n;
	FILE *f;

	buf_printf(&path, "%s/.weightfs/status%c", mount, 0);
	f = path.failed ? NULL : fopen((const char *)path.p, "re");
	if (!f) {
		say("weightctl: %s: %s", mount, strerror(errno));
		return EXIT_NOT_MOUNTABLE;
	}
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		fwrite(part, 1, n, stdout);
	fclose(f);
	return EXIT_FINE;
}

static void print_summary(const struct view *v, const struct summary *found)
{
	const struct branch *b = v->branches[0];
	struct object at = {0};
	struct change c;
	unsigned n = 0;

	while (ledger_next(b->model, &at, &c)) {
		cleanup_buf struct buf path = {0};

		view_path(v, branch_object_node(b, c.object), &path);
		printf("edited: %s\n", quote(buf_span(&path)));
		n++;
	}
	if (found->drafts)
		printf("%u unfinished draft%s\n", found->drafts, found->drafts == 1 ? "" : "s");
	if (found->decided)
		puts("a save was decided and not finished: 'weightctl recover' finishes it, or "
		     "says why it cannot");
	if (found->foreign)
		puts("edits that were made for another state of the model: 'weightctl discard' "
		     "drops them");
	if (!n && !found->drafts && !found->decided && !found->foreign)
		puts("no edits are pending");
}

static int status_of_model(const char *argument)
{
	struct view *v = view_new();
	struct summary found;
	struct error err = {""};
	struct model *m;
	int r = v ? model_open(argument, &m, &err) : -ENOMEM;

	if (r < 0) {
		view_free(v);
		return ctl_failed(r, &err);
	}
	r = view_add_model(v, m);
	if (r == 0)
		r = edits_open(m, EDITS_LOOK, &err);
	if (r == 0)
		r = recover_inspect(m, &found, &err);
	if (r == 0)
		print_summary(v, &found);
	view_free(v);
	return r < 0 ? ctl_failed(r, &err) : EXIT_FINE;
}

static int run_status(int argc, char **argv)
{
	cleanup_free char *mount = NULL;
	const char *argument = argv[1];
	struct mount found;

	if (argc != 2)
		return ctl_usage(&ctl_status);
	mount = mount_of(&argument, &found);
	if (!mount && ctl_is_folder(argument))
		return for_each(argv[0], argument, stdout, run_status);
	return mount ? status_of_mount(mount) : status_of_model(argument);
}

const struct ctl_command ctl_status = {
	.name = "status",
	.arguments = "MOUNT|MODEL",
	.what = "show what is edited and not saved yet",
	.run = run_status,
};

/* ---- commit and recover ---- */

static void say_recovery(const struct recovery *found)
{
	if (found->finished)
		say("weightctl: finished a save that had been decided");
	if (found->tensors)
		say("weightctl: edits of %u tensor%s are pending", found->tensors,
		    found->tensors == 1 ? "" : "s");
	if (found->dropped)
		say("weightctl: %u unfinished draft%s dropped", found->dropped,
		    found->dropped == 1 ? " was" : "s were");
	if (found->lost)
		say("weightctl: edits that were not synced before the machine went down are lost");
	if (!found->finished && !found->tensors && !found->dropped && !found->lost)
		say("weightctl: nothing was left behind");
}

static int save_model(const char *argument, const struct commit_options *options)
{
	struct view *v = view_new();
	cleanup_buf struct buf text = {0};
	struct error err = {""};
	struct model *m;
	int code, error,
		r = v ? open_model(argument, &(struct open_options){0}, &m, &v->recovery, &err)
		      : -ENOMEM;

	if (r < 0) {
		view_free(v);
		return ctl_failed(r, &err);
	}
	if (m->read_only)
		say("weightctl: %s: NOT saved: read-only: %s", m->place.path, m->read_only->why);
	else
		say_recovery(&v->recovery);
	if (view_add_model(v, m) < 0 || m->read_only) {
		view_free(v);
		return EXIT_SAVE_FAILED;
	}
	code = (int)save_all(v, options, &text, &error);
	view_free(v);
	return code;
}

static int run_commit(int argc, char **argv)
{
	struct commit_options options = {.progress = ctl_progress};
	cleanup_free char *mount = NULL;
	const char *argument = argv[1];
	struct mount found;

	if (argc != 2)
		return ctl_usage(&ctl_commit);
	mount = mount_of(&argument, &found);
	if (!mount && ctl_is_folder(argument))
		return for_each(argv[0], argument, stderr, run_commit);
	return mount ? ask_daemon(mount, "save") : save_model(argument, &options);
}

const struct ctl_command ctl_commit = {
	.name = "commit",
	.arguments = "MOUNT|MODEL",
	.what = "write the edits back; a mount goes on",
	.run = run_commit,
};

static int run_recover(int argc, char **argv)
{
	struct recovery found;
	struct error err = {""};
	struct model *m;
	int r;

	if (argc != 2)
		return ctl_usage(&ctl_recover);
	if (ctl_is_folder(argv[1]))
		return for_each(argv[0], argv[1], stderr, run_recover);
	r = open_model(argv[1], &(struct open_options){0}, &m, &found, &err);
	if (r < 0)
		return ctl_failed(r, &err);
	say_recovery(&found);
	model_close(m);
	return EXIT_FINE;
}

const struct ctl_command ctl_recover = {
	.name = "recover",
	.arguments = "MODEL",
	.what = "finish a save that a crash interrupted; keep edits",
	.run = run_recover,
};

/* ---- discard ---- */

static int discard_of_model(const char *argument)
{
	struct recovery found = {0};
	struct error err = {""};
	struct model *m;
	bool there;
	int r = model_open(argument, &m, &err);

	if (r < 0)
		return ctl_failed(r, &err);
	there = edits_exist(m);
	r = edits_open(m, EDITS_LOCK, &err);
	if (r == 0)
		r = recover_discard(m, &found, &err);
	model_close(m);
	if (r < 0)
		return ctl_failed(r, &err);
	if (found.finished)
		say("weightctl: a save had been decided and was finished; nothing else was left");
	else
		say(there ? "weightctl: the edits are dropped" : "weightctl: there were no edits");
	return EXIT_FINE;
}

static int run_discard(int argc, char **argv)
{
	cleanup_free char *mount = NULL;
	const char *argument = argv[1];
	struct mount found;

	if (argc != 2)
		return ctl_usage(&ctl_discard);
	mount = mount_of(&argument, &found);
	if (!mount && ctl_is_folder(argument))
		return for_each(argv[0], argument, stderr, run_discard);
	return mount ? ask_daemon(mount, "discard") : discard_of_model(argument);
}

const struct ctl_command ctl_discard = {
	.name = "discard",
	.arguments = "MOUNT|MODEL",
	.what = "drop all edits that are not saved",
	.run = run_discard,
};
