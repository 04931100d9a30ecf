/*
 * What the program says: the one place that prints.
 *
 * Each line goes to stderr while somebody looks (before the mount, or with -f), to the log file or
 * to syslog afterwards, and its last 64 KiB can be read as .weightfs/log.
 */
#ifndef FS_VIEW_LOG_H
#define FS_VIEW_LOG_H

#include "codec/base/buf.h"

/*
 * To be called before anything else is opened: a program that was started with one of the
 * descriptors 0 to 2 closed would open a model there, and write its messages into it. Until
 * somebody opens them on purpose, reading and writing there fails.
 */
void log_reserve_streams(void);

/* Where lines go from now on, apart from memory. */
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE };

/* path: of the log file, made if need be. -errno if it cannot be opened. */
int log_open(enum log_target target, const char *path);
/* One line, which is counted if it was said a moment ago: a control character that got into it
 * (names of files are not ours) becomes '?'. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, to stderr only; for what is said to who typed the command, and is no event. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What becomes of such a character, in place. */
void log_clean(char *text, size_t n);
/* Adds the lines that are in memory. */
void log_read(struct buf *out);

#endif
