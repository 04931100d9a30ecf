/*
 * weightfs: the program that mounts, and with -u the one that unmounts.
 *
 * The daemon is a child; its parent waits until the mount is up, or until it is known why it will
 * not be. Only the child opens the model: the lock must name a process that lives.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "fs/view/exit.h"
#include "fs/view/log.h"
#include "fs/cmd/mounts.h"
#include "fs/cmd/options.h"
#include "fs/view/grow.h"
#include "fs/view/open_view.h"
#include "fs/view/root.h"
#include "fs/fuse/mount.h"
#include "fs/cmd/unmount.h"

/* The pipe to the parent; -1 in the foreground. */
static int parent = -1;
static const struct options *the_options;

static void tell_parent(char code)
{
	if (parent >= 0 && write(parent, &code, 1) < 0)
		log_line("the parent is gone");
	close_pointer(&parent);
}

/* The mount is up: from here on nobody reads stderr. */
static void ready(void)
{
	int null;

	if (the_options->foreground)
		return;
	if (the_options->logfile)
		log_open(LOG_TO_FILE, the_options->logfile);
	else
		log_open(LOG_TO_SYSLOG, NULL);
	tell_parent(EXIT_FINE);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	close_pointer(&null);
}

/* What an error of open_view() is as an exit code. */
static int exit_code_of(int r)
{
	return r == -EBUSY ? EXIT_BUSY : r == -ESTALE ? EXIT_CHANGED : EXIT_NOT_MOUNTABLE;
}

static int make_view(const struct options *o, struct view *v)
{
	struct error err = {""};
	struct open_options how = {
		.read_only = o->read_only,
		.verify = o->verify,
		.workdir = o->workdir,
		.output = o->output,
	};
	int r = open_view(v, o->model, &how, &err);

	if (r == 0)
		r = grow_mount(v);
	if (r < 0) {
		log_line("%s", err.text[0] ? err.text : strerror(-r));
		return exit_code_of(r);
	}
	if (o->uid != (uid_t)-1)
		v->uid = o->uid;
	if (o->gid != (gid_t)-1)
		v->gid = o->gid;
	if (o->umask >= 0)
		v->umask = (mode_t)o->umask;
	return EXIT_FINE;
}

/* A mount there would hide files from us that we need. */
static bool hides_model(const struct model *m, const char *mountpoint)
{
	size_t n = strlen(m->place.root);

	return strncmp(mountpoint, m->place.root, n) == 0 && mountpoint[n] == '/' &&
	       model_lies_in(m, mountpoint + n + 1);
}

static int check_mountpoint(const struct view *v, const char *mountpoint)
{
	bool hides = v->root->is_hidden_by && v->root->is_hidden_by(v, mountpoint);
	struct branch *b;

	for (size_t i = 0; !hides && (b = view_next_branch(v, &i));)
		hides = hides_model(b->model, mountpoint);
	if (hides)
		log_line("%s is a part of the model: mount it somewhere else", mountpoint);
	return hides ? EXIT_NOT_MOUNTABLE : EXIT_FINE;
}

static int serve(const struct options *o, const char *mountpoint)
{
	struct view *v = view_new();
	int code = v ? make_view(o, v) : EXIT_NOT_MOUNTABLE;

	if (code == EXIT_FINE)
		code = check_mountpoint(v, mountpoint);
	if (code == EXIT_FINE)
		code = mount_serve(v, mountpoint, &o->mount, ready);
	view_free(v);
	tell_parent((char)code);
	return code;
}

/* Leaves the terminal and its signals. The parent exits with what the child tells it. */
static int detach(void)
{
	int fds[2];
	pid_t pid;
	char code = EXIT_NOT_MOUNTABLE;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		say("weightfs: %s", strerror(errno));
		return EXIT_NOT_MOUNTABLE;
	}
	if (pid) {
		close(fds[1]);
		if (read(fds[0], &code, 1) != 1)
			say("weightfs: the daemon ended before the mount was up");
		_exit(code);
	}
	close(fds[0]);
	parent = fds[1];
	setsid();
	return EXIT_FINE;
}

/* What does not depend on the current directory; NULL for NULL. */
static char *absolute_path(const char *path)
{
	cleanup_free char *here = path && path[0] != '/' ? getcwd(NULL, 0) : NULL;
	char *absolute = NULL;

	if (!path)
		return NULL;
	if (!here)
		return strdup(path);
	return asprintf(&absolute, "%s/%s", here, path) < 0 ? NULL : absolute;
}

static int mount_model(const struct options *o)
{
	cleanup_free char *mountpoint = NULL, *logfile = NULL, *workdir = NULL, *output = NULL;
	struct options absolute = *o;
	struct error err = {""};
	int r;

	mountpoint = mountpoint_path(o->mountpoint, &err);
	r = mountpoint ? mount_make_way(mountpoint, &err) : -ENOENT;
	if (r == 0 && strcmp(mountpoint, "/") == 0)
		r = error_set(&err, -EINVAL, "nothing can be mounted over /: name another folder");
	if (r < 0) {
		say("weightfs: %s", err.text);
		return r == -EBUSY ? EXIT_BUSY : EXIT_NOT_MOUNTABLE;
	}
	absolute.logfile = logfile = absolute_path(o->logfile);
	r = logfile ? log_open(LOG_TO_FILE, logfile) : 0;
	if (r < 0) {
		say("weightfs: the log file %s cannot be written: %s", logfile, strerror(-r));
		return EXIT_NOT_MOUNTABLE;
	}
	log_open(LOG_TO_STDERR, NULL);
	absolute.workdir = workdir = absolute_path(o->workdir);
	absolute.output = output = absolute_path(o->output);
	the_options = &absolute;
	if (!o->foreground) {
		r = detach();
		if (r)
			return r;
	}
	return serve(&absolute, mountpoint);
}

int main(int argc, char **argv)
{
	struct options o;
	int code;

	log_reserve_streams();
	signal(SIGXFSZ, SIG_IGN); /* a write beyond ulimit -f is EFBIG */
	code = options_parse(argc, argv, &o);
	if (code >= 0)
		return code;
	/* What is large goes back to the system when it is freed; by default that ends in time. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	return o.unmount ? unmount(o.mountpoint, o.lazy) : mount_model(&o);
}
