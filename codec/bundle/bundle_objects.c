#include "codec/bundle/bundle_objects.h"

#include "codec/base/json_write.h"
#include "codec/bundle/bundle.h"
#include "codec/bundle/own.h"
#include "codec/content/verify.h"
#include "codec/bundle/bundle_format.h"
#include "codec/graph/keras.h"
#include "codec/graph/layers.h"
#include "codec/graph/object_graph.h"
#include "codec/tensor/stored.h"

static const uint64_t graph_max = 512 << 20;	  /* bytes of an object graph */
static const uint64_t graph_shown_max = 64 << 20; /* of one that is shown as text */
static const uint64_t config_max = 16 << 20;	  /* of an architecture */
enum { CONFIGS_MAX = 16 /* objects that are asked for theirs */ };
enum { ROOT_CHILDREN = 32 /* that are looked at for layers of theirs */ };

/* What an object graph is looked through for. */
struct look {
	struct model *m;
	/* String tensors that may be architectures. */
	struct tensor *root, *children[CONFIGS_MAX];
	size_t n;
	uint32_t root_children[ROOT_CHILDREN]; /* nodes */
	size_t n_root_children;
};

/* The one element of a string scalar; stored holds it. The checksum is verified. */
static int read_scalar(struct model *m, const struct stored_run *run, uint64_t max,
		       struct buf *stored, struct span *ret, struct error *err)
{
	cleanup_fd int fd = -1;
	struct strings elements;
	uint8_t *p;
	int r;

	if (run->extent.size > max)
		return error_set(err, -EFBIG, "%llu bytes", (unsigned long long)run->extent.size);
	fd = shard_open(&m->shards[run->extent.shard], m->place.rootfd, err);
	if (fd < 0)
		return fd;
	r = stored_verify(fd, run, err);
	if (r < 0)
		return error_prefix(err, r, "%s at offset %llu", m->shards[run->extent.shard].name,
				    (unsigned long long)run->extent.offset);
	p = buf_extend(stored, (size_t)run->extent.size);
	if (!p)
		return -ENOMEM;
	r = read_at(fd, p, stored->n, run->extent.offset);
	if (r == 0)
		r = strings_open(&elements, buf_span(stored), 1, err);
	if (r == 0 && !strings_next(&elements, ret))
		r = -EBADMSG;
	return r;
}

static bool is_scalar(const struct tensor *t)
{
	return t->dtype == DTYPE_STRING && !t->shape.rank && !t->damage;
}

/* ---- the architecture ---- */

/*
 * Up to TensorFlow 2.0 or so a checkpoint held, for each layer and model, what get_config() gave.
 * The architecture is that of the root, or of the only child of the root that is a model
 * (tf.train.Checkpoint(model=...)).
 */
static void note_config(struct look *c, const struct graph_attribute *a)
{
	static const char tail[] = "/.ATTRIBUTES/OBJECT_CONFIG_JSON";
	struct tensor *t;

	if (!span_is(a->name, "OBJECT_CONFIG_JSON") || !span_ends(a->key, span_str(tail)))
		return;
	t = model_find(c->m, a->key);
	if (!t || !is_scalar(t))
		return;
	if (a->node == 0)
		c->root = t;
	else if (!memchr(a->key.p, '/', a->key.n - strlen(tail)) && c->n < CONFIGS_MAX)
		c->children[c->n++] = t;
}

/* 1 and the architecture in out; 0: the object is no model, or does not say. */
static int read_config(struct model *m, const struct tensor *t, struct buf *out, struct error *err)
{
	cleanup_buf struct buf stored = {0};
	struct stored_run run = tensor_run(t, 0);
	struct span json;
	int r = read_scalar(m, &run, config_max, &stored, &json, err);

	if (r == 0)
		r = keras_object_config(json, out, err);
	return r < 0 ? error_prefix(err, r, "'%s'", quote(t->key)) : r;
}

