/* Tables for programs: a line a row, tabs between the cells. */
#ifndef FS_VIEW_TABLE_H
#define FS_VIEW_TABLE_H

#include "codec/base/buf.h"

/* Adds a cell; what would end it is \t, \n, \\. */
static inline void table_add_cell(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		switch (text.p[i]) {
		case '\t': buf_add_str(out, "\\t"); break;
		case '\n': buf_add_str(out, "\\n"); break;
		case '\\': buf_add_str(out, "\\\\"); break;
		default: buf_add_u8(out, text.p[i]);
		}
	}
}

#endif
