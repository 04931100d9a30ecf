#include "codec/open.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "codec/base/lfs.h"
#include "codec/checkpoints/collection.h"
#include "codec/content/content.h"
#include "codec/model/format.h"
#include "codec/work/edits.h"

enum { TORN_SECONDS = 2, TORN_TRIES = 3 };

static const struct format *const formats[] = {
	&format_saved_model,
	&format_variables,
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

/* What would be there if it were a model. */
static void add_expected(const struct place *place, struct buf *out)
{
	const char *separator = "";

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		size_t n = ARRAY_SIZE(formats) - 1;
		const struct format *f = formats[place->name[0] ? n - i : i];

		if (!f->wants)
			continue;
		buf_add_str(out, separator);
		if (!place->name[0])
			buf_add_str(out, f->wants);
		else if (f->ending)
			buf_printf(out, "%s%s beside it", place->name, f->ending);
		else
			buf_printf(out, "a folder with %s", f->wants);
		separator = place->name[0] ? ", or " : " or ";
	}
	if (place->name[0])
		buf_printf(out, "; found in %s: ", place->root);
	else
		buf_add_str(out, " in it; found: ");
	place_describe(place, out);
}

static int no_model(const struct place *place, struct error *err)
{
	cleanup_buf struct buf expected = {0};
	const char *stranger = known_stranger(place->argument);
	int r = check_fetched(place, err);

	if (r < 0)
		return r;
	if (stranger)
		return error_set(err, -ENOTSUP, "%s is %s", place->argument, stranger);
	if (collection_probe(place))
		return error_set(err, -ENOTSUP,
				 "%s is a folder of checkpoints: name one of them, as %s/PREFIX",
				 place->argument, place->root);
	add_expected(place, &expected);
	return error_set(err, -ENOENT, "%s is no model: expected %.*s", place->argument,
			 (int)expected.n, expected.p);
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

/* The caches of model hubs are made of such links. */
static void remark_links(struct model *m)
{
	for (size_t i = 0; i < m->n_base && !m->leads_out; i++) {
		const char *name = m->base[i].name;

		m->leads_out = place_leads_out(&m->place, name);
		if (m->leads_out)
			model_remark(m,
				     "%s is a link that leads out of the model: such links are "
				     "followed, and never written through",
				     quote(span_str(name)));
	}
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
	remark_links(m);
	model_explain_absent(m);
	if (!m->format->save)
		model_set_read_only(m, -EROFS, "a %s is read-only", m->format->name);
	return 0;
}

/* TensorFlow writes an index over in place: what was just read may be half of a save. */
static bool may_be_torn(const struct model *m, int r)
{
	time_t now = time(NULL);

	for (size_t i = 0; i < m->n_base && r == -EBADMSG; i++)
		if (m->base[i].id.mtime / 1000000000 + TORN_SECONDS >= now)
			return true;
	return r == -ESTALE;
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

static int open_whole(const struct place *folder, const char *argument, struct model **ret,
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
	return open_whole(NULL, argument, ret, err);
}

int model_open_within(const struct place *folder, const char *name, struct model **ret,
		      struct error *err)
{
	return open_whole(folder, name, ret, err);
}

struct model *model_close(struct model *m)
{
	if (!m)
		return NULL;
	content_free_all(m);
	m->edits = edits_free(m->edits);
	return model_free(m);
}
