#include "codec/save/rebase.h"

#include <fcntl.h>

#include "codec/content/content.h"
#include "codec/model/format.h"
#include "codec/work/region.h"

static int copy_place(const struct place *from, struct place *ret)
{
	*ret = (struct place){
		.argument = strdup(from->argument),
		.path = strdup(from->path),
		.root = strdup(from->root),
		.name = strdup(from->name),
		.rootfd = fcntl(from->rootfd, F_DUPFD_CLOEXEC, 0),
	};
	return ret->argument && ret->path && ret->root && ret->name && ret->rootfd >= 0 ? 0
											: -ENOMEM;
}

static int reload(const struct model *m, struct model **ret, struct error *err)
{
	cleanup_model struct model *fresh = model_new();
	int r = fresh ? copy_place(&m->place, &fresh->place) : -ENOMEM;

	if (r < 0)
		return r;
	fresh->format = m->format;
	r = m->format->load(fresh, err);
	if (r == 0)
		*ret = steal_pointer(fresh);
	return r;
}

/* A commit keeps the set of tensors. */
static int compare_tensors(const struct model *a, const struct model *b, struct error *err)
{
	bool same = a->n_ids == b->n_ids;

	for (size_t i = 0; same && i < a->n_ids; i++)
		same = span_equal(a->tensors[i].key, b->tensors[i].key);
	return same ? 0 : error_set(err, -ESTALE, "%s: not what was committed", a->place.root);
}

#define exchange(a, b)                    \
	do {                              \
		__typeof__(a) kept = (a); \
		(a) = (b);                \
		(b) = kept;               \
	} while (0)

static void take_over(struct model *m, struct model *fresh)
{
	for (size_t i = 0; i < m->n_ids; i++) {
		struct content *c = m->tensors[i].content;

		m->tensors[i].base = fresh->tensors[i].base;
		if (c && !content_rebase(c)) {
			m->tensors[i].content = NULL;
			content_free(c);
		}
	}
	exchange(m->shards, fresh->shards);
	exchange(m->n_shards, fresh->n_shards);
	exchange(m->base, fresh->base);
	exchange(m->n_base, fresh->n_base);
}

int model_rebase(struct model *m, struct error *err)
{
	cleanup_model struct model *fresh = NULL;
	int r = reload(m, &fresh, err);

	if (r == 0)
		r = compare_tensors(m, fresh, err);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&m->layout);
	pthread_mutex_lock(&m->contents);
	take_over(m, fresh);
	pthread_mutex_unlock(&m->contents);
	pthread_rwlock_unlock(&m->layout);
	return 0;
}
