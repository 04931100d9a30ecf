#include "codec/model/model.h"

#include <assert.h>
#include <stdio.h>

#include "codec/base/crc32c.h"
#include "codec/model/format.h"

/* Readers that never stop must not keep a commit waiting. */
static void init_layout_lock(struct model *m)
{
	pthread_rwlockattr_t attributes;

	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&m->layout, &attributes);
	pthread_rwlockattr_destroy(&attributes);
}

struct model *model_new(void)
{
	struct model *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	pthread_mutex_init(&m->contents, NULL);
	init_layout_lock(m);
	m->place.rootfd = -1;
	return m;
}

static bool is_open(const struct model *m)
{
	for (size_t i = 0; i < m->n_ids; i++)
		if (m->tensors[i].content)
			return true;
	return false;
}

struct model *model_free(struct model *m)
{
	if (!m)
		return NULL;
	assert(!m->edits && !is_open(m));
	for (uint32_t i = 0; i < m->n_shards; i++)
		shard_release(&m->shards[i]);
	for (size_t i = 0; i < m->n_base; i++)
		free(m->base[i].name);
	free(m->base);
	free(m->shards);
	free(m->tensors);
	free(m->documents);
	free(m->metagraphs);
	free(m->prefix);
	free(m->work);
	free(m->workdir);
	free(m->work_path);
	free(m->output);
	buf_release(&m->notes);
	place_release(&m->place);
	arena_release(&m->arena);
	pthread_mutex_destroy(&m->contents);
	pthread_rwlock_destroy(&m->layout);
	free(m);
	return NULL;
}

struct tensor *model_add_tensor(struct model *m, const struct tensor *like)
{
	struct tensor *grown = realloc(m->tensors, (m->n_ids + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	m->tensors = grown;
	grown[m->n_ids] = *like;
	grown[m->n_ids].id = (tensor_id)m->n_ids;
	m->n_tensors += !like->hidden;
	return &grown[m->n_ids++];
}

struct tensor *model_next(const struct model *m, size_t *i)
{
	while (*i < m->n_ids && m->tensors[*i].hidden)
		++*i;
	return *i < m->n_ids ? &m->tensors[(*i)++] : NULL;
}

static int compare_key(const void *key, const void *tensor)
{
	return span_compare(*(const struct span *)key, ((const struct tensor *)tensor)->key);
}

struct tensor *model_find(const struct model *m, struct span key)
{
	if (!m->n_ids)
		return NULL;
	return bsearch(&key, m->tensors, m->n_ids, sizeof(*m->tensors), compare_key);
}

int model_add_base(struct model *m, const char *name, const struct file *file)
{
	return model_add_base_as(m, name, &file->id, crc32c_extend(0, buf_span(&file->bytes)));
}

int model_add_base_as(struct model *m, const char *name, const struct file_id *id, uint32_t crc)
{
	struct base_file *grown = realloc(m->base, (m->n_base + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	m->base = grown;
	grown[m->n_base] = (struct base_file){
		.name = strdup(name),
		.id = *id,
		.crc = crc,
	};
	return grown[m->n_base++].name ? 0 : -ENOMEM;
}

int model_set_workdir(struct model *m, const char *path)
{
	free(m->workdir);
	free(m->work_path);
	m->workdir = path ? strdup(path) : NULL;
	if (path)
		m->work_path = strdup(path);
	else if (asprintf(&m->work_path, "%s/%s", m->place.root, m->work) < 0)
		m->work_path = NULL;
	return m->work_path && (m->workdir || !path) ? 0 : -ENOMEM;
}

void model_note(struct model *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(&m->notes, format, args);
	va_end(args);
	buf_add_u8(&m->notes, '\n');
}

/* -ESTALE if the file is not that one any more; all zero: if there is one now. */
static int check_file(const struct model *m, const char *name, const struct file_id *before,
		      struct error *err)
{
	struct file_id now = {0};
	struct stat st;

	if (fstatat(m->place.rootfd, name, &st, 0) == 0 && S_ISREG(st.st_mode))
		now = file_id_of(&st);
	if (file_id_equal(&now, before))
		return 0;
	return error_set(err, -ESTALE, "%s/%s: %s since the mount", m->place.root, name,
			 !now.ino      ? "removed"
			 : before->ino ? "changed"
				       : "made");
}

bool model_let_go(struct model *m)
{
	bool idle;

	if (pthread_rwlock_trywrlock(&m->layout))
		return false;
	pthread_mutex_lock(&m->contents);
	idle = !is_open(m);
	for (uint32_t i = 0; idle && i < m->n_shards; i++)
		shard_unmap(&m->shards[i]);
	pthread_mutex_unlock(&m->contents);
	pthread_rwlock_unlock(&m->layout);
	return idle;
}

int model_check_base(const struct model *m, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < m->n_base && r == 0; i++)
		r = check_file(m, m->base[i].name, &m->base[i].id, err);
	for (uint32_t i = 0; i < m->n_shards && r == 0; i++)
		r = check_file(m, m->shards[i].name, &m->shards[i].id, err);
	return r;
}
