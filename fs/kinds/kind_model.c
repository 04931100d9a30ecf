/* What there is to say of a model as a whole. */
#include "codec/graph/model_json.h"
#include "fs/view/kind.h"
#include "fs/view/table.h"
#include "fs/view/view.h"

static int model_json_render(const struct showing *s, struct buf *out, struct error *err)
{
	(void)err;
	return model_json(s->branch->model, out);
}

const struct kind kind_model_json = {
	.of = THING_MODEL,
	.fixed = "model.json",
	.render = model_json_render,
};

static void add_row(const struct showing *s, const struct tensor *t, struct buf *out)
{
	cleanup_buf struct buf path = {0};

	table_add_cell(out, t->key);
	buf_printf(out, "\t%s\t", dtype_name(t->dtype).text);
	shape_print(&t->shape, out);
	buf_printf(out, "\t%llu\t", (unsigned long long)tensor_size(t));
	tree_path(s->view->tree, s->branch->root, s->branch->tensor_nodes[t->id], &path);
	table_add_cell(out, buf_span(&path));
	buf_add_u8(out, '\t');
	table_add_cell(out, t->variable);
	buf_add_u8(out, '\n');
}

static int tensors_tsv_render(const struct showing *s, struct buf *out, struct error *err)
{
	const struct tensor *t;

	(void)err;
	buf_add_str(out, "name\tdtype\tshape\tbytes\tpath\tvariable\n");
	for (size_t i = 0; (t = model_next(s->branch->model, &i));)
		if (s->branch->tensor_nodes[t->id])
			add_row(s, t, out);
	return buf_error(out);
}

const struct kind kind_tensors_tsv = {
	.of = THING_MODEL,
	.fixed = "tensors.tsv",
	.render = tensors_tsv_render,
};
