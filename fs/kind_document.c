/* Documents of a model that people read as JSON. */
#include <limits.h>

#include "codec/signature.h"
#include "fs/kind.h"
#include "fs/view.h"

static const struct document *document_of(const struct showing *s, enum document_type type)
{
	const struct document *d = &s->branch->model->documents[s->object];

	return d->type == type ? d : NULL;
}

/* A signature may have any name; its file has one of one component. */
static int add_escaped(struct span name, struct buf *out)
{
	size_t start = out->n;

	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		if (c == '/' || c == '%' || c == 0)
			buf_printf(out, "%%%02X", c);
		else
			buf_add_u8(out, c);
	}
	buf_add_str(out, ".json");
	return out->n - start > NAME_MAX ? -ENAMETOOLONG : 1;
}

static int signature_path(const struct showing *s, struct buf *out)
{
	const struct document *d = document_of(s, DOCUMENT_SIGNATURE);

	if (!d)
		return 0;
	buf_add_str(out, "signatures/");
	return add_escaped(d->name, out);
}

static int signature_render(const struct showing *s, struct buf *out, struct error *err)
{
	return signature_print(document_of(s, DOCUMENT_SIGNATURE)->text, out, err);
}

const struct kind kind_signature = {
	.of = THING_DOCUMENT,
	.path = signature_path,
	.render = signature_render,
};

static int config_path(const struct showing *s, struct buf *out)
{
	if (!document_of(s, DOCUMENT_CONFIG))
		return 0;
	buf_add_str(out, "config.json");
	return 1;
}

static int config_render(const struct showing *s, struct buf *out, struct error *err)
{
	(void)err;
	buf_add(out, document_of(s, DOCUMENT_CONFIG)->text);
	return buf_error(out);
}

const struct kind kind_config = {
	.of = THING_DOCUMENT,
	.path = config_path,
	.render = config_render,
};
