#include "fs/view/xattrs.h"

#include "codec/work/ledger.h"
#include "fs/view/change.h"

enum which { DTYPE, SHAPE, NAME, VARIABLE, SHARD, OFFSET, CRC32C, ALL };

static const char *const names[ALL] = {
	"user.dtype", "user.shape",  "user.name",   "user.variable",
	"user.shard", "user.offset", "user.crc32c",
};

static enum which which_of(const char *name)
{
	int i = 0;

	while (i < ALL && strcmp(names[i], name) != 0)
		i++;
	return (enum which)i;
}

static int add_extent(struct model *m, const struct tensor *t, enum which which, struct buf *out)
{
	struct extent e;

	if (t->storage.type != STORED_EXTENT)
		return -ENODATA;
	pthread_rwlock_rdlock(&m->layout);
	e = t->storage.extent;
	pthread_rwlock_unlock(&m->layout);
	if (which == SHARD)
		buf_printf(out, "%u", e.shard);
	else if (which == OFFSET)
		buf_printf(out, "%llu", (unsigned long long)e.offset);
	else if (!t->storage.has_checksum || ledger_find(m, object_tensor(t->id), NULL))
		return -ENODATA;
	else
		buf_printf(out, "%08x", e.crc);
	return buf_error(out);
}

static int add_value(struct model *m, const struct tensor *t, enum which which, struct buf *out)
{
	switch (which) {
	case DTYPE: buf_add_str(out, dtype_name(t->dtype).text); break;
	case SHAPE: shape_print(&t->shape, out); break;
	case NAME: buf_add(out, t->key); break;
	case VARIABLE:
		if (!t->variable.n)
			return -ENODATA;
		buf_add(out, t->variable);
		break;
	default: return add_extent(m, t, which, out);
	}
	return buf_error(out);
}

/* The tensor of a node, and its model. */
static struct tensor *find(const struct view *v, node_id id, struct model **ret_model)
{
	struct tensor *t;
	struct node n;

	if (!tree_get(v->tree, id, &n))
		return NULL;
	t = view_tensor(v, &n);
	if (t)
		*ret_model = view_branch(v, &n)->model;
	return t;
}

int xattr_get(const struct view *v, node_id id, const char *name, struct buf *out)
{
	enum which which;
	struct tensor *t;
	struct model *m;

	/* Asked before each write: no lock, no look. ls asks for the others, once if told so. */
	if (strcmp(name, "security.capability") == 0)
		return -ENODATA;
	if (strncmp(name, "user.", 5) != 0)
		return -ENOTSUP;
	which = which_of(name);
	t = which < ALL ? find(v, id, &m) : NULL;
	return t ? add_value(m, t, which, out) : -ENODATA;
}

void xattr_list(const struct view *v, node_id id, struct buf *out)
{
	struct model *m;
	struct tensor *t = find(v, id, &m);

	for (int i = 0; t && i < ALL; i++) {
		cleanup_buf struct buf value = {0};

		if (add_value(m, t, (enum which)i, &value) == 0)
			buf_add(out, span_of(names[i], strlen(names[i]) + 1));
	}
}

int xattr_set(struct view *v, node_id id, const char *name, struct span value, struct error *err)
{
	enum which which = which_of(name);
	cleanup_buf struct buf now = {0};
	struct tensor *t;
	struct model *m;
	int r;

	t = which < ALL ? find(v, id, &m) : NULL;
	if (!t)
		return -ENOTSUP;
	if (which != DTYPE && which != SHAPE)
		return 0;
	r = add_value(m, t, which, &now);
	if (r == 0 && !span_equal(buf_span(&now), value))
		r = change_type(v, id, name, buf_span(&now), value, err);
	return r;
}
