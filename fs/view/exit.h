/* Exit codes of both programs. */
#ifndef FS_VIEW_EXIT_H
#define FS_VIEW_EXIT_H

enum exit_code {
	EXIT_FINE = 0,
	EXIT_FINDING = 1, /* of a check */
	EXIT_USAGE = 2,
	EXIT_NOT_MOUNTABLE = 3,
	EXIT_SAVE_FAILED = 4, /* the edits are kept */
	EXIT_CHANGED = 5,     /* the model changed underneath; the edits are kept */
	EXIT_LEFT_OVER = 6,   /* saved, but something is left over */
	EXIT_BUSY = 7,	      /* busy or locked */
};

/* Of two failures the one that kept edits back counts, else the first. */
static inline int exit_worse(int one, int other)
{
	return one == EXIT_FINE || other == EXIT_SAVE_FAILED ? other : one;
}

#endif
