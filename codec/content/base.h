/*
 * The base of a content: its bytes as they lie on disk, below all edits. They are a run in a
 * shard, or runs in the slices of a partitioned variable, or, where the format decodes them, in
 * memory. Bytes of a big-endian bundle are given in our order.
 *
 * The content is locked by the caller, for an edit where that is said.
 */
#ifndef CODEC_CONTENT_BASE_H
#define CODEC_CONTENT_BASE_H

#include <sys/uio.h>

#include "codec/content/content.h"

/* True if the format decodes the base, once, into memory: by base_decode(). */
bool base_decodes(const struct content *c);
/* Decodes it, if that was not done yet. The content is locked for an edit. -EIO, -ESTALE. */
int base_decode(struct content *c, struct error *err);
/*
 * Maps the shards that a read will need. -EIO, -ESTALE: one is missing, too short, or changed; err
 * names it.
 */
int base_check(struct content *c, struct error *err);
/* True if a shard may be another file than at load; only checksums tell (codec/model/shard.h). */
bool base_is_doubted(const struct content *c);
/*
 * The mapped bytes of the base from `at` on, at most n of them: as many as follow one another
 * there. For handing to the kernel. -E2BIG: they cannot be handed over as they lie, base_copy()
 * serves. -EIO, -ESTALE: a shard that a commit has put there cannot be read.
 */
int base_run(struct content *c, uint64_t at, uint64_t n, struct iovec *ret);
/*
 * Copies n bytes from `at` on. keep_fd: more will be asked, so the descriptor of the shard stays
 * open, in c->base_fd; then the content is locked for an edit. -EIO, -ESTALE.
 */
int base_copy(struct content *c, uint64_t at, uint64_t n, bool keep_fd, void *to,
	      struct error *err);

#endif
