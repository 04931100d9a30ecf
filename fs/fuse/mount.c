#include "fs/fuse/mount.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "codec/save/settle.h"
#include "fs/fuse/collect.h"
#include "fs/fuse/committer.h"
#include "fs/fuse/files.h"
#include "fs/fuse/mountinfo.h"
#include "fs/fuse/notify.h"
#include "fs/fuse/ops.h"
#include "fs/fuse/park.h"
#include "fs/view/exit.h"
#include "fs/view/log.h"
#include "fs/view/root.h"
#include "fs/view/saving.h"

enum { REQUEST = 1 << 20, READAHEAD_KIB = 1024, WORKERS = 2, THREADS = 5, SLACK = 16 << 20 };

/* Above 1 MiB libfuse 3.14 cannot; splicing loses at this size; for the threads see the header. */
static void init(void *userdata, struct fuse_conn_info *conn)
{
	struct session *s = userdata;

	conn->want |= conn->capable &
		      (FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
		       FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_CACHE_SYMLINKS |
		       FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_ATOMIC_O_TRUNC);
	conn->want &=
		~(unsigned)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ |
			    FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
			    FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_POSIX_LOCKS);
	conn->max_write = REQUEST;
	conn->max_readahead = REQUEST;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	s->ready();
	s->ready = NULL;
}

static const struct fuse_lowlevel_ops *all_ops(void)
{
	static struct fuse_lowlevel_ops ops = {.init = init};

	ops_fill_folders(&ops);
	ops_fill_files(&ops);
	ops_fill_attributes(&ops);
	ops_fill_tree(&ops);
	return &ops;
}

/* A comma would end the name in the mount's options. */
static int add_source(struct fuse_args *args, const char *model)
{
	cleanup_buf struct buf text = {0};

	buf_add_str(&text, "-osubtype=weightfs,fsname=");
	for (; *model; model++) {
		if (*model == ',' || *model == '\\')
			buf_add_u8(&text, '\\');
		buf_add_u8(&text, (uint8_t)*model);
	}
	buf_add_u8(&text, 0);
	return text.failed ? -ENOMEM : fuse_opt_add_arg(args, (const char *)text.p);
}

static struct fuse_session *new_fuse(struct session *s, const struct mount_options *o)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *fuse = NULL;
	int r = fuse_opt_add_arg(&args, "weightfs");

	if (r == 0)
		r = add_source(&args, s->view->place->path);
	if (r == 0 && o->allow_other)
		r = fuse_opt_add_arg(&args, "-oallow_other,default_permissions");
	if (r == 0 && !s->view->root->can_be_edited(s->view))
		r = fuse_opt_add_arg(&args, "-oro");
	if (r == 0 && o->debug)
		r = fuse_opt_add_arg(&args, "-d");
	if (r == 0)
		fuse = fuse_session_new(&args, all_ops(), sizeof(struct fuse_lowlevel_ops), s);
	fuse_opt_free_args(&args);
	return fuse;
}

/* The kernel reads 128 KiB ahead; as root we can ask for more, which is the largest gain of all. */
static void raise_readahead(const struct session *s, long kib)
{
	struct mount m = mount_find(s->mountpoint);
	char path[80];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", m.major, m.minor);
	f = m.found && kib > 0 ? fopen(path, "we") : NULL;
	if (!f)
		return;
	fprintf(f, "%ld\n", kib);
	fclose(f);
}

/* ---- signals ---- */

/*
 * Pages that are dirty in somebody's map come to us while we still serve; then the mount goes,
 * or, where files are open, is detached, and what is valid is saved when the loop has ended.
 */
static void unmount_by_signal(struct session *s, int signal)
{
	struct error err = {""};

	log_line("signal %d: saving and unmounting", signal);
	collect_pages(s);
	if (mount_undo(s->mountpoint, false, &err) == 0)
		return;
	log_line("%s: files are open; detached", err.text);
	if (mount_undo(s->mountpoint, true, &err) < 0)
		log_line("%s", err.text);
	fuse_session_exit(s->fuse);
	pthread_kill(s->main_thread, SIGUSR2); /* or it would wait for a request */
}