static int find_config(const struct look *c, struct buf *out, struct error *err)
{
	int found = 0;

	if (c->root) {
		found = read_config(c->m, c->root, out, err);
		if (found == 0)
			model_set_absent(c->m, DOCUMENT_CONFIG,
					 "Keras saved this model without its architecture");
		return found;
	}
	for (size_t i = 0; i < c->n; i++) {
		cleanup_buf struct buf one = {0};
		int r = read_config(c->m, c->children[i], &one, err);

		if (r < 0)
			return r;
		found += r;
		if (r && found == 1)
			buf_add(out, buf_span(&one));
	}
	if (found > 1)
		model_set_absent(c->m, DOCUMENT_CONFIG,
				 "several objects of this checkpoint are models");
	return found == 1;
}

static int load_config(const struct look *c)
{
	struct model *m = c->m;
	cleanup_buf struct buf config = {0};
	struct error why = {0};
	struct document d = {.type = DOCUMENT_CONFIG};
	int r;

	/* A SavedModel has said already which one it has, or why it has none. */
	if ((!c->root && !c->n) || m->absent[d.type] || model_document(m, d.type, d.name))
		return 0;
	r = find_config(c, &config, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		model_set_absent(m, DOCUMENT_CONFIG, why.text);
		model_note(m, "there is no config.json: %s", why.text);
	}
	if (r <= 0)
		return 0;
	d.text = arena_copy(&m->arena, buf_span(&config));
	return d.text.p && !config.failed ? model_add_document(m, &d) : -ENOMEM;
}

/* ---- the object graph ---- */

static int take_attribute(void *look, const struct graph_attribute *a)
{
	struct look *c = look;
	struct tensor *t = a->full_name.n ? model_find(c->m, a->key) : NULL;

	note_config(c, a);
	if (!t || t->variable.n)
		return 0;
	t->variable = arena_copy(&c->m->arena, a->full_name);
	t->node = a->node;
	return t->variable.p ? 0 : -ENOMEM;
}

static bool is_below_root(const struct look *l, uint32_t node)
{
	for (size_t i = 0; i < l->n_root_children; i++)
		if (l->root_children[i] == node)
			return true;
	return node == 0;
}

/*
 * Has the model layers (codec/graph/layers.h)? Keras numbers them, in a model and in one that is
 * kept in a tf.train.Checkpoint, or leaves some other mark at the root.
 */
static int look_for_layers(void *look, const struct graph_edge *e)
{
	static const char *const marks[] = {"keras_api", "root", "_all_variables"};
	struct look *l = look;

	if (l->m->has_layers)
		return 0;
	if (e->from == 0 && l->n_root_children < ROOT_CHILDREN)
		l->root_children[l->n_root_children++] = e->to;
	for (size_t i = 0; i < ARRAY_SIZE(marks) && e->from == 0; i++)
		l->m->has_layers |= span_is(e->name, marks[i]);
	l->m->has_layers |= span_is(e->name, "layer-0") && is_below_root(l, e->from);
	return 0;
}

static int add_graph_document(struct model *m, const struct own_entry *graph)
{
	struct document d = {.type = DOCUMENT_OBJECT_GRAPH};

	if (graph->run.extent.size <= graph_shown_max)
		return model_add_document(m, &d);
	model_set_absent(m, DOCUMENT_OBJECT_GRAPH, "it is over 64 MiB, too large to show as text");
	return 0;
}

static int load_graph(struct model *m, const struct own_entry *graph, struct look *look,
		      struct error *err)
{
	const struct graph_visitor visitor = {
		.attribute = take_attribute, .edge = look_for_layers, .context = look};
	struct bundle_own *own = m->own;
	cleanup_buf struct buf stored = {0};
	struct error edges = {0};
	struct span message;
	int r = read_scalar(m, &graph->run, graph_max, &stored, &message, err);

	if (r == 0)
		r = object_graph_walk(message, &visitor, err);
	if (r < 0)
		return r;
	if (object_graph_check(message, &own->n_objects, &edges) < 0)
		model_note(m, "%s; TensorFlow cannot restore such a checkpoint", edges.text);
	return add_graph_document(m, graph);
}

/* Where there is no graph the keys are the names. */
static void name_by_keys(struct model *m)
{
	struct tensor *t;

	for (size_t i = 0; (t = model_next(m, &i));)
		t->variable = t->key;
}

