#include "codec/bundle/bundle_format.h"

#include "codec/bundle/bundle.h"
#include "codec/bundle/own.h"
#include "codec/bundle/save_state.h"

bool bundle_owns(const char *prefix, const char *name)
{
	uint32_t shard, shards;
	size_t n;

	if (!bundle_parse_index_name(name, &n) &&
	    !bundle_parse_shard_name(name, &n, &shard, &shards))
		return false;
	return span_equal(span_of(name, n), span_str(prefix));
}

static int add_shard(struct outbox *out, const char *prefix, uint32_t i, uint32_t n,
		     enum outbox_how how, const char *from)
{
	cleanup_buf struct buf name = {0};

	bundle_shard_name(prefix, i, n, &name);
	return name.failed ? -ENOMEM : outbox_add(out, (const char *)name.p, how, from);
}

static int add_index(struct outbox *out, const char *prefix, enum outbox_how how, const char *from)
{
	cleanup_buf struct buf name = {0};

	bundle_index_name(prefix, &name);
	return name.failed ? -ENOMEM : outbox_add(out, (const char *)name.p, how, from);
}

int bundle_save_elsewhere(struct model *m, const char *prefix, struct stage *stage,
			  struct outbox *out, struct error *err)
{
	struct staged shard = {.fd = -1}, index = {.fd = -1};
	int r = bundle_write_fresh(m, stage, &shard, &index, err);

	if (r == 0)
		r = add_shard(out, prefix, 0, 1, OUTBOX_MOVE, shard.name);
	return r < 0 ? r : add_index(out, prefix, OUTBOX_MOVE, index.name);
}

/* TensorFlow writes a new data file and renames it, but an index it writes over in place. */
int bundle_keep(const struct model *m, struct outbox *out)
{
	cleanup_buf struct buf index = {0};
	int r = 0;

	for (uint32_t i = 0; i < m->n_shards && r == 0; i++)
		if (m->shards[i].id.ino)
			r = add_shard(out, "", i, m->n_shards, OUTBOX_LINK, m->shards[i].name);
	bundle_index_name(own_prefix(m), &index);
	if (r == 0)
		r = index.failed ? -ENOMEM : add_index(out, "", OUTBOX_COPY, (const char *)index.p);
	return r;
}
