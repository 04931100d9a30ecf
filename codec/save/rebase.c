#include "codec/save/rebase.h"

#include <fcntl.h>

#include "codec/content/content.h"
#include "codec/model/format.h"
#include "codec/tensor/slices.h"
#include "codec/tensor/stored.h"
#include "codec/work/ledger.h"

static int copy_place(const struct place *from, struct place *ret)
{
	*ret = (struct place){
		.argument = strdup(from->argument),
		.path = strdup(from->path),
		.root = strdup(from->root),
		.name = strdup(from->name),
		.traced = from->traced,
		.rootfd = fcntl(from->rootfd, F_DUPFD_CLOEXEC, 0),
	};
	return ret->argument && ret->path && ret->root && ret->name && ret->rootfd >= 0 ? 0
											: -ENOMEM;
}

int model_reload(const struct model *m, struct model **ret, struct error *err)
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

/* A commit keeps the set of tensors, and how each is stored. */
static bool is_same(const struct tensor *a, const struct tensor *b)
{
	return span_equal(a->key, b->key) && a->storage.type == b->storage.type &&
	       tensor_runs(a) == tensor_runs(b);
}

static bool has_same_tensors(const struct model *a, const struct model *b)
{
	bool same = a->n_tensors == b->n_tensors;

	for (size_t i = 0, k = 0; same && i < a->n_tensors;)
		same = is_same(model_next(a, &i), model_next(b, &k));
	return same;
}

/* The last step that replaces the file decides what is in it. */
static bool is_replaced(const struct stage *s, const struct base_file *file)
{
	for (size_t i = s->n_steps; i-- > 0;) {
		const struct step *step = &s->steps[i];

		if (step->kind == STEP_REPLACE && strcmp(step->name, file->name) == 0)
			return step->after.size == file->id.size && step->after.crc == file->crc;
	}
	return true;
}

/* The inode that the stage has put there; 0: none. Its names are in the order of the shards. */
static uint64_t staged_inode(const struct stage *s, const char *name, size_t *from)
{
	for (size_t i = 0; i < s->n_steps; i++)
		if (s->steps[i].kind == STEP_PUT && strcmp(s->steps[i].name, name) == 0)
			return s->steps[i].inode;
	for (size_t i = *from; i < s->n_names; i++)
		if (strcmp(s->names[i].name, name) == 0) {
			*from = i + 1;
			return s->names[i].inode;
		}
	return 0;
}

/* Of the link itself, where it is one. */
static uint64_t inode_of(const struct model *m, const char *name)
{
	struct stat st;

	return fstatat(m->place.rootfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_ino;
}

/* True if the stage has put the folder there that the file lies in. */
static bool is_in_staged_folder(const struct stage *s, const struct model *m, const char *name)
{
	for (size_t i = 0; i < s->n_steps; i++) {
		const struct step *step = &s->steps[i];
		size_t n = strlen(step->name);

		if (step->kind == STEP_PUT && strncmp(name, step->name, n) == 0 && name[n] == '/')
			return inode_of(m, step->name) == step->inode;
	}
	return false;
}

static bool is_staged(const struct stage *s, const struct model *fresh)
{
	bool same = true;
	size_t from = 0;

	for (size_t i = 0; same && i < fresh->n_base; i++)
		same = is_replaced(s, &fresh->base[i]);
	for (uint32_t i = 0; same && i < fresh->n_shards; i++)
		same = is_in_staged_folder(s, fresh, fresh->shards[i].name) ||
		       staged_inode(s, fresh->shards[i].name, &from) ==
			       inode_of(fresh, fresh->shards[i].name);
	return same;
}

/* What says how a partitioned variable is cut lives as long as its model: only the places change.
 */
static void move_storage(struct storage *s, const struct storage *to)
{
	if (s->type != STORED_SLICES)
		*s = *to;
	for (size_t i = 0; s->type == STORED_SLICES && i < s->slices->n; i++)
		s->slices->slice[i].extent = to->slices->slice[i].extent;
}

#define exchange(a, b)                    \
	do {                              \
		__typeof__(a) kept = (a); \
		(a) = (b);                \
		(b) = kept;               \
	} while (0)

/* A missing file that is put back must have the name by which it is asked for now. */
static void note_names(const struct model *m, struct model *fresh)
{
	for (uint32_t i = 0; i < m->n_shards && i < fresh->n_shards; i++)
		if (!fresh->shards[i].id.ino)
			fresh->shards[i].was = strdup(m->shards[i].name);
}

static void take_over(struct model *m, struct model *fresh)
{
	for (size_t i = 0, k = 0; i < m->n_tensors;) {
		struct tensor *t = model_next(m, &i);
		struct content *c = t->content;

		move_storage(&t->storage, &model_next(fresh, &k)->storage);
		if (c)
			content_rebase(c);
	}
	ledger_clear(m);
	note_names(m, fresh);
	exchange(m->own, fresh->own);
	exchange(m->shards, fresh->shards);
	exchange(m->n_shards, fresh->n_shards);
	exchange(m->base, fresh->base);
	exchange(m->n_base, fresh->n_base);
}

int model_rebase(struct model *m, const struct stage *stage, struct error *err)
{
	cleanup_model struct model *fresh = NULL;
	int r = model_reload(m, &fresh, err);

	if (r < 0)
		return r;
	if (!has_same_tensors(m, fresh) || (stage && !is_staged(stage, fresh)))
		return error_set(err, -ESTALE, "%s: saved by somebody else", m->place.path);
	pthread_rwlock_wrlock(&m->layout);
	pthread_mutex_lock(&m->contents);
	take_over(m, fresh);
	pthread_mutex_unlock(&m->contents);
	pthread_rwlock_unlock(&m->layout);
	return 0;
}
