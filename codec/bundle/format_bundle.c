/* A checkpoint that stands by itself: which names mean one, and what it is as a model. */
#include <stdio.h>

#include "codec/bundle/bundle.h"
#include "codec/bundle/bundle_format.h"
#include "codec/bundle/own.h"
#include "codec/model/place.h"

/* The prefix in a name of one of the checkpoint's files: how many characters of it. */
static size_t prefix_length(const char *name)
{
	static const char graph[] = ".meta";
	struct span s = span_str(name);
	uint32_t shard, shards;
	size_t n;

	if (span_ends(s, span_str(graph)))
		return s.n - strlen(graph);
	if (bundle_parse_index_name(name, &n) || bundle_parse_shard_name(name, &n, &shard, &shards))
		return n;
	return s.n;
}

bool bundle_has_index(const struct place *place, const char *prefix)
{
	cleanup_buf struct buf name = {0};

	bundle_index_name(prefix, &name);
	return !name.failed && place_has(place, (const char *)name.p);
}

/*
 * How many indexes there are whose names begin with a dot, or with none; *ret_prefix: the prefix
 * of one of them.
 */
static size_t find_indexes(const struct place *place, bool dot, char **ret_prefix)
{
	cleanup_dir DIR *dir = place_list(place);
	struct dirent *entry;
	size_t found = 0, n;

	while (dir && (entry = readdir(dir))) {
		if ((entry->d_name[0] == '.') != dot ||
		    !bundle_parse_index_name(entry->d_name, &n) || !n)
			continue;
		free(*ret_prefix);
		*ret_prefix = strndup(entry->d_name, n);
		found++;
	}
	return found;
}

bool bundle_is_nameless(const struct place *place)
{
	cleanup_free char *prefix = NULL;

	return bundle_has_index(place, "") && find_indexes(place, false, &prefix) == 0;
}

/* What a folder stands for: the only checkpoint in it. */
static char *only_prefix(const struct place *place)
{
	cleanup_free char *shown = NULL, *hidden = NULL;
	size_t n;

	if (bundle_is_nameless(place))
		return strdup("");
	if (place_has(place, "checkpoint"))
		return NULL;
	n = find_indexes(place, false, &shown);
	if (n)
		return n == 1 ? steal_pointer(shown) : NULL;
	return find_indexes(place, true, &hidden) == 1 ? steal_pointer(hidden) : NULL;
}

/* The prefix that the place means, relative to its root; NULL if it is no checkpoint. */
static char *find_prefix(const struct place *place)
{
	cleanup_free char *prefix = strndup(place->name, prefix_length(place->name));

	if (!place->name[0])
		return only_prefix(place);
	/* PREFIX itself may end like one of its files. */
	if (bundle_has_index(place, place->name))
		return strdup(place->name);
	if (prefix && bundle_has_index(place, prefix))
		return steal_pointer(prefix);
	/* The text file `checkpoint` stands for its folder. */
	return strcmp(place->name, "checkpoint") == 0 && bundle_is_nameless(place) ? strdup("")
										   : NULL;
}

static int probe(const struct place *place)
{
	cleanup_free char *prefix = find_prefix(place);

	return prefix ? 50 : 0;
}

static int load(struct model *m, struct error *err)
{
	int r;

	m->own = calloc(1, sizeof(struct bundle_own));
	m->stem = find_prefix(&m->place);
	if (!m->own || !m->stem ||
	    asprintf(&m->work, "%s.weightfs", m->stem[0] ? m->stem : BUNDLE_INDEX) < 0)
		return -ENOMEM;
	r = bundle_load(m, m->stem, err);
	m->kind = m->object_based ? "object-based checkpoint" : "name-based checkpoint";
	if (r == 0)
		bundle_remark_nameless(m);
	return r;
}

static int save_elsewhere(struct model *m, struct stage *stage, struct outbox *out,
			  struct error *err)
{
	return bundle_save_elsewhere(m, "", stage, out, err);
}

const struct format format_bundle = {
	.name = "checkpoint",
	.ending = BUNDLE_INDEX,
	.wants = "one PREFIX" BUNDLE_INDEX,
	.probe = probe,
	.load = load,
	.save = bundle_save,
	.save_elsewhere = save_elsewhere,
	.keep = bundle_keep,
	.owns = bundle_owns,
	.allows = bundle_allows,
	.verify = bundle_verify,
	.graph = bundle_graph,
	.print = bundle_print,
	.layers = bundle_layers,
	.explain = bundle_explain,
	.release = own_release,
};
