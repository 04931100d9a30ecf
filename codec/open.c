#include "codec/open.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "codec/base/lfs.h"
#include "codec/bundle/bundle.h"
#include "codec/checkpoints/collection.h"
#include "codec/content/content.h"
#include "codec/model/format.h"
#include "codec/work/edits.h"

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

/* -EBADMSG if the argument is a file in whose place Git LFS has put a pointer. */
static int check_fetched(const struct place *place, struct error *err)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
	cleanup_fd int fd = place->name[0] ? openat(place->rootfd, place->name, flags) : -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return lfs_check_open(fd, (uint64_t)st.st_size, place->argument, err);
}

static int no_model(const struct place *place, struct error *err)
{
	cleanup_buf struct buf found = {0};
	const char *stranger = known_stranger(place->argument);
	int r = check_fetched(place, err);

	if (r < 0)
		return r;
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
	model_explain_absent(m);
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
	cleanup_open_model struct model *m = model_new();
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

struct model *model_close(struct model *m)
{
	if (!m)
		return NULL;
	for (tensor_id i = 0; i < m->n_ids; i++) {
		struct tensor *t = model_tensor(m, i);

		content_free(t->content);
		t->content = NULL;
	}
	m->edits = edits_free(m->edits);
	return model_free(m);
}
