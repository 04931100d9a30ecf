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
	for (tensor_id id = 0; id < m->n_ids; id++)
		if (model_tensor(m, id)->content)
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
	for (int i = 0; i < TENSOR_BLOCKS; i++)
		free(m->blocks[i]);
	free(m->by_key);
	if (m->own)
		m->format->release(m->own);
	free(m->documents);
	free(m->groups);
	for (struct read_only *next, *reason = m->reasons; reason; reason = next) {
		next = reason->before;
		free(reason);
	}
	free(m->stem);
	free(m->work);
	free(m->workdir);
	free(m->work_path);
	free(m->output);
	buf_release(&m->notes);
	buf_release(&m->remarks);
	place_release(&m->place);
	arena_release(&m->arena);
	pthread_mutex_destroy(&m->contents);
	pthread_rwlock_destroy(&m->layout);
	free(m);
	return NULL;
}

/* ---- tensors ---- */

/* Where the key stands in the index, or would stand. */
static size_t place_of_key(const struct model *m, struct span key)
{
	size_t low = 0, high = m->n_tensors;

	/* Most formats add tensors in the order of their keys. */
	if (high && span_compare(model_tensor(m, m->by_key[high - 1])->key, key) < 0)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (span_compare(model_tensor(m, m->by_key[middle])->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct tensor *model_find(const struct model *m, struct span key)
{
	size_t place = place_of_key(m, key);
	struct tensor *t = model_next(m, &place);

	return t && span_equal(t->key, key) ? t : NULL;
}

struct tensor *model_find_base(const struct model *m, struct span base_key)
{
	struct tensor *t = model_find(m, base_key);

	if (t && span_equal(t->base_key, base_key))
		return t;
	for (size_t i = 0; (t = model_next(m, &i));) /* it was renamed, or is not there */
		if (span_equal(t->base_key, base_key))
			return t;
	return NULL;
}

/* The block of the next id is there. */
static int make_room(struct model *m)
{
	uint32_t block = 31 - (uint32_t)__builtin_clz((uint32_t)m->n_ids / TENSORS_FIRST + 1);

	if (block >= TENSOR_BLOCKS)
		return -ENOMEM;
	if (!m->blocks[block])
		m->blocks[block] =
			calloc((size_t)TENSORS_FIRST << block, sizeof(*m->blocks[block]));
	return m->blocks[block] ? 0 : -ENOMEM;
}

int model_add_tensor(struct model *m, const struct tensor *like, tensor_id *ret)
{
	tensor_id *by_key =
		vector_grow(m->by_key, m->n_tensors, &m->by_key_capacity, sizeof(*by_key));
	tensor_id id = (tensor_id)m->n_ids;
	struct tensor *t;
	size_t place;

	if (by_key)
		m->by_key = by_key;
	if (!by_key || make_room(m) < 0)
		return -ENOMEM;
	place = place_of_key(m, like->key);
	if (place < m->n_tensors && span_equal(model_tensor(m, by_key[place])->key, like->key))
		return -EEXIST;
	t = model_tensor(m, id);
	*t = *like;
	t->id = id;
	if (!t->base_key.p)
		t->base_key = t->key;
	memmove(by_key + place + 1, by_key + place, (m->n_tensors - place) * sizeof(*by_key));
	by_key[place] = id;
	m->n_ids++;
	m->n_tensors++;
	*ret = id;
	return 0;
}

/* ---- files ---- */

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

void model_remark(struct model *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(&m->remarks, format, args);
	va_end(args);
	buf_add_u8(&m->remarks, '\n');
}

void model_set_read_only(struct model *m, int r, const char *format, ...)
{
	static const struct read_only without_memory = {-EROFS, NULL, "there is no memory"};
	cleanup_buf struct buf why = {0};
	struct read_only *reason;
	va_list args;

	va_start(args, format);
	buf_vprintf(&why, format, args);
	va_end(args);
	buf_add_u8(&why, 0);
	reason = why.failed ? NULL : malloc(sizeof(*reason) + why.n);
	if (!reason) {
		m->read_only = &without_memory;
		return;
	}
	*reason = (struct read_only){.r = r, .before = m->reasons};
	memcpy(reason->why, why.p, why.n);
	m->reasons = reason;
	m->read_only = reason;
}

int model_check_editable(const struct model *m, struct error *err)
{
	const struct read_only *reason = m->read_only;

	return reason ? error_set(err, reason->r, "%s", reason->why) : 0;
}

void model_note(struct model *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(&m->notes, format, args);
	va_end(args);
	buf_add_u8(&m->notes, '\n');
}

bool model_unmap(struct model *m)
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

/* Both begin with the same name. */
static bool begin_alike(const char *a, const char *b)
{
	size_t n = strcspn(a, "/");

	return n && n == strcspn(b, "/") && strncmp(a, b, n) == 0;
}

bool model_lies_in(const struct model *m, const char *path)
{
	bool found = begin_alike(m->work, path);

	for (size_t i = 0; !found && i < m->n_base; i++)
		found = begin_alike(m->base[i].name, path);
	for (uint32_t i = 0; !found && i < m->n_shards; i++)
		found = begin_alike(m->shards[i].name, path);
	for (size_t i = 0; !found && m->folders[i]; i++)
		found = begin_alike(m->folders[i], path);
	return found;
}
