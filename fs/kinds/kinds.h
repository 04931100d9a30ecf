/* Every kind, by the file that it stands in: kind_NAME.c. */
#ifndef FS_KINDS_KINDS_H
#define FS_KINDS_KINDS_H

#include "fs/view/kind.h"

extern const struct kind kind_raw, kind_strings; /* kind_tensor.c */
extern const struct kind kind_npy;		 /* kind_npy.c */
extern const struct kind kind_text;		 /* kind_text.c */
extern const struct kind kind_signature, kind_config, kind_training,
	kind_object_graph;						    /* kind_document.c */
extern const struct kind kind_model_json, kind_tensors_tsv;		    /* kind_model.c */
extern const struct kind kind_asset;					    /* kind_asset.c */
extern const struct kind kind_status, kind_log, kind_version, kind_control; /* kind_mount.c */

/*
 * Adds the path of a tensor in a folder whose tree is that of variables/: "npy/", the path there,
 * ".npy". 1; 0: it is not shown in variables/. -ENOMEM.
 */
int mirror_path(const struct showing *s, const char *folder, const char *ending, struct buf *out);

#endif
