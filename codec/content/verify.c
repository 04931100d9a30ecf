#include "codec/content/verify.h"

#include "codec/tensor/slices.h"

int verify_entry(struct model *m, const struct tensor *t, const struct stored_watch *watch,
		 struct error *err)
{
	struct shard *s = &m->shards[t->base.shard];
	cleanup_fd int fd = shard_open(s, m->place.rootfd, err);
	uint64_t elements;
	int r = fd < 0 ? fd : shape_elements(&t->shape, &elements);

	if (r == 0)
		r = stored_verify_watched(fd, &t->base, t->dtype, elements, m->big_endian, watch,
					  err);
	if (r < 0 && fd >= 0)
		error_prefix(err, r, "%s at offset %llu", s->name,
			     (unsigned long long)t->base.offset);
	return r == -EBADMSG ? -EIO : r;
}

int verify_tensor(struct model *m, const struct tensor *t, struct error *err)
{
	int r;

	if (t->damage)
		return error_set(err, -EIO, "%s", t->damage);
	if (!t->slices)
		return verify_entry(m, t, NULL, err);
	for (size_t i = 0; i < t->slices->n; i++) {
		r = verify_entry(m, &m->tensors[t->slices->slice[i].tensor], NULL, err);
		if (r < 0)
			return error_prefix(err, r, "slice %zu", i);
	}
	return 0;
}
