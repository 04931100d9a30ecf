#include "fs/fuse/committer.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "fs/fuse/collect.h"
#include "fs/fuse/notify.h"
#include "fs/fuse/park.h"
#include "fs/view/log.h"
#include "fs/view/saving.h"

/* Without a descriptor of the asker, edits wait this long for its unmount. */
enum { PATIENCE_MS = 10000 };

enum command { COMMIT, SAVE, UNMOUNT, DISCARD, COMMANDS };

static const char *const command_names[COMMANDS] = {"commit", "save", "unmount", "discard"};

/* A command that was given, and by whom. They are carried out one after the other. */
struct order {
	STAILQ_ENTRY(order) next;
	enum command command;
	struct conversation *talk;
	fuse_req_t answer; /* the WRITE that waits for a commit, and its size */
	size_t answer_size;
	pid_t asker;
	uint64_t percent; /* that was told last */
};

struct committer {
	struct session *session;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t some;
	bool stopping;
	int thaw; /* an eventfd: edits may go on */
	STAILQ_HEAD(, order) orders;
};

/* Puts the command behind those that were given before: 0, or -EBUSY: this conversation has one. */
static int submit(struct committer *k, struct conversation *c, enum command command, fuse_req_t req,
		  size_t size)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	if (!conversation_begin(c)) {
		free(o);
		return -EBUSY;
	}
	*o = (struct order){
		.command = command,
		.talk = c,
		.answer = command == COMMIT ? req : NULL,
		.answer_size = size,
		.asker = fuse_req_ctx(req)->pid,
	};
	pthread_mutex_lock(&k->lock);
	STAILQ_INSERT_TAIL(&k->orders, o, next);
	pthread_cond_signal(&k->some);
	pthread_mutex_unlock(&k->lock);
	return 0;
}

static void thaw(struct committer *k)
{
	uint64_t one = 1;

	if (write(k->thaw, &one, sizeof(one)) < 0)
		log_line("control: %s", strerror(errno));
}

static enum command command_of(struct span text)
{
	int i = 0;

	while (i < COMMANDS && !span_is(text, command_names[i]))
		i++;
	return (enum command)i;
}

