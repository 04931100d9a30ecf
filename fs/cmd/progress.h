/* How far something is, on a terminal; nothing is shown anywhere else. */
#ifndef FS_CMD_PROGRESS_H
#define FS_CMD_PROGRESS_H

#include <stdint.h>

/*
 * Shows "WHAT NN %" in place of what was shown before; clears the line when all is done (or there
 * is nothing to do). For one thread at a time.
 */
void progress_show(const char *what, uint64_t done, uint64_t all);

#endif
