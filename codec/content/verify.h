/* The checksums of tensors against what lies in the shards. */
#ifndef CODEC_CONTENT_VERIFY_H
#define CODEC_CONTENT_VERIFY_H

#include "codec/model/model.h"
#include "codec/tensor/stats.h"
#include "codec/tensor/stored.h"

/*
 * Verifies a run of stored bytes. watch (codec/tensor/stored.h): NULL, or for a dtype of fixed
 * size. -EIO: unreadable, or not what the index says; err has the shard and the offset. -ESTALE:
 * the shard is another one since the load. The caller has locked the layout for reading.
 */
int verify_run(struct model *m, const struct stored_run *run, const struct stored_watch *watch,
	       struct error *err);
/*
 * Verifies run i of a tensor (tensor_run()), if there is a checksum for it. Errors of verify_run();
 * err says which slice it is.
 */
int verify_part(struct model *m, const struct tensor *t, size_t i, const struct stored_watch *watch,
		struct error *err);
/* Who is told how the verification of a model goes. Threads call these, one at a time. */
struct verify_visitor {
	void *context;
	/* So many bytes more of the tensors are done. */
	void (*advance)(void *context, uint64_t bytes);
	/* Something is damaged, or cannot be read. t: NULL if it is no fault of a tensor. */
	void (*fault)(void *context, const struct tensor *t, const char *sentence);
};

/*
 * Verifies all that is stored of a model, in threads. stats: by tensor_id, all zero: gathers the
 * numbers of each tensor; or NULL. -ENOMEM. Nobody commits meanwhile.
 */
int verify_model(struct model *m, const struct verify_visitor *v, struct stats *stats);
/* Verifies all runs of a tensor. Errors of verify_part(), and -EIO for one that is damaged. */
int verify_tensor(struct model *m, const struct tensor *t, struct error *err);

#endif
