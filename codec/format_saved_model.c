/*
 * A SavedModel: a folder with saved_model.pb, which says what the model can do, and mostly a
 * bundle of its variables, a folder of assets, and Keras's metadata.
 *
 * What people read of saved_model.pb is a few kilobytes, though its graph may take gigabytes: it
 * is read, walked, and given back; copies of those few kilobytes stay, in the model's arena. What
 * cannot be shown of it costs the documents, not the mount: the variables are in files of their
 * own.
 */
#include "codec/format.h"
#include "codec/keras.h"
#include "codec/place.h"
#include "codec/stage.h"
#include "codec/saved_model.h"
#include "codec/signature.h"

#define GRAPH	   "saved_model.pb"
#define GRAPH_TEXT "saved_model.pbtxt"
#define METADATA   "keras_metadata.pb"
#define VARIABLES  "variables/variables"

static const uint64_t graph_max = INT32_MAX;	/* bytes: no message is longer */
static const uint64_t metadata_max = 256 << 20; /* bytes of keras_metadata.pb */
/* What is kept of saved_model.pb: hundreds of signatures are many already. */
enum { TAGS_MAX = 1000, SIGNATURES_MAX = 10000, KEPT_MAX = 64 << 20 };

struct loader {
	struct model *m;
	struct span file;   /* saved_model.pb */
	struct metagraph g; /* the one that is shown */
	size_t kept_left;   /* bytes that may still be kept */
	struct error *err;
};

/* A copy in the arena. -EFBIG: that would be more than is reasonable. */
static int keep(struct loader *l, struct span s, struct span *ret)
{
	struct span copy;

	if (s.n > l->kept_left)
		return error_set(l->err, -EFBIG, "its tags and signatures take more than %d MiB",
				 KEPT_MAX >> 20);
	copy = arena_copy(&l->m->arena, s);
	if (!copy.p)
		return -ENOMEM;
	l->kept_left -= s.n;
	*ret = copy;
	return 0;
}

