/* What stands behind a file handle of the kernel; and the list of all that are open. */
#ifndef FS_FUSE_FILES_H
#define FS_FUSE_FILES_H

#include "fs/fuse/session.h"
#include "fs/view/handle.h"

struct conversation; /* conversation.h */

struct open_file {
	LIST_ENTRY(open_file) in_session;
	struct handle *handle;	   /* of a file of the view; or */
	struct conversation *talk; /* of .weightfs/control */
};

static inline struct open_file *open_file(const struct fuse_file_info *fi)
{
	return (struct open_file *)(uintptr_t)fi->fh;
}

/* NULL for the control file. */
static inline struct handle *open_handle(const struct fuse_file_info *fi)
{
	return open_file(fi)->handle;
}

/* Puts a file on the list. */
void files_add(struct session *s, struct open_file *file);
/* Takes it off the list, closes and frees it. */
enum edit_outcome files_close(struct session *s, struct open_file *file);
/* The session is over, and nobody will release what is still open: all of it is closed. */
void files_close_all(struct session *s);
/* Those that are open for writing, each once; to be freed. NULL without memory, or if none. */
node_id *files_for_writing(struct session *s, size_t *ret_n);

#endif
