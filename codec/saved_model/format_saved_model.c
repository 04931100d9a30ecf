/*
 * A SavedModel: a folder with saved_model.pb, which says what the model can do, and mostly a
 * bundle of its variables, a folder of assets, and Keras's metadata.
 */
#include <stdio.h>

#include "codec/base/json_write.h"
#include "codec/bundle/bundle.h"
#include "codec/bundle/bundle_format.h"
#include "codec/save/stage.h"
#include "codec/saved_model/internal.h"
#include "codec/saved_model/signature.h"

#define CHUNKED "saved_model.cpb"
#define ASSETS	"assets"
#define EXTRA	"assets.extra"

static bool has_folder(const struct model *m, const char *name)
{
	struct stat st;

	return fstatat(m->place.rootfd, name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* TensorFlow loads nothing of such a model; we show the documents, and save nothing. */
static void do_without_variables(struct model *m)
{
	model_set_read_only(m, -EROFS, "its variables are missing");
	model_note(m, VARIABLES ".index is missing: TensorFlow cannot load the model without it");
}

/* TensorFlow too goes by the index: without one there are no variables. */
static int load_variables(struct model *m, bool restored, struct error *err)
{
	struct stat st;

	if (fstatat(m->place.rootfd, VARIABLES ".index", &st, 0) == 0 ||
	    (errno != ENOENT && errno != ENOTDIR))
		return bundle_load(m, VARIABLES, err);
	model_set_absent(m, DOCUMENT_OBJECT_GRAPH,
			 "it is stored with the variables, of which there are none");
	if (restored)
		do_without_variables(m);
	else if (has_folder(m, FOLDER))
		model_note(m, "there are no variables: " VARIABLES ".index is missing");
	return 0;
}

static void find_assets(struct model *m)
{
	static const char *const names[] = {ASSETS, EXTRA};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (has_folder(m, names[i]))
			m->folders[n++] = names[i];
}

/* Which of two variables of one name is which is all that this is for. */
static void mark_used(struct model *m, struct span used)
{
	struct tensor *t;

	for (size_t i = 0; (t = model_next(m, &i));)
		t->used = t->variable.n && uses_node(used, t->node);
}

/* The index is loaded last: it is to be the last of the base. */
static int load_parts(struct model *m, struct graph_says *graph, struct error *err)
{
	int r = saved_model_load_documents(m, graph, err);

	if (r == 0)
		r = load_variables(m, graph->restored, err);
	if (r < 0)
		return r;
	mark_used(m, buf_span(&graph->used));
	return m->n_groups ? saved_model_name_variables(m, buf_span(&graph->used)) : 0;
}

static int load(struct model *m, struct error *err)
{
	struct graph_says graph = {0};
	int r;

	if (!place_has(&m->place, GRAPH) && !place_has(&m->place, GRAPH_TEXT))
		return error_set(err, -ENOTSUP,
				 "%s/" CHUNKED " is a chunked SavedModel, which is not supported",
				 m->place.argument);
	m->own = calloc(1, sizeof(struct saved_model_own));
	m->work = strdup(".weightfs");
	if (!m->own || !m->work)
		return -ENOMEM;
	find_assets(m);
	if (place_has(&m->place, CHUNKED))
		model_note(m, "there is a " CHUNKED " too, which some versions of TensorFlow "
			      "load instead of " GRAPH "; it is neither shown nor edited");
	r = load_parts(m, &graph, err);
	buf_release(&graph.used);
	if (r == 0)
		bundle_remark_nameless(m);
	return r;
}

static int probe(const struct place *place)
{
	if (!place->name[0])
		return place_has(place, GRAPH) || place_has(place, GRAPH_TEXT) ? 90
		       : place_has(place, CHUNKED)			       ? 10
									       : 0;
	if (strcmp(place->name, GRAPH) != 0 && strcmp(place->name, GRAPH_TEXT) != 0)
		return 0;
	return place_has(place, place->name) ? 90 : 0;
}

/* Where variables/ is a link a folder takes its place, with a bundle that is all new. */
static int save_folder(struct model *m, struct stage *stage, struct error *err)
{
	cleanup_outbox struct outbox files = {0};
	struct staged folder = {.fd = -1};
	int r = bundle_save_elsewhere(m, IN_FOLDER, stage, &files, err);

	if (r == 0)
		r = stage_create_folder(stage, FOLDER, &folder, err);
	for (size_t i = 0; i < files.n && r == 0; i++)
		if (renameat(stage->workfd, files.files[i].from, folder.fd, files.files[i].name) <
		    0)
			r = error_errno(err, FOLDER "/%s", files.files[i].name);
	if (r == 0)
		r = sync_folder(folder.fd, NULL, err);
	staged_close(&folder);
	return r < 0 ? r : stage_put(stage, FOLDER, &folder);
}

/* The fingerprint's hashes would be wrong; TensorFlow does without (facts: it never compares). */
static int save(struct model *m, struct stage *stage, struct error *err)
{
	int r = place_has_link(&m->place, FOLDER) ? save_folder(m, stage, err)
						  : bundle_save(m, stage, err);

	return r < 0 ? r : stage_remove(stage, FINGERPRINT);
}

/* A link in the place of one of these is followed by TensorFlow, too. */
static enum folder_how how_of_folder(const char *name, int depth)
{
	static const char *const folders[] = {FOLDER, ASSETS, EXTRA};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (depth == 0 && strcmp(name, folders[i]) == 0)
			return FOLDER_FOLLOW;
	return FOLDER_COPY;
}

/* All goes along but what is written anew, and what would be wrong. */
static enum folder_how send_how(const char *name, int depth)
{
	if (depth == 0 && (strcmp(name, FOLDER) == 0 || strcmp(name, FINGERPRINT) == 0))
		return FOLDER_LEAVE_OUT;
	return how_of_folder(name, depth);
}

static int save_elsewhere(struct model *m, struct stage *stage, struct outbox *out,
			  struct error *err)
{
	out->how = send_how;
	return bundle_save_elsewhere(m, VARIABLES, stage, out, err);
}

/* TensorFlow writes a new data file and renames it; all else it may write over in place. */
static enum folder_how keep_how(const char *name, int depth)
{
	uint32_t shard, shards;
	size_t n;

	if (bundle_parse_shard_name(name, &n, &shard, &shards))
		return FOLDER_LINK;
	return how_of_folder(name, depth);
}

static int keep_all(const struct model *m, struct outbox *out)
{
	(void)m;
	out->how = keep_how;
	return 0;
}

static bool owns(const char *stem, const char *name)
{
	(void)stem;
	return strcmp(name, FINGERPRINT) == 0 || strcmp(name, FOLDER) == 0 ||
	       bundle_owns(VARIABLES, name);
}

static int print(struct model *m, const struct document *d, struct buf *out, struct error *err)
{
	return d->type == DOCUMENT_SIGNATURE ? signature_print(d->text, out, err)
					     : bundle_print(m, d, out, err);
}

/* What the MetaGraphDefs are called below metagraphs/. */
static void add_names(struct json_write *out, const struct model *m)
{
	json_write_array(out, "metagraph_names");
	for (size_t i = 0; i < m->n_groups; i++)
		json_write_text(out, NULL, m->groups[i]);
	json_write_close(out);
}

static void explain_graph(const struct model *m, struct json_write *out)
{
	const struct saved_model_own *own = m->own;

	json_write_number(out, "metagraphs", m->n_groups);
	if (m->n_groups > 1)
		add_names(out, m);
	json_write_array(out, "tags");
	for (size_t i = 0; i < own->n_tags; i++)
		json_write_text(out, NULL, own->tags[i]);
	json_write_close(out);
	json_write_array(out, "signatures");
	for (size_t i = 0; i < m->n_documents; i++)
		if (m->documents[i].type == DOCUMENT_SIGNATURE &&
		    m->documents[i].group == m->served)
			json_write_text(out, NULL, m->documents[i].name);
	json_write_close(out);
}

static void explain(const struct model *m, enum explained what, struct json_write *out)
{
	if (what == EXPLAIN_WHOLE && m->n_groups)
		explain_graph(m, out);
	bundle_explain(m, what, out);
}

static int find_layers(struct model *m, struct layers *ret, struct error *err)
{
	static const struct layers_source source = {
		.lists = true,
		.keras_nodes = saved_model_keras_nodes,
	};

	return layers_read(m, &source, ret, err);
}

const struct format format_saved_model = {
	.name = "saved_model",
	.wants = GRAPH,
	.probe = probe,
	.load = load,
	.save = save,
	.save_elsewhere = save_elsewhere,
	.keep = keep_all,
	.owns = owns,
	.allows = bundle_allows,
	.verify = bundle_verify,
	.graph = bundle_graph,
	.print = print,
	.layers = find_layers,
	.explain = explain,
	.release = own_release,
};
