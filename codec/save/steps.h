/*
 * The steps of a decided commit (codec/save/stage.h): carried out, carried on after a crash, or
 * taken back.
 */
#ifndef CODEC_SAVE_STEPS_H
#define CODEC_SAVE_STEPS_H

#include "codec/save/stage.h"

struct steps {
	int rootfd, workfd; /* borrowed */
	const struct step *step;
	size_t n;
	const char *locked; /* the file that holds the lock of the model ... */
	int *lockfd;	    /* ... and the lock, which follows when it is replaced */
	size_t done;	    /* how many steps have been carried out */
	bool final;	    /* what was done cannot be taken back */
};

/*
 * Carries out what is not done yet; a step that somebody carried out before is passed over. Each
 * is durable before the next begins. -ESTALE: a file is neither what it was nor what it becomes.
 * Removals that fail are passed over: what stays is only litter.
 */
int steps_run(struct steps *s, struct error *err);
/*
 * Takes back what steps_run() did before it failed; the lock goes back, too. -EIO: that is not
 * possible.
 */
int steps_undo(struct steps *s, struct error *err);

#endif