static void wake_up(int signal)
{
	(void)signal;
}

static sigset_t awaited(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1); /* our own: the session is over */
	return set;
}

static void *signaller_main(void *context)
{
	struct session *s = context;
	sigset_t set = awaited();
	int signal;

	prctl(PR_SET_NAME, "signaller");
	while (sigwait(&set, &signal) == 0 && signal != SIGUSR1)
		unmount_by_signal(s, signal);
	return NULL;
}

/* ---- the life of a mount ---- */

static int loop(struct session *s, bool single)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int r;

	if (!config)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(config, 0);
	fuse_loop_cfg_set_max_threads(config, single ? 1 : WORKERS);
	fuse_loop_cfg_set_idle_threads(config, WORKERS);
	r = single ? fuse_session_loop(s->fuse) : fuse_session_loop_mt(s->fuse, config);
	fuse_loop_cfg_destroy(config);
	return r;
}

static void prepare_signals(void)
{
	struct sigaction wake = {.sa_handler = wake_up};
	sigset_t set = awaited();

	sigaction(SIGUSR2, &wake, NULL);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* libfuse gives up in the middle when a thread of it, or its buffer, cannot be had. */
static bool has_room(void)
{
	pthread_attr_t attributes;
	size_t n = 0;
	void *room;

	pthread_attr_init(&attributes);
	pthread_attr_getstacksize(&attributes, &n);
	pthread_attr_destroy(&attributes);
	n = THREADS * n + SLACK;
	room = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return room != MAP_FAILED && munmap(room, n) == 0;
}

static int serve(struct session *s, const struct mount_options *o)
{
	pthread_t signaller;
	int r;

	if (!has_room()) {
		log_line("cannot serve a mount: there is too little address space (see ulimit -v)");
		return EXIT_NOT_MOUNTABLE;
	}
	prepare_signals();
	s->main_thread = pthread_self();
	s->notifier = notifier_start(s->fuse);
	s->committer = committer_start(s);
	r = s->notifier && s->committer ? pthread_create(&signaller, NULL, signaller_main, s) : -1;
	if (r) {
		log_line("cannot start threads");
		return EXIT_NOT_MOUNTABLE;
	}
	raise_readahead(s, o->readahead ? o->readahead : READAHEAD_KIB);
	r = loop(s, o->single);
	if (s->ready)
		log_line("cannot serve a mount: no thread can be started (see ulimit -u)");
	else if (r < 0)
		log_line("the connection to the kernel broke: %s", strerror(-r));
	pthread_kill(signaller, SIGUSR1);
	pthread_join(signaller, NULL);
	committer_stop(s->committer);
	notifier_stop(s->notifier);
	edit_give_up(s);
	files_close_all(s);
	return s->ready ? EXIT_NOT_MOUNTABLE : EXIT_FINE;
}

static int run(struct session *s, const struct mount_options *o)
{
	int code;

	s->fuse = new_fuse(s, o);
	if (!s->fuse || fuse_session_mount(s->fuse, s->mountpoint) < 0) {
		log_line("cannot mount at %s", s->mountpoint);
		return EXIT_NOT_MOUNTABLE;
	}
	code = serve(s, o);
	fuse_session_unmount(s->fuse);
	fuse_session_destroy(s->fuse);
	return code;
}

/* Nobody can look into the view any more; drafts went when all files were closed. */
static int save_the_rest(struct session *s)
{
	cleanup_buf struct buf text = {0};
	struct branch *b;
	int code, error;

	s->view->over = true;
	code = (int)save_all(s->view, &s->save, &text, &error);
	for (size_t i = 0; (b = view_next_branch(s->view, &i));)
		settle_at_end(b->model);
	return code;
}

int mount_serve(struct view *v, const char *mountpoint, const struct mount_options *options,
		void (*ready)(void))
{
	struct session s = {
		.view = v,
		.mountpoint = mountpoint,
		.ready = ready,
		.save = {.compact = options->compact, .backup = options->backup},
	};
	int code;

	session_init(&s);
	code = run(&s, options);
	if (code == EXIT_FINE)
		code = save_the_rest(&s);
	session_release(&s);
	return code;
}
