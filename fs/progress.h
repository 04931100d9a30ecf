/* How far something is, on a terminal; nothing is shown anywhere else. */
#ifndef FS_PROGRESS_H
#define FS_PROGRESS_H

/* Shows "WHAT NN %" in place of what was shown before; 100 clears the line. */
void progress_show(const char *what, unsigned percent);

#endif
