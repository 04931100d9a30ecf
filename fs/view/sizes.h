/* The sizes of texts, which are rendered to know them: each once, until the text is another one. */
#ifndef FS_VIEW_SIZES_H
#define FS_VIEW_SIZES_H

#include "fs/view/view.h"

/* How many bytes the text of a node has; 0 if it cannot be rendered. */
uint64_t view_text_size(struct view *v, node_id id, const struct node *n);
/* False if a document would have to be rendered to say its size, which may take a while. */
bool view_stat_is_quick(struct view *v, node_id id);
/* The text of a node has another size now. */
void view_forget_size(struct view *v, node_id id);

#endif
