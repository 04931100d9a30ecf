/* layers/LAYER/WEIGHT: a Keras model in its own order. */
#include "codec/graph/layers.h"
#include "codec/model/format.h"
#include "fs/view/links.h"
#include "fs/view/log.h"
#include "fs/view/paths.h"

static bool has_layers(const struct model *m)
{
	return m->has_layers;
}

static void hide(struct span name, int r)
{
	log_line("layers/: no '%s': %s", quote(name), strerror(-r));
}

static int add_weight(const struct layer_weight *w, struct span folder, struct link_sink *sink)
{
	cleanup_buf struct buf path = {0}, name = {0};
	int r = path_from_key(w->name, false, &name);

	if (r == -ENAMETOOLONG)
		hide(w->name, r);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	buf_add(&path, folder);
	buf_add_u8(&path, '/');
	buf_add(&path, buf_span(&name));
	return path.failed ? -ENOMEM : link_emit(sink, buf_span(&path), w->tensor);
}

static int add_layer(const struct layers *l, const struct layer *layer, struct link_sink *sink)
{
	cleanup_buf struct buf folder = {0};
	int r = path_from_key(layer->name, false, &folder);

	/* A name of several components would not stand in its place in the order. */
	if (r == 0 && memchr(folder.p, '/', folder.n))
		r = -ENAMETOOLONG;
	if (r == -ENAMETOOLONG) {
		hide(layer->name, r);
		return 0;
	}
	if (r == 0)
		r = link_emit_folder(sink, buf_span(&folder));
	for (size_t i = layer->first; i < layer->first + layer->n && r == 0; i++)
		r = add_weight(&l->weights[i], buf_span(&folder), sink);
	return r;
}

static int list_layers(struct model *m, struct link_sink *sink)
{
	cleanup_layers struct layers l = {0};
	struct error err = {""};
	int r = model_layers(m, &l, &err);

	if (r < 0 && r != -ENOMEM) {
		log_line("layers/ is empty: %s", err.text);
		return 0;
	}
	for (size_t i = 0; i < l.n && r == 0; i++)
		r = add_layer(&l, &l.layers[i], sink);
	return r;
}

const struct links links_layers = {"layers", has_layers, list_layers};
