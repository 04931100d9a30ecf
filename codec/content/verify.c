#include "codec/content/verify.h"

int verify_run(struct model *m, const struct stored_run *run, const struct stored_watch *watch,
	       struct error *err)
{
	struct shard *s = &m->shards[run->extent.shard];
	cleanup_fd int fd = shard_open(s, m->place.rootfd, err);
	int r = fd < 0 ? fd : stored_verify_watched(fd, run, watch, err);

	if (r < 0 && fd >= 0)
		error_prefix(err, r, "%s at offset %llu", s->name,
			     (unsigned long long)run->extent.offset);
	return r == -EBADMSG ? -EIO : r;
}

int verify_part(struct model *m, const struct tensor *t, size_t i, const struct stored_watch *watch,
		struct error *err)
{
	struct stored_run run = tensor_run(t, i);
	int r = t->storage.has_checksum ? verify_run(m, &run, watch, err) : 0;

	if (r < 0 && t->storage.type == STORED_SLICES)
		error_prefix(err, r, "slice %zu", i);
	return r;
}

int verify_tensor(struct model *m, const struct tensor *t, struct error *err)
{
	int r = 0;

	if (t->damage)
		return error_set(err, -EIO, "%s", t->damage);
	for (size_t i = 0; i < tensor_runs(t) && r == 0; i++)
		r = verify_part(m, t, i, NULL, err);
	return r;
}
