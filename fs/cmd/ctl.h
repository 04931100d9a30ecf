/*
 * weightctl: models without a mount. One command a file (ctl_NAME.c), in the list of ctl_main.c.
 */
#ifndef FS_CMD_CTL_H
#define FS_CMD_CTL_H

#include <stdio.h>

#include "fs/view/exit.h"
#include "fs/view/view.h"

struct ctl_command {
	const char *name;
	const char *arguments; /* for the usage */
	const char *what;
	int (*run)(int argc, char **argv); /* argv[0] is the command; an exit code */
};

extern const struct ctl_command ctl_ls, ctl_cat, ctl_info, ctl_check, ctl_compact;
extern const struct ctl_command ctl_status, ctl_commit, ctl_discard, ctl_recover; /* ctl_edits.c */

/* Says how the command is used. EXIT_USAGE. */
int ctl_usage(const struct ctl_command *c);
/* For struct commit_options: shows how far a save is, on a terminal. */
void ctl_progress(void *context, uint64_t done, uint64_t all);
/* Says why a model could not be opened; the exit code of that. */
int ctl_failed(int r, const struct error *err);
/* True if the argument names a folder of checkpoints. */
bool ctl_is_folder(const char *argument);

/* A command that is to be carried out for each checkpoint of a folder, under a heading. */
struct ctl_each {
	int argc;
	char **argv;
	int model;     /* which of the arguments is the folder */
	bool edited;   /* for those only that have edits of an earlier mount */
	FILE *heading; /* where the command says what it says */
	int (*run)(int argc, char **argv);
};

/* The worst exit code of all. */
int ctl_each(const struct ctl_each *each);
/*
 * Opens a model as it is on disk and grows its tree; says so if edits of it are pending. NULL: it
 * could not be opened, which has been said; the exit code is then EXIT_NOT_MOUNTABLE.
 */
struct view *ctl_open(const char *model);

/* Has all checkpoints of a folder loaded. False: one cannot be, which has been said. */
bool ctl_look_at_all(struct view *v);

#endif
