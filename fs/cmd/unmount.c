/*
 * The save comes first, while the mount is up, so that a save that fails leaves everything where
 * it was. Only then the mount goes, and with it the daemon, which has nothing left to do.
 */
#include "fs/cmd/unmount.h"

#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "codec/checkpoints/collection.h"
#include "codec/work/ledger.h"
#include "codec/save/recover.h"
#include "codec/work/edits.h"
#include "codec/work/work.h"
#include "codec/model/place.h"
#include "codec/open.h"
#include "fs/cmd/control.h"
#include "fs/cmd/holders.h"
#include "fs/view/exit.h"
#include "fs/view/log.h"
#include "fs/cmd/mounts.h"

/* A daemon without anything to do ends soon; where it does not, we look for what keeps it. */
enum { SOON_MS = 1000, PATIENCE_MS = 9000 };

/* The daemon's process, from the status; 0 if it cannot be told. */
static pid_t daemon_of(const char *path)
{
	cleanup_buf struct buf status = {0};
	char line[4096];
	int pid = 0;
	FILE *f;

	buf_printf(&status, "%s/.weightfs/status%c", path, 0);
	f = status.failed ? NULL : fopen((const char *)status.p, "re");
	while (f && !pid && fgets(line, sizeof(line), f))
		if (sscanf(line, " \"pid\": %d", &pid) != 1)
			pid = 0;
	if (f)
		fclose(f);
	return pid;
}

static bool ends_within(int pidfd, int ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return pidfd < 0 || poll(&p, 1, ms) != 0;
}

/*
 * The daemon keeps the lock until it ends, and who mounts again at once must not meet it. It does
 * not end while its mount is held in another mount namespace, as by a container that was started
 * beside it.
 */
static int wait_for_end(pid_t pid, int pidfd, const struct mount *m)
{
	bool held;

	if (ends_within(pidfd, SOON_MS))
		return EXIT_FINE;
	held = holders_elsewhere(m);
	if (ends_within(pidfd, PATIENCE_MS))
		return EXIT_FINE;
	say("weightfs: unmounted here, and the edits are saved; but %s, so its daemon (process %d) "
	    "goes on and keeps the model locked. It saves at its end what is edited there, and "
	    "its log says how that goes",
	    held ? "it is held there" : "something holds the mount where you may not look", pid);
	return EXIT_BUSY;
}

static int take_down(const char *path)
{
	struct error err = {""};
	int fd, r = mount_undo(path, false, &err);

	if (r == 0)
		return EXIT_FINE;
	fd = control_send(path, "thaw");
	close_pointer(&fd);
	say("weightfs: not unmounted: %s; the edits are saved. Close what is open, or detach it "
	    "with 'weightfs -u --lazy'",
	    err.text);
	holders_name(path);
	return EXIT_BUSY;
}

/* Has the daemon write back, and shows what it says. The result is its exit code. */
static int save(const char *path)
{
	int code, fd = control_send(path, "unmount");

	if (fd < 0 && errno == EROFS)
		return EXIT_FINE; /* a read-only mount has nothing to write */
	if (fd < 0 && (errno == ENOTCONN || errno == ECONNABORTED))
		return EXIT_SAVE_FAILED; /* the daemon died a moment ago */
	if (fd < 0) {
		say("weightfs: %s: the daemon does not listen: %s", path, strerror(errno));
		return errno == EBUSY ? EXIT_BUSY : EXIT_SAVE_FAILED;
	}
	code = control_listen(fd);
	close(fd);
	return code;
}

/* What a dead mount has left behind. */
struct left {
	struct buf edits; /* the work folders that hold some, for a message */
	unsigned drafts;  /* that nobody can finish any more */
};

/* True if the work folder holds more than unfinished drafts, or what it holds cannot be told. */
static bool has_edits(struct model *m, unsigned *drafts)
{
	struct summary found;

	if (edits_open(m, EDITS_LOOK, NULL) < 0 || recover_inspect(m, &found, NULL) < 0)
		return true;
	*drafts += found.drafts;
	return ledger_count(m) || found.decided || found.foreign;
}

/* Those of all checkpoints in a folder. */
static int find_edits_of_members(const struct place *place, struct left *left, struct error *err)
{
	cleanup_collection struct collection c = {0};
	cleanup_buf struct buf names = {0};
	int r = collection_scan(place, &c, err);

	for (size_t i = 0; i < c.n_work; i++) {
		cleanup_open_model struct model *m = NULL;

		if (c.work[i].edits && model_open_within(place, c.work[i].name, &m, NULL) == 0)
			c.work[i].edits = has_edits(m, &left->drafts);
	}
	if (collection_edited(&c, false, &names))
		buf_printf(&left->edits, "%s: %.*s", place->root, (int)names.n,
			   (const char *)names.p);
	return r;
}

