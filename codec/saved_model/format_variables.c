/*
 * The variables of a SavedModel, mounted by their own prefix, DIR/variables/variables: a checkpoint
 * as any other, but the fingerprint in DIR goes when they are edited.
 */
#include "codec/bundle/bundle.h"
#include "codec/bundle/bundle_format.h"
#include "codec/bundle/own.h"
#include "codec/saved_model/internal.h"

static const char fingerprint[] = "../" FINGERPRINT;

static int probe(const struct place *place)
{
	int sure = format_bundle.probe(place);

	if (!sure || !span_ends(span_str(place->root), span_str("/" FOLDER)) ||
	    !place_has(place, "../" GRAPH))
		return 0;
	return sure + 1;
}

static int load(struct model *m, struct error *err)
{
	return format_bundle.load(m, err);
}

/* Another checkpoint in that folder is none of the SavedModel's. */
static bool is_its_stem(const char *stem)
{
	return strcmp(stem, IN_FOLDER) == 0;
}

static int save(struct model *m, struct stage *stage, struct error *err)
{
	int r = bundle_save(m, stage, err);

	return r < 0 || !is_its_stem(m->stem) ? r : stage_remove(stage, fingerprint);
}

static int save_elsewhere(struct model *m, struct stage *stage, struct outbox *out,
			  struct error *err)
{
	return format_bundle.save_elsewhere(m, stage, out, err);
}

static bool owns(const char *stem, const char *name)
{
	return bundle_owns(stem, name) || (is_its_stem(stem) && strcmp(name, fingerprint) == 0);
}

const struct format format_variables = {
	.name = "checkpoint",
	.ending = BUNDLE_INDEX,
	.probe = probe,
	.load = load,
	.save = save,
	.save_elsewhere = save_elsewhere,
	.keep = bundle_keep,
	.owns = owns,
	.allows = bundle_allows,
	.verify = bundle_verify,
	.graph = bundle_graph,
	.print = bundle_print,
	.layers = bundle_layers,
	.explain = bundle_explain,
	.release = own_release,
};
