/* Files and folders that are kept a second time: linked where that is wanted, else copied. */
#ifndef CODEC_BASE_FOLDER_H
#define CODEC_BASE_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include <dirent.h>
#include <sys/stat.h>

#include "codec/base/error.h"

/*
 * Gives the empty file `to` the first `size` bytes of `from`, sharing blocks where the file system
 * can: then *ret_copied is 0. -ENOMEM, and errors of reading and writing.
 */
int file_copy_bytes(int from, int to, uint64_t size, uint64_t *ret_copied);
/*
 * Makes the file `to`, which must not exist, of the file `from`: its bytes, mode and nothing else.
 * Synced. -EINVAL: not a regular file. -ESTALE: it was cut short meanwhile.
 */
int file_copy(int fromfd, const char *from, int tofd, const char *to);

/* What folder_copy() makes of a file or folder. */
enum folder_how {
	FOLDER_LEAVE_OUT,
	FOLDER_COPY,
	FOLDER_LINK,   /* a second name of a file, if that is possible; else a copy */
	FOLDER_FOLLOW, /* a copy of a folder, also where a link leads to it */
};

struct folder_copy {
	/* depth: of the folder that has the name in it; 0: `from` itself. */
	enum folder_how (*how)(void *context, const char *name, int depth);
	void *context;
};

/*
 * Makes the folder `to`, which must not exist, of all that is in the folder `from`. Synced. In
 * place of a link there is the file that it leads to. One that leads to a folder that is not to be
 * followed, to one that it lies in, or nowhere stays a link, to that same place. -ELOOP: nested too
 * deeply. What was made stays on failure.
 */
int folder_copy(int fromfd, const char *from, int tofd, const char *to,
		const struct folder_copy *what);
/*
 * Goes through all that is in a folder, in no order; follows no link. path: "/x", "/folder/x". The
 * first result of visit() that is not 0 ends it. -ELOOP: nested too deeply.
 */
int folder_walk(int parentfd, const char *name,
		int (*visit)(void *context, const char *path, const struct stat *st),
		void *context);
/* Removes a folder and all in it, as far as that is possible; follows no link. */
void folder_remove(int parentfd, const char *name);

static inline void closedir_pointer(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}
#define cleanup_dir __attribute__((cleanup(closedir_pointer)))

#endif