static int load_tags(struct loader *l)
{
	struct model *m = l->m;
	struct span info = l->g.info, tag;
	size_t capacity = 0;
	int r;

	while ((r = metagraph_next_tag(&info, &tag)) > 0) {
		struct span *grown = vector_grow(m->tags, m->n_tags, &capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		m->tags = grown;
		if (m->n_tags == TAGS_MAX)
			return error_set(l->err, -EFBIG, "it has more than %d tags", TAGS_MAX);
		r = keep(l, tag, &m->tags[m->n_tags]);
		if (r < 0)
			return r;
		m->n_tags++;
	}
	return r < 0 ? saved_model_bad(l->file, info, l->err) : 0;
}

static int load_version(struct loader *l)
{
	struct span version;
	int r = metagraph_tensorflow_version(&l->g, &version);

	if (r < 0)
		return saved_model_bad(l->file, l->g.info, l->err);
	return r > 0 ? keep(l, version, &l->m->tensorflow_version) : 0;
}

static int add_signature(struct loader *l, const struct metagraph_signature *s)
{
	struct model *m = l->m;
	const struct document *old;
	struct span name, text;
	int r = signature_check(s->def, l->err);

	if (r < 0)
		return error_prefix(l->err, r, "signature %s, at offset %zu", quote(s->name),
				    (size_t)(s->def.p - l->file.p));
	r = keep(l, s->def, &text);
	if (r < 0)
		return r;
	/* It is a map: of two with the same name the last one counts. */
	old = model_document(m, DOCUMENT_SIGNATURE, s->name);
	if (old) {
		m->documents[old - m->documents].text = text;
		return 0;
	}
	r = keep(l, s->name, &name);
	return r < 0 ? r : model_add_document(m, DOCUMENT_SIGNATURE, name, text);
}

static int load_signatures(struct loader *l)
{
	struct span body = l->g.body;
	struct metagraph_signature s;
	int r, n = 0;

	while ((r = metagraph_next_signature(&body, &s)) > 0) {
		if (metagraph_signature_is_internal(s.name))
			continue;
		if (n++ == SIGNATURES_MAX)
			return error_set(l->err, -EFBIG, "it has more than %d signatures",
					 SIGNATURES_MAX);
		r = add_signature(l, &s);
		if (r < 0)
			return r;
	}
	return r < 0 ? saved_model_bad(l->file, body, l->err) : 0;
}

/* Why there are no documents of that type; the sentence is copied. */
static void set_absent(struct model *m, enum document_type type, const char *why)
{
	struct span text = arena_copy(&m->arena, span_str(why));

	m->absent[type] = text.p ? (const char *)text.p : "";
}

static int add_config(struct model *m, struct span metadata, struct error *err)
{
	cleanup_buf struct buf config = {0}, version = {0};
	struct span text;
	int r = keras_config(metadata, &config, &version, err);

	if (r < 0)
		return r;
	m->keras_version = arena_copy(&m->arena, buf_span(&version));
	if (!m->keras_version.p)
		return -ENOMEM;
	if (r == 0) {
		set_absent(m, DOCUMENT_CONFIG, "Keras saved this model without its architecture");
		return 0;
	}
	text = arena_copy(&m->arena, buf_span(&config));
	return text.p ? model_add_document(m, DOCUMENT_CONFIG, (struct span){0}, text) : -ENOMEM;
}

/* From keras_metadata.pb, or from where the metadata was before there was one. */
static int load_config(struct model *m, struct span object_graph, struct error *err)
{
	cleanup_file struct file file = {0};
	struct span metadata;
	int r = file_read(m->place.rootfd, METADATA, metadata_max, &file, err);

	if (r == -ENOENT) {
		r = keras_root_metadata_old(object_graph, &metadata, err);
		if (r == 0)
			set_absent(m, DOCUMENT_CONFIG,
				   "there is no " METADATA
				   ", which model.save() of Keras 2 writes");
		return r > 0 ? add_config(m, metadata, err) : r;
	}
	if (r == 0)
		r = model_add_base(m, METADATA, &file);
	if (r < 0)
		return r;
	r = keras_root_metadata(buf_span(&file.bytes), &metadata, err);
	if (r == 0)
		set_absent(m, DOCUMENT_CONFIG, METADATA " says nothing of the model as a whole");
	if (r > 0)
		r = add_config(m, metadata, err);
	return r < 0 ? error_prefix(err, r, METADATA) : r;
}

/* A config that cannot be read is noted; only a lack of memory keeps the model from its mount. */
static int try_config(struct model *m, struct span object_graph)
{
	struct error why = {0};
	int r = load_config(m, object_graph, &why);

	if (r >= 0 || r == -ENOMEM)
		return r;
	set_absent(m, DOCUMENT_CONFIG, why.text);
	model_note(m, "there is no config.json: %s", why.text);
	return 0;
}

/* Which of two variables of one name is which is all that this is for. */
static int load_used_nodes(struct loader *l)
{
	cleanup_buf struct buf bits = {0};
	int r = saved_model_used_nodes(l->g.object_graph, &bits);

	if (r == -EBADMSG)
		return 0;
	if (r == 0 && bits.n)
		l->m->used_nodes = arena_copy(&l->m->arena, buf_span(&bits));
	return r < 0 || !bits.n || l->m->used_nodes.p ? r : -ENOMEM;
}

static int load_graph(struct model *m, struct span file, struct error *err)
{
	struct loader l = {.m = m, .file = file, .kept_left = KEPT_MAX, .err = err};
	int r = saved_model_served(file, &l.g, &m->n_metagraphs, err);

	if (r == 0)
		r = load_tags(&l);
	if (r == 0)
		r = load_version(&l);
	if (r == 0)
		r = load_signatures(&l);
	if (r == 0)
		r = load_used_nodes(&l);
	if (r == 0 && !m->n_documents)
		set_absent(m, DOCUMENT_SIGNATURE, "the model has none");
	return r < 0 ? r : try_config(m, l.g.object_graph);
}

/* The variables alone are shown of a model whose graph we do not take. */
static void do_without_graph(struct model *m, const char *why)
{
	m->n_documents = 0;
	for (int i = 0; i < DOCUMENT_TYPES; i++)
		set_absent(m, (enum document_type)i, why);
	model_note(m, "there are no signatures and no config.json: %s", why);
}

/* A graph file too big to be read is still part of the base: by who it is. */
static int add_base_unread(struct model *m, const char *name)
{
	struct file file = {0};
	struct stat st;

	if (fstatat(m->place.rootfd, name, &st, 0) == 0)
		file.id = file_id_of(&st);
	return model_add_base(m, name, &file);
}

static int read_graph(struct model *m, struct error *err)
{
	cleanup_file struct file file = {0};
	int r = file_read(m->place.rootfd, GRAPH, graph_max, &file, err);

	if (r < 0)
		return r;
	r = load_graph(m, buf_span(&file.bytes), err);
	return r < 0 ? error_prefix(err, r, GRAPH) : model_add_base(m, GRAPH, &file);
}

static int load_documents(struct model *m, struct error *err)
{
	bool binary = place_has(&m->place, GRAPH);
	struct error why = {.text = GRAPH_TEXT " is text, of which nothing is read"};
	int r = binary ? read_graph(m, &why) : -EFBIG;

	if (r < 0 && r != -EFBIG)
		return error_set(err, r, "%s", why.text);
	if (r == 0)
		return 0;
	do_without_graph(m, why.text);
	return add_base_unread(m, binary ? GRAPH : GRAPH_TEXT);
}

static bool has_folder(const struct model *m, const char *name)
{
	struct stat st;

	return fstatat(m->place.rootfd, name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* TensorFlow too goes by the index: without one there are no variables. */
static int load_variables(struct model *m, struct error *err)
{
	struct stat st;

	if (fstatat(m->place.rootfd, VARIABLES ".index", &st, 0) == 0 ||
	    (errno != ENOENT && errno != ENOTDIR))
		return bundle_load(m, VARIABLES, err);
	if (has_folder(m, "variables"))
		model_note(m, "there are no variables: " VARIABLES ".index is missing");
	return 0;
}

static int load(struct model *m, struct error *err)
{
	int r;

	m->is_folder = true;
	m->work = strdup(".weightfs");
	if (!m->work)
		return -ENOMEM;
	m->has_assets = has_folder(m, "assets");
	m->has_extra = has_folder(m, "assets.extra");
	if (place_has(&m->place, "saved_model.cpb"))
		model_note(m, "there is a saved_model.cpb too, which some versions of TensorFlow "
			      "load instead of " GRAPH "; it is neither shown nor edited");
	/* The index is loaded last: it is to be the last of the base. */
	r = load_documents(m, err);
	return r < 0 ? r : load_variables(m, err);
}

static int probe(const struct place *place)
{
	if (!place->name[0])
		return place_has(place, GRAPH) || place_has(place, GRAPH_TEXT) ? 90 : 0;
	if (strcmp(place->name, GRAPH) != 0 && strcmp(place->name, GRAPH_TEXT) != 0)
		return 0;
	return place_has(place, place->name) ? 90 : 0;
}

/* The fingerprint's hashes would be wrong; TensorFlow does without (facts: it never compares). */
static int save(struct model *m, struct stage *stage, struct error *err)
{
	int r = bundle_save(m, stage, err);

	return r < 0 ? r : stage_remove(stage, "fingerprint.pb");
}

const struct format format_saved_model = {
	.name = "saved_model",
	.probe = probe,
	.load = load,
	.save = save,
};
