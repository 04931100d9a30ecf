/* The requests, by file: where each stands, and what it does, is told there. */
#ifndef FS_FUSE_OPS_H
#define FS_FUSE_OPS_H

#include "fs/fuse/session.h"

void ops_fill_folders(struct fuse_lowlevel_ops *ops);	 /* ops_dir.c */
void ops_fill_files(struct fuse_lowlevel_ops *ops);	 /* ops_file.c */
void ops_fill_attributes(struct fuse_lowlevel_ops *ops); /* ops_attr.c */
void ops_fill_tree(struct fuse_lowlevel_ops *ops);	 /* ops_tree.c */

#endif
