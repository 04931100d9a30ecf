/* Writing back all models of a view, and saying how it went. */
#ifndef FS_VIEW_SAVING_H
#define FS_VIEW_SAVING_H

#include "codec/save/commit.h"
#include "fs/view/exit.h"
#include "fs/view/view.h"

/*
 * Commits every model; nobody edits meanwhile. What there is to say is logged, noted for the
 * status, and added to out, a line each. The result is the worst of all; *ret_error the errno of
 * the first failure (0 or negative).
 */
enum exit_code save_all(struct view *v, const struct commit_options *options, struct buf *out,
			int *ret_error);

/*
 * Drops every edit of every model; nobody edits meanwhile. The nodes whose bytes changed are added
 * to *ret_changed, an array of *ret_n that the caller frees; also on failure. Below 0: a journal
 * could not be removed, or a commit stopped half way; the edits of that model are kept.
 */
int discard_all(struct view *v, node_id **ret_changed, size_t *ret_n, struct error *err);

#endif
