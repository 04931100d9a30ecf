/* Documents of a model that people read as JSON. */
#include <limits.h>

#include "codec/model/format.h"
#include "fs/kinds/kinds.h"
#include "fs/view/branch.h"
#include "fs/view/pieces.h"

static const struct document *document_of(const struct showing *s, enum document_type type)
{
	const struct document *d = &s->branch->model->documents[s->object];

	return d->type == type ? d : NULL;
}

/* Signatures and tags may have any name; in a path it is one component, with this behind it. */
static int add_component(struct span name, const char *ending, struct buf *out)
{
	bool dots = span_is(name, ".") || span_is(name, "..");
	size_t start = out->n;

	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		if (c == '/' || c == '%' || c == 0 || (dots && !*ending))
			buf_printf(out, "%%%02X", c);
		else
			buf_add_u8(out, c);
	}
	buf_add_str(out, ending);
	return out->n - start > NAME_MAX ? -ENAMETOOLONG : 1;
}

int metagraph_signatures(const struct model *m, uint32_t group, struct buf *out)
{
	int r = 1;

	if (m->n_groups > 1) {
		buf_add_str(out, "metagraphs/");
		r = add_component(m->groups[group], "", out);
		buf_add_u8(out, '/');
	}
	buf_add_str(out, "signatures");
	return r;
}

static int signature_path(const struct showing *s, struct buf *out)
{
	const struct document *d = document_of(s, DOCUMENT_SIGNATURE);
	int r = d ? metagraph_signatures(s->branch->model, d->group, out) : 0;

	if (r <= 0)
		return r;
	buf_add_u8(out, '/');
	return add_component(d->name, ".json", out);
}

static int compose(const struct showing *s, struct pieces *out, struct error *err)
{
	struct model *m = s->branch->model;

	return model_print(m, &m->documents[s->object], &out->bytes, err);
}

const struct kind kind_signature = {
	.of = THING_DOCUMENT,
	.path = signature_path,
	.compose = compose,
};

/* The path of a document of which a model has at most one. */
static int path_of(const struct showing *s, enum document_type type, const char *path,
		   struct buf *out)
{
	if (!document_of(s, type))
		return 0;
	buf_add_str(out, path);
	return 1;
}

static int config_path(const struct showing *s, struct buf *out)
{
	return path_of(s, DOCUMENT_CONFIG, "config.json", out);
}

const struct kind kind_config = {
	.of = THING_DOCUMENT,
	.path = config_path,
	.compose = compose,
};

static int training_path(const struct showing *s, struct buf *out)
{
	return path_of(s, DOCUMENT_TRAINING, "training_config.json", out);
}

const struct kind kind_training = {
	.of = THING_DOCUMENT,
	.path = training_path,
	.compose = compose,
};

static int object_graph_path(const struct showing *s, struct buf *out)
{
	return path_of(s, DOCUMENT_OBJECT_GRAPH, "object_graph.json", out);
}

const struct kind kind_object_graph = {
	.of = THING_DOCUMENT,
	.path = object_graph_path,
	.compose = compose,
};
