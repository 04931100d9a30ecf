/*
 * What people read of saved_model.pb is a few kilobytes, though its graph may take gigabytes:
 * copies of those few kilobytes stay, in the model's arena. What cannot be shown of it costs the
 * documents, not the mount: the variables are in files of their own.
 */
#include <limits.h>

#include "codec/base/lfs.h"
#include "codec/graph/keras.h"
#include "codec/saved_model/internal.h"
#include "codec/saved_model/saved_model.h"
#include "codec/saved_model/saved_model_file.h"
#include "codec/saved_model/signature.h"

/* What is kept of saved_model.pb: hundreds of signatures are many already. */
enum { METAGRAPHS_MAX = 1000, TAGS_MAX = 1000, SIGNATURES_MAX = 10000, KEPT_MAX = 64 << 20 };

struct loader {
	struct model *m;
	struct span file;   /* saved_model.pb */
	struct metagraph g; /* the one at hand */
	uint32_t n;	    /* which one that is */
	struct span *tags;  /* its own */
	size_t n_tags;
	struct metagraph served;
	bool restored;	  /* one of them is (struct metagraph) */
	size_t kept_left; /* bytes that may still be kept */
	size_t tags_left, signatures_left;
	struct error *err;
};

/* A copy in that arena. -EFBIG: that would be more than is reasonable. */
static int keep_in(struct loader *l, struct arena *arena, struct span s, struct span *ret)
{
	struct span copy;

	if (s.n > l->kept_left)
		return error_set(l->err, -EFBIG, "its tags and signatures take more than %d MiB",
				 KEPT_MAX >> 20);
	copy = arena_copy(arena, s);
	if (!copy.p)
		return -ENOMEM;
	l->kept_left -= s.n;
	*ret = copy;
	return 0;
}

static int keep(struct loader *l, struct span s, struct span *ret)
{
	return keep_in(l, &l->m->arena, s, ret);
}

