/*
 * Checkpoint keys and their paths below variables/: a bijection.
 *
 * A key is any string of bytes. Its path is made of components of 1 to 255 bytes, none of them
 * "." or "..", without NUL; joined by '/', with no slash at either end. This is all pure
 * computing: whether a path is there, or is a folder, is the tree's business (fs/view/tree.h).
 *
 * A key is cut at '/' into components, and each is escaped by itself:
 *
 *	NUL, %			%00, %25
 *	.  ..			%2E, %2E%2E
 *	(empty)			%.
 *	a final .d .slots	its dot is %2E
 *	.attrs .npy or .txt
 *	over 240 bytes		nested folders of 1 to 240 bytes and "%+" each, then the rest; never
 *	(in escaped form)	cut within an escape or a UTF-8 character. A rest of . or .. is
 *				escaped as above
 *	any other byte		itself, UTF-8 or not
 *
 * In an object-based bundle, one with TF2's object graph, the end of a key then says what the
 * last component looks like; the first rule that fits counts:
 *
 *	X/.ATTRIBUTES/VARIABLE_VALUE	X		any X, also the empty one: "%."
 *	X/.ATTRIBUTES/A			X.attrs/A	A without a '/', X any
 *	anything else			with a bare % at the end
 *
 * and in X (in the third case: in the whole key), from left to right, a component
 * .OPTIMIZER_SLOT becomes the suffix .slots of the one before it. It stays literal as the first
 * or the last one of X, and where the one before it has become a suffix itself. A component
 * .ATTRIBUTES within X is literal. Suffixes come behind the escaped form, and do not count for
 * the 240 bytes.
 *
 *	dense/kernel/.ATTRIBUTES/VARIABLE_VALUE				dense/kernel
 *	dense/kernel/.OPTIMIZER_SLOT/opt/m/.ATTRIBUTES/VARIABLE_VALUE	dense/kernel.slots/opt/m
 *	table/.ATTRIBUTES/table-keys					table.attrs/table-keys
 *	global_step							global_step%
 *
 * Other bundles (TensorFlow 1) have none of that: w/Adam is w/Adam.
 */
#ifndef FS_VIEW_PATHS_H
#define FS_VIEW_PATHS_H

#include "codec/base/buf.h"
#include "codec/base/error.h"

/* A path of more bytes, or within more folders, is not shown: a path name of the system has to
 * hold it and the mount point. */
enum { PATH_BYTES_MAX = 4000, PATH_FOLDERS_MAX = 250 };

/*
 * The path of a key, into out, which is emptied first, with a NUL behind (not counted).
 * -ENAMETOOLONG: the path passes the limits. -ENOMEM. On failure out is not to be used.
 */
int path_from_key(struct span key, bool object_based, struct buf *out);

/*
 * The key of a path, into out, as above. Of all spellings only the one is accepted that
 * path_from_key() has, but for folders: one that is shown as `w.d`, because there is a file w
 * beside it, is w here. -EINVAL: the path of no key. -ENAMETOOLONG, -ENOMEM as above. For names
 * that somebody gives, which cannot be done yet (change.h): so only tests call it.
 */
int key_from_path(struct span path, bool object_based, struct buf *out);

#endif
