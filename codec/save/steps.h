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
 * is durable before the next begins. Removals that fail are passed over: what stays is only litter.
 *
 * -ESTALE: a file is neither what it was nor what it becomes. Somebody else may put a file of his
 * own there at any instant, also between our look and our rename: his file is where he put it,
 * whenever this ends.
 */
int steps_run(struct steps *s, struct error *err);
/* Goes on where somebody was killed, with what steps_run() does. Errors of steps_run(). */
int steps_resume(struct steps *s, struct error *err);
/*
 * Takes back what steps_run() did before it failed; the lock goes back, too. A file that somebody
 * else has put there since stays. -EIO and the like: that is not possible.
 */
int steps_undo(struct steps *s, struct error *err);
/*
 * True if the model is whole and edited though not all steps were carried out: each file that is
 * replaced is one of ours, which mentions only names that stand until the last step.
 */
bool steps_suffice(const struct steps *s);

#endif