/* Those of the MetaGraphDef at hand. */
static int load_tags(struct loader *l)
{
	struct saved_model_own *own = l->m->own;
	struct arena *arena = &own->bundle.arena;
	struct span info = l->g.info, tag;
	size_t n = 0;
	int r;

	while ((r = metagraph_next_tag(&info, &tag)) > 0)
		n++;
	if (r < 0)
		return saved_model_bad(l->file, info, l->err);
	if (n > l->tags_left)
		return error_set(l->err, -EFBIG, "it has more than %d tags", TAGS_MAX);
	l->tags_left -= n;
	l->tags = arena_alloc(arena, n * sizeof(*l->tags));
	if (!l->tags)
		return -ENOMEM;
	info = l->g.info;
	for (l->n_tags = 0; l->n_tags < n && metagraph_next_tag(&info, &tag) > 0; l->n_tags++) {
		r = keep_in(l, arena, tag, &l->tags[l->n_tags]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int compare_tags(const void *a, const void *b)
{
	return span_compare(*(const struct span *)a, *(const struct span *)b);
}

/*
 * How many of the MetaGraphDefs before have the same tags. A name that is too long for a folder is
 * not shown: nobody cares.
 */
static size_t count_namesakes(const struct model *m, struct span name, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n && name.n <= NAME_MAX; i++)
		found += span_starts(m->groups[i], name) &&
			 (m->groups[i].n == name.n || m->groups[i].p[name.n] == '#');
	return found;
}

/*
 * It is called by its tags, sorted, with commas between; "untagged" if it has none. Of several that
 * would be called the same the second has "#2" behind, and so on.
 */
static int name_metagraph(struct loader *l)
{
	cleanup_free struct span *sorted = calloc(l->n_tags + 1, sizeof(*sorted));
	cleanup_buf struct buf name = {0};
	size_t before;

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, l->tags, l->n_tags * sizeof(*sorted));
	qsort(sorted, l->n_tags, sizeof(*sorted), compare_tags);
	for (size_t i = 0; i < l->n_tags; i++) {
		buf_add_str(&name, i ? "," : "");
		buf_add(&name, sorted[i]);
	}
	if (!name.n)
		buf_add_str(&name, "untagged");
	before = count_namesakes(l->m, buf_span(&name), l->n);
	if (before)
		buf_printf(&name, "#%zu", before + 1);
	return name.failed ? -ENOMEM : keep(l, buf_span(&name), &l->m->groups[l->n]);
}

static int load_version(struct loader *l)
{
	struct span version;
	int r = metagraph_tensorflow_version(&l->g, &version);

	if (r < 0)
		return saved_model_bad(l->file, l->g.info, l->err);
	return r > 0 ? keep(l, version, &l->m->tensorflow_version) : 0;
}

/* The signature of that name in the MetaGraphDef at hand. */
static struct document *find_signature(const struct loader *l, struct span name)
{
	struct model *m = l->m;

	for (size_t i = m->n_documents; i > 0 && m->documents[i - 1].group == l->n; i--)
		if (span_equal(m->documents[i - 1].name, name))
			return &m->documents[i - 1];
	return NULL;
}

static int add_signature(struct loader *l, const struct metagraph_signature *s)
{
	struct document d = {.type = DOCUMENT_SIGNATURE, .group = l->n};
	struct document *old;
	int r = signature_check(s->def, l->err);

	if (r < 0)
		return error_prefix(l->err, r, "signature %s, at offset %zu", quote(s->name),
				    (size_t)(s->def.p - l->file.p));
	r = keep(l, s->def, &d.text);
	if (r < 0)
		return r;
	/* It is a map: of two with the same name the last one counts. */
	old = find_signature(l, s->name);
	if (old) {
		old->text = d.text;
		return 0;
	}
	r = keep(l, s->name, &d.name);
	return r < 0 ? r : model_add_document(l->m, &d);
}

static int load_signatures(struct loader *l)
{
	struct span body = l->g.body;
	struct metagraph_signature s;
	int r;

	while ((r = metagraph_next_signature(&body, &s)) > 0) {
		if (metagraph_signature_is_internal(s.name))
			continue;
		if (!l->signatures_left--)
			return error_set(l->err, -EFBIG, "it has more than %d signatures",
					 SIGNATURES_MAX);
		r = add_signature(l, &s);
		if (r < 0)
			return r;
	}
	return r < 0 ? saved_model_bad(l->file, body, l->err) : 0;
}

static int load_metagraph(struct loader *l)
{
	struct saved_model_own *own = l->m->own;
	int r = load_tags(l);

	if (r == 0)
		r = name_metagraph(l);
	if (r == 0)
		r = load_signatures(l);
	if (r < 0)
		return r;
	l->restored |= l->g.restored;
	if (l->n != l->m->served)
		return 0;
	l->served = l->g;
	own->tags = l->tags;
	own->n_tags = l->n_tags;
	return 0;
}

static int load_metagraphs(struct loader *l)
{
	struct model *m = l->m;
	struct span rest = l->file;
	int r = saved_model_served(l->file, &m->served, &m->n_groups, l->err);

	if (r < 0)
		return r;
	if (m->n_groups > METAGRAPHS_MAX)
		return error_set(l->err, -EFBIG, "it has more than %d MetaGraphDefs",
				 METAGRAPHS_MAX);
	m->groups = calloc(m->n_groups, sizeof(*m->groups));
	if (!m->groups)
		return -ENOMEM;
	for (; l->n < m->n_groups && saved_model_next(&rest, &l->g) > 0; l->n++) {
		r = load_metagraph(l);
		if (r < 0)
			return r;
	}
	l->g = l->served;
	return load_version(l);
}

/* ---- Keras ---- */

static int add_text(struct model *m, enum document_type type, const struct buf *text,
		    const char *absent)
{
	struct document d = {.type = type};

	if (!text->n) {
		model_set_absent(m, type, absent);
		return 0;
	}
	d.text = arena_copy(&m->arena, buf_span(text));
	return d.text.p ? model_add_document(m, &d) : -ENOMEM;
}

static int add_keras(struct model *m, struct span metadata, struct error *err)
{
	cleanup_keras struct keras_texts texts = {0};
	int r = keras_read(metadata, &texts, err);

	if (r < 0)
		return r;
	m->kind = "Keras 2 SavedModel";
	if (texts.config.n + texts.training.n > KEPT_MAX)
		return error_set(err, -EFBIG, "the architecture takes more than %d MiB",
				 KEPT_MAX >> 20);
	m->has_layers |= texts.version.n > 0;
	m->keras_version = arena_copy(&m->arena, buf_span(&texts.version));
	if (!m->keras_version.p)
		return -ENOMEM;
	r = add_text(m, DOCUMENT_CONFIG, &texts.config,
		     "Keras saved this model without its architecture");
	return r < 0 ? r
		     : add_text(m, DOCUMENT_TRAINING, &texts.training,
				"the model was not compiled when it was saved");
}

static void set_no_keras(struct model *m, const char *why)
{
	model_set_absent(m, DOCUMENT_CONFIG, why);
	model_set_absent(m, DOCUMENT_TRAINING, why);
}

/* From keras_metadata.pb, or from where the metadata was before there was one. */
static int load_keras(struct model *m, struct span object_graph, struct error *err)
{
	cleanup_file struct file file = {0};
	struct span metadata;
	int r = file_read(m->place.rootfd, METADATA, metadata_max, &file, err);

	if (r == -ENOENT) {
		r = keras_root_metadata_old(object_graph, &metadata, err);
		if (r == 0)
			set_no_keras(m, "there is no " METADATA
					", which model.save() of Keras 2 writes");
		return r > 0 ? add_keras(m, metadata, err) : r;
	}
	if (r == 0)
		r = model_add_base(m, METADATA, &file);
	if (r == 0)
		r = lfs_check(buf_span(&file.bytes), METADATA, err);
	if (r < 0)
		return r;
	r = keras_root_metadata(buf_span(&file.bytes), &metadata, err);
	if (r == 0)
		set_no_keras(m, METADATA " says nothing of the model as a whole");
	if (r > 0)
		r = add_keras(m, metadata, err);
	return r < 0 ? error_prefix(err, r, METADATA) : r;
}

/* What makes no sense is noted, and does not keep the model from its mount. */
static int try_keras(struct model *m, struct span object_graph, struct error *err)
{
	struct error why = {0};
	int r = load_keras(m, object_graph, &why);

	/* What cannot be read just now is part of what edits are made for all the same. */
	if (r == -EIO || r == -ESTALE)
		return error_set(err, r, "%s", why.text);
	if (r >= 0 || r == -ENOMEM)
		return r;
	set_no_keras(m, why.text);
	model_note(m, "there is no config.json and no training_config.json: %s", why.text);
	return 0;
}

/* ---- the whole ---- */

static int load_graph(struct model *m, struct span file, struct graph_says *ret, struct error *err)
{
	struct loader l = {
		.m = m,
		.file = file,
		.kept_left = KEPT_MAX,
		.tags_left = TAGS_MAX,
		.signatures_left = SIGNATURES_MAX,
		.err = err,
	};
	int r = load_metagraphs(&l);

	if (r < 0)
		return r;
	m->kind = l.g.object_graph.p ? "TensorFlow 2 SavedModel" : "TensorFlow 1 SavedModel";
	if (!m->n_documents)
		model_set_absent(m, DOCUMENT_SIGNATURE, "the model has none");
	ret->restored = l.restored;
	r = saved_model_used_nodes(l.g.object_graph, &ret->used);
	if (r < 0)
		buf_reset(&ret->used);
	return r == -ENOMEM ? r : try_keras(m, l.g.object_graph, err);
}

/* The variables alone are shown of a model whose graph we do not take. */
static void do_without_graph(struct model *m, const char *why)
{
	m->n_documents = 0;
	m->n_groups = 0;
	m->kind = "SavedModel";
	model_set_absent(m, DOCUMENT_SIGNATURE, why);
	set_no_keras(m, why);
	model_note(m, "there are no signatures and no config.json: %s", why);
}

/* A graph file that is not read is still part of the base: by who it is. */
static int add_base_unread(struct model *m, const char *name)
{
	struct file_id id = {0};
	struct stat st;

	if (fstatat(m->place.rootfd, name, &st, 0) == 0)
		id = file_id_of(&st);
	return model_add_base_as(m, name, &id, 0);
}

static int read_graph(struct model *m, struct graph_says *ret, struct error *err)
{
	cleanup_saved_model_file struct saved_model_file file = {0};
	int r = saved_model_file_read(m->place.rootfd, GRAPH, &file, err);

	if (r == 0)
		r = lfs_check(file.bytes, GRAPH, err);
	if (r < 0)
		return r;
	r = load_graph(m, file.bytes, ret, err);
	return r < 0 ? error_prefix(err, r, GRAPH)
		     : model_add_base_as(m, GRAPH, &file.id, file.crc);
}

int saved_model_load_documents(struct model *m, struct graph_says *ret, struct error *err)
{
	bool binary = place_has(&m->place, GRAPH);
	struct error why = {.text = GRAPH_TEXT " is text, of which nothing is read"};
	int r = binary ? read_graph(m, ret, &why) : -EFBIG;

	if (r < 0 && r != -EFBIG)
		return error_set(err, r, "%s", why.text);
	if (r == 0)
		return 0;
	do_without_graph(m, why.text);
	return add_base_unread(m, binary ? GRAPH : GRAPH_TEXT);
}
