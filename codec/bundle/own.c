#include "codec/bundle/own.h"

#include "codec/bundle/bundle.h"

const char *own_prefix(const struct model *m)
{
	return ((const struct bundle_own *)m->own)->prefix;
}

void own_release(void *p)
{
	struct bundle_own *own = p;

	arena_release(&own->arena);
	free(own->entries);
	free(own->prefix);
	free(own);
}

/* The key of the variable is kept once for all of its slices, which stand together. */
static int copy_whole(struct bundle_own *own, struct span whole, struct span *ret)
{
	const struct own_entry *last = own->n ? &own->entries[own->n - 1] : NULL;

	if (!whole.n)
		return 0;
	*ret = last && span_equal(last->whole, whole) ? last->whole
						      : arena_copy(&own->arena, whole);
	return ret->p ? 0 : -ENOMEM;
}

int own_add(struct bundle_own *own, const struct own_entry *like)
{
	struct own_entry *grown = vector_grow(own->entries, own->n, &own->capacity, sizeof(*grown));
	struct own_entry e = *like;

	if (!grown)
		return -ENOMEM;
	own->entries = grown;
	e.key = arena_copy(&own->arena, like->key);
	if (!e.key.p || copy_whole(own, like->whole, &e.whole) < 0)
		return -ENOMEM;
	grown[own->n++] = e;
	return 0;
}

const struct own_entry *own_graph(const struct bundle_own *own)
{
	/* Keys of slices begin with a NUL: the graph's comes last. */
	const struct own_entry *last = own->n ? &own->entries[own->n - 1] : NULL;

	return last && span_is(last->key, BUNDLE_GRAPH_KEY) ? last : NULL;
}
