/* What there is to say of a model as a whole. */
#include "codec/graph/model_json.h"
#include "fs/kinds/kinds.h"
#include "fs/view/pieces.h"
#include "fs/view/table.h"
#include "fs/view/view.h"

static int model_json_path(const struct showing *s, struct buf *out)
{
	(void)s;
	buf_add_str(out, "model.json");
	return 1;
}

static int model_json_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	(void)err;
	return model_json(s->branch->model, &out->bytes);
}

const struct kind kind_model_json = {
	.of = THING_MODEL,
	.path = model_json_path,
	.compose = model_json_compose,
};

static void add_row(const struct showing *s, const struct tensor *t, node_id node, struct buf *out)
{
	cleanup_buf struct buf path = {0};

	table_add_cell(out, t->key);
	buf_printf(out, "\t%s\t", dtype_name(t->dtype).text);
	shape_print(&t->shape, out);
	buf_printf(out, "\t%llu\t", (unsigned long long)tensor_size(t));
	tree_path(s->view->tree, s->branch->root, node, &path);
	table_add_cell(out, buf_span(&path));
	buf_add_u8(out, '\t');
	table_add_cell(out, t->variable);
	buf_add_u8(out, '\n');
}

static int tensors_tsv_path(const struct showing *s, struct buf *out)
{
	(void)s;
	buf_add_str(out, "tensors.tsv");
	return 1;
}

static int tensors_tsv_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	const struct tensor *t;

	(void)err;
	buf_add_str(&out->bytes, "name\tdtype\tshape\tbytes\tpath\tvariable\n");
	for (size_t i = 0; (t = model_next(s->branch->model, &i));) {
		node_id node = branch_main_node(s->branch, THING_TENSOR, t->id);

		if (node)
			add_row(s, t, node, &out->bytes);
	}
	return buf_error(&out->bytes);
}

const struct kind kind_tensors_tsv = {
	.of = THING_MODEL,
	.path = tensors_tsv_path,
	.compose = tensors_tsv_compose,
};
