/*
 * Errors: a negative errno from a short list, and one sentence beside it.
 *
 * Who knows the facts writes the sentence; only programs print it. The list, and what each
 * means everywhere in codec/ and fs/:
 *
 *	-EBADMSG	bytes on disk are not what their format says
 *	-ENOTSUP	valid, but nothing that we handle
 *	-ENOENT		not there
 *	-EINVAL		an edit (or an argument) that cannot be accepted
 *	-EFBIG		more than fits
 *	-EPERM		refused by rule
 *	-EROFS		the whole model cannot be edited
 *	-EBUSY		somebody else holds it
 *	-ESTALE		the files changed underneath
 *	-EIO		damaged or unreadable
 *	-ENOMEM		no memory
 *
 * and whatever a system call answered (ENOSPC, EACCES, EDQUOT ...), passed on as it is.
 */
#ifndef CODEC_BASE_ERROR_H
#define CODEC_BASE_ERROR_H

#include <stddef.h>

#include "codec/base/span.h"

struct error {
	char text[1024]; /* one sentence, no newline, no full stop; "" if nothing was said */
};

/* Writes the sentence into err (which may be NULL) and returns code. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes "CONTEXT: what err says". For a caller that knows the file, where the callee knew the
 * offset. */
int error_prefix(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds to the sentence. For what to do about it. */
int error_add(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* -errno, with "CONTEXT: No such file or directory". Keeps errno. */
int error_errno(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Bytes that came from a file, fit for a message: a control character, and what is no UTF-8,
 * becomes \xNN, what does not fit becomes "...". Returns out, which has room for size bytes.
 */
const char *quote_into(struct span text, char *out, size_t size);

/* quote_into() a buffer that lives to the end of the enclosing block. */
#define quote(text) quote_into((text), (char[320]){0}, 320)

#endif
