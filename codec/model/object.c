#include "codec/model/object.h"

#include "codec/model/document.h"

static void add_document_key(const struct document *d, struct buf *out)
{
	buf_printf(out, "%u/%u/", (unsigned)d->type, d->group);
	buf_add(out, d->name);
}

int object_key(const struct model *m, struct object o, struct buf *out)
{
	if (o.type == OBJECT_TENSOR)
		buf_add(out, model_tensor(m, o.id)->base_key);
	else
		add_document_key(&m->documents[o.id], out);
	return buf_error(out);
}

static bool find_document(const struct model *m, struct span key, uint32_t *ret)
{
	cleanup_buf struct buf its = {0};

	for (uint32_t i = 0; i < m->n_documents; i++) {
		buf_reset(&its);
		add_document_key(&m->documents[i], &its);
		if (span_equal(buf_span(&its), key)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool object_find(const struct model *m, enum object_type type, struct span key, struct object *ret)
{
	const struct tensor *t = type == OBJECT_TENSOR ? model_find_base(m, key) : NULL;
	uint32_t id = t ? t->id : 0;

	if (!t && (type != OBJECT_DOCUMENT || !find_document(m, key, &id)))
		return false;
	*ret = (struct object){type, id};
	return true;
}
