#include "codec/model/model.h"

#include <stdio.h>
#include <time.h>

#include "codec/checkpoints/collection.h"
#include "codec/bundle/bundle.h"
#include "codec/content/content.h"
#include "codec/base/crc32c.h"
#include "codec/work/edits.h"
#include "codec/model/format.h"
#include "codec/model/place.h"

enum { TORN_SECONDS = 2, TORN_TRIES = 3 };

static const struct format *const formats[] = {
	&format_saved_model,
	&format_bundle,
	&format_v1,
};

static const struct format *best_format(const struct place *place)
{
	const struct format *best = NULL;
	int most = 0;

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		int score = formats[i]->probe(place);

		if (score > most) {
			most = score;
			best = formats[i];
		}
	}
	return best;
}

/* Names that somebody may well give us, and that we know to be no model of ours. */
static const char *known_stranger(const char *name)
{
	static const struct {
		const char *ending, *what;
	} strangers[] = {
		{".keras", "a Keras 3 file, which is not supported yet"},
		{".h5", "an HDF5 file, which is not supported yet"},
		{".hdf5", "an HDF5 file, which is not supported yet"},
		{".cpb", "a chunked SavedModel, which is not supported"},
		{".tflite", "a TensorFlow Lite model, which is not supported"},
		{".safetensors", "a safetensors file, which is not supported"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++)
		if (span_ends(span_str(name), span_str(strangers[i].ending)))
			return strangers[i].what;
	return NULL;
}

static int no_model(const struct place *place, struct error *err)
{
	cleanup_buf struct buf found = {0};
	const char *stranger = known_stranger(place->argument);

	if (stranger)
		return error_set(err, -ENOTSUP, "%s is %s", place->argument, stranger);
	if (place_has(place, "saved_model.cpb"))
		return error_set(
			err, -ENOTSUP,
			"%s/saved_model.cpb is a chunked SavedModel, which is not supported",
			place->argument);
	if (collection_probe(place))
		return error_set(err, -ENOTSUP,
				 "%s is a folder of checkpoints: name one of them, as %s/PREFIX",
				 place->argument, place->root);
	place_describe(place, &found);
	if (place->name[0])
		return error_set(err, -ENOENT,
				 "%s is no model: expected %s.index beside it, or a folder with "
				 "saved_model.pb; found in %s: %.*s",
				 place->argument, place->name, place->root, (int)found.n, found.p);
	return error_set(
		err, -ENOENT,
		"%s is no model: expected saved_model.pb or one PREFIX.index in it; found: %.*s",
		place->argument, (int)found.n, found.p);
}

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

/* Why a model has not what its format said nothing about. */
static void say_what_is_absent(struct model *m)
{
	static const char *const usually[DOCUMENT_TYPES] = {
		[DOCUMENT_SIGNATURE] = "only a SavedModel has signatures",
		[DOCUMENT_CONFIG] = "a checkpoint holds values, not the architecture",
		[DOCUMENT_TRAINING] = "only a SavedModel of Keras 2 says how it was compiled",
		[DOCUMENT_OBJECT_GRAPH] = "the keys are names, as TensorFlow 1 has them",
	};
	bool there[DOCUMENT_TYPES] = {false};

	for (size_t i = 0; i < m->n_documents; i++)
		there[m->documents[i].type] = true;
	for (int i = 0; i < DOCUMENT_TYPES; i++)
		if (!there[i] && !m->absent[i])
			m->absent[i] = usually[i];
}

/* A folder that is no model may have the name of one: notes/ beside notes.index. */
static const struct format *format_beside(struct place *place)
{
	const struct format *format;
	struct place beside;

	if (place->name[0] || collection_probe(place) || place_beside(place, &beside) < 0)
		return NULL;
	format = best_format(&beside);
	place_release(format ? place : &beside);
	if (format)
		*place = beside;
	return format;
}

/* Loads what is at the place of the model. */
static int load(struct model *m, struct error *err)
{
	int r;

	m->format = best_format(&m->place);
	if (!m->format)
		m->format = format_beside(&m->place);
	if (!m->format)
		return no_model(&m->place, err);
	r = m->format->load(m, err);
	if (r == 0)
		r = model_set_workdir(m, NULL);
	if (r < 0)
		return r;
	for (tensor_id i = 0; i < m->n_ids; i++)
		m->tensors[i].id = i;
	say_what_is_absent(m);
	if (!m->format->save) {
		m->read_only = -EROFS;
		snprintf(m->why_read_only, sizeof(m->why_read_only), "a %s is read-only",
			 m->format->name);
	}
	return 0;
}

/* TensorFlow writes an index over in place: what was just read may be half of a save. */
static bool may_be_torn(const struct model *m, int r)
{
	cleanup_buf struct buf name = {0};
	struct stat st;

	if ((r != -EBADMSG && r != -ESTALE) || !m->prefix)
		return false;
	bundle_index_name(m->prefix, &name);
	return !name.failed && fstatat(m->place.rootfd, (const char *)name.p, &st, 0) == 0 &&
	       st.st_mtim.tv_sec + TORN_SECONDS >= time(NULL);
}

/* folder: NULL, or that which argument is a name in. */
static int open_once(const struct place *folder, const char *argument, struct model **ret,
		     bool *ret_torn, struct error *err)
{
	cleanup_model struct model *m = model_new();
	int r;

	if (!m)
		return -ENOMEM;
	r = folder ? place_within(folder, argument, &m->place)
		   : place_open(argument, &m->place, err);
	if (r == 0)
		r = load(m, err);
	*ret_torn = may_be_torn(m, r);
	if (r == 0)
		*ret = steal_pointer(m);
	return r;
}

static int open_settled(const struct place *folder, const char *argument, struct model **ret,
			struct error *err)
{
	const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
	bool torn = false;
	int r = open_once(folder, argument, ret, &torn, err);

	for (int i = 0; torn && i < TORN_TRIES; i++) {
		nanosleep(&pause, NULL);
		r = open_once(folder, argument, ret, &torn, err);
	}
	return r;
}

int model_open(const char *argument, struct model **ret, struct error *err)
{
	return open_settled(NULL, argument, ret, err);
}

int model_open_within(const struct place *folder, const char *name, struct model **ret,
		      struct error *err)
{
	return open_settled(folder, name, ret, err);
}

struct model *model_free(struct model *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->n_ids; i++)
		content_free(m->tensors[i].content);
	edits_free(m->edits);
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

const struct document *model_document(const struct model *m, enum document_type type,
				      struct span name)
{
	for (size_t i = 0; i < m->n_documents; i++)
		if (m->documents[i].type == type && span_equal(m->documents[i].name, name) &&
		    (type != DOCUMENT_SIGNATURE || m->documents[i].metagraph == m->served))
			return &m->documents[i];
	return NULL;
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

int model_add_document(struct model *m, const struct document *document)
{
	struct document *grown = realloc(m->documents, (m->n_documents + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	m->documents = grown;
	grown[m->n_documents++] = *document;
	return 0;
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

void model_set_absent(struct model *m, enum document_type type, const char *why)
{
	struct span text = arena_copy(&m->arena, span_str(why));

	m->absent[type] = text.p ? (const char *)text.p : "";
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

static bool is_open(const struct model *m)
{
	for (size_t i = 0; i < m->n_ids; i++)
		if (m->tensors[i].content)
			return true;
	return false;
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
