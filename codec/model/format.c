#include "codec/model/format.h"

int model_print(struct model *m, const struct document *d, struct buf *out, struct error *err)
{
	if (m->format->print)
		return m->format->print(m, d, out, err);
	buf_add(out, d->text);
	return buf_error(out);
}

int model_layers(struct model *m, struct layers *ret, struct error *err)
{
	return m->format->layers ? m->format->layers(m, ret, err) : 0;
}
