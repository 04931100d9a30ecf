/* What stands behind a file handle of the kernel. */
#ifndef FS_FUSE_OPS_FILE_H
#define FS_FUSE_OPS_FILE_H

#include "fs/view/handle.h"
#include "fs/fuse/session.h"

struct conversation; /* ops_control.h */

struct open_file {
	struct open_file *next, **back; /* in the session's list */
	struct handle *handle;		/* of a file of the view; or */
	struct conversation *talk;	/* of .weightfs/control */
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

/* The files that are open for writing, each once; to be freed. NULL without memory, or if none. */
node_id *files_for_writing(struct session *s, size_t *ret_n);
/* The session is over, and nobody will release what is still open: all of it is closed. */
void close_all_files(struct session *s);

#endif