void committer_take(struct committer *k, struct conversation *c, fuse_req_t req, struct span text)
{
	enum command command;
	size_t size = text.n;
	int r;

	if (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	command = command_of(text);
	if (span_is(text, "thaw")) {
		thaw(k);
		fuse_reply_write(req, size);
	} else if (command == COMMANDS) {
		log_line("control: unknown command '%s'", quote(text));
		fuse_reply_err(req, EINVAL);
	} else if ((r = submit(k, c, command, req, size)) < 0) {
		fuse_reply_err(req, -r);
	} else if (command != COMMIT) {
		fuse_reply_write(req, size);
	}
}

/* After a save for an unmount edits wait: for that, a thaw, or the death of the asker. */
static void stay_frozen(struct committer *k, pid_t asker)
{
	int pidfd = asker ? (int)syscall(SYS_pidfd_open, asker, 0) : -1;
	bool gone = asker && pidfd < 0 && errno == ESRCH;
	struct pollfd fds[] = {{.fd = k->thaw, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
	uint64_t count;

	if (!gone)
		poll(fds, pidfd < 0 ? 1 : 2, pidfd < 0 ? PATIENCE_MS : -1);
	if (fds[0].revents && read(k->thaw, &count, sizeof(count)) < 0)
		log_line("control: %s", strerror(errno));
	close_pointer(&pidfd);
}

static void say_lines(struct conversation *c, struct span text)
{
	while (text.n) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;

		conversation_tell(c, true, "say %.*s\n", (int)n, text.p);
		text = span_skip(text, end ? n + 1 : n);
	}
}

/* A save that takes long says how far it is, to who listens. */
static void show_progress(void *context, uint64_t done, uint64_t all)
{
	struct order *o = context;
	uint64_t percent = all ? 100 * done / all : 100;

	if (percent == o->percent)
		return;
	o->percent = percent;
	if (conversation_is_awaited(o->talk))
		conversation_tell(o->talk, true, "progress %llu\n", (unsigned long long)percent);
}

/* Who unmounts hears once more what an earlier mount could not keep. */
static enum exit_code tell_lost_drafts(struct view *v, struct buf *text)
{
	unsigned n = v->recovery.dropped;

	if (!v->lost_drafts)
		return EXIT_FINE;
	v->lost_drafts = false;
	buf_printf(text, "%u unfinished draft%s of an earlier mount %s dropped; the log names %s\n",
		   n, n == 1 ? "" : "s", n == 1 ? "was" : "were", n == 1 ? "it" : "them");
	return EXIT_LEFT_OVER;
}

static void save(struct committer *k, struct order *o)
{
	struct session *s = k->session;
	struct commit_options options = s->save;
	cleanup_buf struct buf text = {0};
	enum exit_code code;
	int r;

	options.progress = show_progress;
	options.context = o;
	collect_pages(s);
	gate_close(&s->gate);
	code = save_all(s->view, &options, &text, &r);
	if (o->command == UNMOUNT && code == EXIT_FINE)
		code = tell_lost_drafts(s->view, &text);
	say_lines(o->talk, buf_span(&text));
	conversation_tell(o->talk, false, "exit %d\n", code);
	if (o->command == COMMIT && r < 0)
		fuse_reply_err(o->answer, -r);
	else if (o->command == COMMIT)
		fuse_reply_write(o->answer, o->answer_size);
	if (o->command == UNMOUNT && r == 0)
		stay_frozen(k, o->asker);
	gate_open(&s->gate);
	edit_resume(s);
}

/* The kernel is told when edits go on: it may be waiting for one that was put aside. */
static void discard(struct committer *k, struct order *o)
{
	struct session *s = k->session;
	struct error err = {""};
	node_id *changed;
	size_t n;
	int r;

	gate_close(&s->gate);
	r = discard_all(s->view, &changed, &n, &err);
	gate_open(&s->gate);
	edit_resume(s);
	for (size_t i = 0; i < n; i++) {
		notify_changed(s->notifier, changed[i]);
		notify_twins(s, changed[i], 0, 0);
	}
	free(changed);
	if (r < 0)
		conversation_tell(o->talk, false, "say NOT discarded: %s\nexit %d\n", err.text,
				  EXIT_SAVE_FAILED);
	else
		conversation_tell(o->talk, false,
				  "say dropped the edits of %zu tensor%s\nexit %d\n", n,
				  n == 1 ? "" : "s", EXIT_FINE);
}

static void carry_out(struct committer *k, struct order *o)
{
	uint64_t old;

	(void)!read(k->thaw, &old, sizeof(old)); /* one that had nothing to thaw */
	if (o->command == DISCARD)
		discard(k, o);
	else
		save(k, o);
}

/* The first order, off the list; NULL when there will be no more. The lock is held. */
static struct order *next_order(struct committer *k)
{
	struct order *o;

	while (STAILQ_EMPTY(&k->orders) && !k->stopping)
		pthread_cond_wait(&k->some, &k->lock);
	o = STAILQ_FIRST(&k->orders);
	if (o)
		STAILQ_REMOVE_HEAD(&k->orders, next);
	return o;
}

static void *committer_main(void *context)
{
	struct committer *k = context;
	struct order *o;

	pthread_mutex_lock(&k->lock);
	while ((o = next_order(k))) {
		bool stopping = k->stopping;

		pthread_mutex_unlock(&k->lock);
		if (!stopping) /* or nobody is there any more who could hear of it */
			carry_out(k, o);
		conversation_free(o->talk);
		free(o);
		pthread_mutex_lock(&k->lock);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

struct committer *committer_start(struct session *s)
{
	struct committer *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->session = s;
	STAILQ_INIT(&k->orders);
	k->thaw = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->some, NULL);
	if (k->thaw >= 0 && pthread_create(&k->thread, NULL, committer_main, k) == 0)
		return k;
	close_pointer(&k->thaw);
	free(k);
	return NULL;
}

void committer_stop(struct committer *k)
{
	pthread_mutex_lock(&k->lock);
	k->stopping = true;
	pthread_cond_signal(&k->some);
	pthread_mutex_unlock(&k->lock);
	thaw(k);
	pthread_join(k->thread, NULL);
	close_pointer(&k->thaw);
	pthread_cond_destroy(&k->some);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