/* -EACCES: edits of the model are in a place that the user had named; err says where. */
static int find_edits(const char *source, struct left *left, struct error *err)
{
	cleanup_open_model struct model *m = NULL;
	struct place place;
	bool many;
	int r = place_open(source, &place, err);

	if (r < 0)
		return r;
	many = collection_probe(&place);
	r = many ? find_edits_of_members(&place, left, err) : model_open(source, &m, err);
	if (m && !edits_exist(m))
		r = work_check_place(m, err);
	else if (m && has_edits(m, &left->drafts))
		buf_add_str(&left->edits, m->work_path);
	place_release(&place);
	return r;
}

static void say_nothing_left(const char *path, unsigned drafts)
{
	if (!drafts)
		say("weightfs: the daemon of %s had died; detached it. There were no edits (those "
		    "of -o output=PATH would be in PATH.weightfs)",
		    path);
	else
		say("weightfs: the daemon of %s had died; detached it. There were no edits but %u "
		    "unfinished draft%s, which nobody can finish any more",
		    path, drafts, drafts == 1 ? "" : "s");
}

/* A dead mount has nothing to say; what it held is in the work folder. */
static int unmount_dead(const char *path, const char *source)
{
	struct left left = {{0}, 0};
	struct error err = {""};
	bool some;
	int r;

	if (mount_undo(path, true, &err) < 0) {
		say("weightfs: %s", err.text);
		return EXIT_BUSY;
	}
	r = find_edits(source, &left, &err);
	if (r < 0) {
		say("weightfs: the daemon of %s had died; detached it%s: %s", path,
		    r == -EACCES ? "" : ". Its model cannot be opened", err.text);
		return EXIT_SAVE_FAILED;
	}
	some = left.edits.n > 0;
	if (some)
		say("weightfs: the daemon of %s had died; detached it. Its edits are kept in %.*s; "
		    "mount %s again to go on, or 'weightctl commit' it",
		    path, (int)left.edits.n, left.edits.p, source);
	else
		say_nothing_left(path, left.drafts);
	buf_release(&left.edits);
	return some ? EXIT_SAVE_FAILED : EXIT_FINE;
}

static int unmount_live(const char *path, const struct mount *m)
{
	int pidfd, code, taken;
	pid_t pid = daemon_of(path);

	pidfd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	code = save(path);
	if (code == EXIT_FINE || code == EXIT_LEFT_OVER) {
		taken = take_down(path);
		if (taken == EXIT_FINE)
			taken = wait_for_end(pid, pidfd, m);
		if (taken != EXIT_FINE)
			code = taken;
	} else if (mount_is_dead(path)) { /* it died meanwhile */
		code = unmount_dead(path, m->source);
	} else if (code == EXIT_CHANGED) {
		say("weightfs: %s is still mounted, with the edits: 'weightctl discard %s' drops "
		    "what is not saved",
		    path, path);
	} else {
		say("weightfs: %s is still mounted, with the edits", path);
	}
	close_pointer(&pidfd);
	return code;
}

/* The daemon goes on until the last file is closed, and saves then. */
static int detach(const char *path)
{
	struct error err = {""};

	if (mount_undo(path, true, &err) < 0) {
		say("weightfs: %s", err.text);
		return EXIT_BUSY;
	}
	say("weightfs: detached; edits are saved when the last file is closed, and the log says "
	    "how that went");
	return EXIT_FINE;
}

/* Only its owner can write to the control file, or look into the mount at all. */
static bool is_foreign(const char *path)
{
	cleanup_buf struct buf control = {0};

	buf_printf(&control, "%s/.weightfs/control%c", path, 0);
	return !control.failed && access((const char *)control.p, W_OK) < 0 && errno == EACCES;
}

/* Root may unmount it, but is not let in to hear how the save goes. */
static int unmount_foreign(const char *path, unsigned owner, bool lazily)
{
	const struct passwd *user = getpwuid(owner);
	struct error err = {""};

	if (geteuid() != 0) {
		say("weightfs: %s: mounted by another user, %s (%u), who alone (or root) can "
		    "unmount it",
		    path, user ? user->pw_name : "nameless", owner);
		return EXIT_SAVE_FAILED;
	}
	if (mount_undo(path, lazily, &err) < 0) {
		say("weightfs: not unmounted: %s; close what is open, or detach it with 'weightfs "
		    "-u --lazy'",
		    err.text);
		holders_name(path);
		return EXIT_BUSY;
	}
	say("weightfs: unmounted %s, a mount by %s (%u), whose daemon saves the edits now; its log "
	    "says how that goes",
	    path, user ? user->pw_name : "a nameless user", owner);
	return EXIT_FINE;
}

int unmount(const char *mountpoint, bool lazily)
{
	struct error err = {""};
	cleanup_free char *path = mountpoint_path(mountpoint, &err);
	struct mount m = {0};

	if (!path) {
		say("weightfs: %s", err.text);
		return EXIT_USAGE;
	}
	m = mount_find(path);
	if (!m.found) {
		say("weightfs: %s is no mount of weightfs", path);
		return EXIT_USAGE;
	}
	if (mount_is_dead(path))
		return unmount_dead(path, m.source);
	if (is_foreign(path))
		return unmount_foreign(path, m.owner, lazily);
	return lazily ? detach(path) : unmount_live(path, &m);
}
