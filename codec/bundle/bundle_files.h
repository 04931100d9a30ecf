/* Which files a bundle is made of: here, in another place, in a backup. */
#ifndef CODEC_BUNDLE_BUNDLE_FILES_H
#define CODEC_BUNDLE_BUNDLE_FILES_H

#include "codec/save/outbox.h"
#include "codec/save/stage.h"

/* True if a bundle of that prefix may have a file of that name; both are relative to its root. */
bool bundle_owns(const char *prefix, const char *name);
/*
 * Stages the bundle as edited, as one shard and its index, and puts them into the outbox: their
 * names there are that prefix and what is behind it. -EIO: a part of it is missing or damaged.
 */
int bundle_save_elsewhere(struct model *m, const char *prefix, struct stage *stage,
			  struct outbox *out, struct error *err);
/* Puts the bundle into the outbox as it is on disk. -ENOMEM. */
int bundle_keep(const struct model *m, struct outbox *out);

#endif
