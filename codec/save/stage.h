/*
 * The stage: what a commit has prepared and not yet shown to anybody.
 *
 * Everything is first made in the work folder, under names stage.0, stage.1 ... A format's save
 * puts files there and says what is to become of each:
 *
 *	a name		a file beside the model that nothing mentions yet (a shard of a new
 *			count); it is made when the stage is set, before the commit is decided
 *	a step		what happens once it is decided, in order: a file of the model gives way
 *			to a staged one, a staged file goes to a name, a name goes away
 *
 * Each name is made by renaming a staged file whose inode was journalled before. So whatever lies
 * beside the model after a crash, the journal tells whether it is ours to sweep away.
 */
#ifndef CODEC_SAVE_STAGE_H
#define CODEC_SAVE_STAGE_H

#include "codec/save/commit.h"
#include "codec/work/work.h"

enum step_kind {
	STEP_REPLACE, /* file `name` gives way to `staged`; a look at what came out */
	STEP_PUT,     /* `staged` goes to `name`, where the file `was` stands, or none; it may be
		       * a folder, with the file that is locked in it */
	STEP_REMOVE,  /* `name` goes, by way of `staged` */
};

/* A small file, known by what is in it. */
struct content_id {
	uint64_t size;
	uint32_t crc;
};

struct step {
	enum step_kind kind;
	char *name;			 /* relative to the model's folder */
	char *staged;			 /* in the work folder */
	struct content_id before, after; /* STEP_REPLACE */
	uint64_t inode;			 /* STEP_PUT: of staged. STEP_REMOVE: of name */
	uint64_t was;			 /* STEP_PUT: of what stands there before; or 0 */
};

struct stage_name {
	char *name;   /* relative to the model's folder */
	char *staged; /* in the work folder, until it is made */
	uint64_t inode;
};

/* A file of the stage. */
struct staged {
	char name[STAGE_NAME]; /* in the work folder */
	uint64_t inode;
	int fd; /* open for reading and writing, of a file that was made here; or -1 */
};

struct stage {
	struct model *model;
	const struct commit_options *options; /* NULL while a crash is recovered from */
	int workfd;			      /* borrowed */
	unsigned next;
	struct stage_name *names;
	size_t n_names, names_capacity;
	struct step *steps;
	size_t n_steps, steps_capacity;
	uint64_t copied; /* bytes that had to be copied because they could not be linked */
};

void stage_init(struct stage *s, struct model *m, int workfd);
void stage_release(struct stage *s);

/* Makes an empty file, with the mode, owner and attributes of the file `like` of the model. */
int stage_create(struct stage *s, const char *like, struct staged *ret, struct error *err);
/*
 * Makes an empty folder, with the mode and owner of the folder `like` of the model; ret->fd is open
 * for what goes into it, and for syncing it.
 */
int stage_create_folder(struct stage *s, const char *like, struct staged *ret, struct error *err);
/* Makes a file with these bytes, synced. */
int stage_write(struct stage *s, const char *like, struct span bytes, struct staged *ret,
		struct error *err);
/*
 * Makes a second name of a file (relative to dirfd): a hard link where that is possible, else a
 * copy (sharing its blocks where the file system can).
 */
int stage_link(struct stage *s, int dirfd, const char *name, struct staged *ret, struct error *err);
/* Closes what the two of them left open. */
void staged_close(struct staged *f);

/* Gives a file mode and owner of the file `like` of the model, as far as that is permitted. */
void stage_dress(const struct stage *s, int fd, const char *like);

/* What is to become of staged files. -ENOMEM. */
int stage_add_name(struct stage *s, const struct staged *f, const char *name);
/* A step of any kind, with these names. */
int stage_add_step(struct stage *s, struct step step, const char *name, const char *staged);
int stage_replace(struct stage *s, const char *name, const struct staged *f,
		  struct content_id before, struct content_id after);
/* The file that stands there now is what gives way, and no other. */
int stage_put(struct stage *s, const char *name, const struct staged *f);
/* A file of the model; one that is not there needs no step. */
int stage_remove(struct stage *s, const char *name);
/* A name that this stage makes, and that only serves until the steps are done. */
int stage_remove_name(struct stage *s, const struct stage_name *name);

#endif
