/* The folder and the name that an argument means. */
#ifndef CODEC_MODEL_PLACE_H
#define CODEC_MODEL_PLACE_H

#include "codec/base/buf.h"
#include "codec/base/error.h"
#include "codec/base/file.h"
#include "codec/base/folder.h"

/* What the argument of the command line turned out to be. */
struct place {
	char *argument; /* as it was given, for messages */
	char *path;	/* the same, absolute */
	char *root;	/* absolute path of the folder that holds the model */
	int rootfd;	/* that folder */
	bool traced;	/* /proc tells where rootfd leads, and that was root when it was opened */
	bool shared;	/* rootfd is that of another place, which outlives this one */
	char *name;	/* last component of the argument, where it lies in the folder; "" where the
			 * argument is the folder itself */
};

/*
 * Opens the folder. The argument itself need not exist: PREFIX is the name of no file. -ENOENT
 * and the like, with a sentence, if the folder cannot be opened.
 */
int place_open(const char *argument, struct place *ret, struct error *err);
/*
 * The place of a folder's name in the folder that it lies in: for a PREFIX that is the name of a
 * folder, too. -ENOENT: its argument does not end in a name. Errors of place_open().
 */
int place_beside(const struct place *folder, struct place *ret);
/*
 * The place of a name in a folder that is open, and stays so for as long: no path leads there, so
 * none can lead astray. -ENOMEM.
 */
int place_within(const struct place *folder, const char *name, struct place *ret);
void place_release(struct place *place);
/*
 * -ESTALE: the folder, or one that it lies in, goes by another name now, so another one may be in
 * its place. Looks at no path: one of our own mounts may be there.
 */
int place_check(const struct place *place, struct error *err);
/* True if a regular file of that name is there, links followed. */
bool place_has(const struct place *place, const char *name);
/* True if there is a link of that name. */
bool place_has_link(const struct place *place, const char *name);
/* True if links in that path lead out of the folder. */
bool place_leads_out(const struct place *place, const char *path);
/* The names in the folder, or in the one below it that holds path; NULL if it cannot be read. */
DIR *place_list(const struct place *place);
DIR *place_list_folder(const struct place *place, const char *path);
/* Lists what was found there, numbers in names by value, for a message that says why nothing is a
 * model. */
void place_describe(const struct place *place, struct buf *out);

#endif