int bundle_load_objects(struct model *m)
{
	const struct own_entry *graph = own_graph(m->own);
	struct look look = {.m = m};
	struct error why = {0};
	int r;

	if (!graph) {
		name_by_keys(m);
		return 0;
	}
	m->object_based = true;
	r = load_graph(m, graph, &look, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		model_set_absent(m, DOCUMENT_OBJECT_GRAPH, why.text);
		model_note(m,
			   "the object graph cannot be read, so variables have no names of "
			   "their own: %s",
			   why.text);
		return 0;
	}
	return load_config(&look);
}

size_t bundle_count_nameless(const struct model *m)
{
	static const char tail[] = "/.ATTRIBUTES/VARIABLE_VALUE";
	const struct bundle_own *own = m->own;
	const struct tensor *t;
	size_t n = 0;

	for (size_t i = 0; own->n_objects && (t = model_next(m, &i));)
		n += !t->variable.n && span_ends(t->key, span_str(tail));
	return n;
}

void bundle_remark_nameless(struct model *m)
{
	size_t n = bundle_count_nameless(m);

	if (n)
		model_remark(m, "%zu variable%s no name of %s own, and cannot be in names/", n,
			     n == 1 ? " has" : "s have", n == 1 ? "its" : "their");
}

int bundle_graph(struct model *m, struct buf *stored, struct span *ret, struct error *err)
{
	const struct own_entry *graph = own_graph(m->own);
	int r = graph ? read_scalar(m, &graph->run, graph_max, stored, ret, err) : -ENOENT;

	return r == -EBADMSG ? -EIO : r;
}

int bundle_print(struct model *m, const struct document *d, struct buf *out, struct error *err)
{
	cleanup_buf struct buf stored = {0};
	struct span message;
	int r;

	if (d->type != DOCUMENT_OBJECT_GRAPH) {
		buf_add(out, d->text);
		return buf_error(out);
	}
	r = bundle_graph(m, &stored, &message, err);
	if (r == 0)
		r = object_graph_print(message, out, err);
	return r == -EBADMSG ? -EIO : r;
}

void bundle_explain(const struct model *m, enum explained what, struct json_write *out)
{
	const struct bundle_own *own = m->own;

	if (what != EXPLAIN_STORAGE)
		return;
	if (own->n_objects)
		json_write_number(out, "objects", own->n_objects);
	json_write_number(out, "shards", m->n_shards);
	if (own->producer)
		json_write_number(out, "bundle_producer", (uint64_t)own->producer);
	json_write_text(out, "byte_order", span_str(own->big_endian ? "big" : "little"));
	json_write_bool(out, "object_based", m->object_based);
}

int bundle_layers(struct model *m, struct layers *ret, struct error *err)
{
	return layers_read(m, &(struct layers_source){0}, ret, err);
}

/* Slices of a variable that is sound are verified with it. */
static bool is_verified_elsewhere(const struct model *m, const struct own_entry *e)
{
	const struct tensor *t = e->whole.n ? model_find_base(m, e->whole) : NULL;

	return t && !t->damage;
}

void bundle_verify(struct model *m, void (*fault)(void *context, const char *sentence),
		   void *context)
{
	const struct bundle_own *own = m->own;

	for (size_t i = 0; i < own->n; i++) {
		const struct own_entry *e = &own->entries[i];
		struct error why = {0};
		int r = is_verified_elsewhere(m, e) ? 0 : verify_run(m, &e->run, NULL, &why);

		if (r < 0 && !why.text[0])
			error_set(&why, r, "%s", strerror(-r));
		if (r < 0 && e->slice == OWN_UNNAMED)
			error_prefix(&why, r, "'%s': a slice that it does not name",
				     quote(e->whole));
		else if (r < 0 && e->whole.n)
			error_prefix(&why, r, "'%s': slice %u", quote(e->whole), e->slice);
		else if (r < 0)
			error_prefix(&why, r, "'%s'", quote(e->key));
		if (r < 0)
			fault(context, why.text);
	}
}
