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

static void add_row(const struct showing *s, size_t i, struct buf *out)
{
	const struct tensor *t = &s->branch->model->tensors[i];
	cleanup_buf struct buf path = {0};

	table_add_cell(out, t->key);
	buf_printf(out, "\t%s\t", dtype_name(t->dtype).text);
	shape_print(&t->shape, out);
	buf_printf(out, "\t%llu\t", (unsigned long long)tensor_size(t));
	tree_path(s->view->tree, s->branch->root, s->branch->tensor_nodes[i], &path);
	table_add_cell(out, buf_span(&path));
	buf_add_u8(out, '\t');
	table_add_cell(out, t->variable);
	buf_add_u8(out, '\n');
}

static int tensors_tsv_render(const struct showing *s, struct buf *out, struct error *err)
{
	(void)err;
	buf_add_str(out, "name\tdtype\tshape\tbytes\tpath\tvariable\n");
	for (size_t i = 0; i < s->branch->model->n_tensors; i++)
		if (s->branch->tensor_nodes[i])
			add_row(s, i, out);
	return buf_error(out);
}

const struct kind kind_tensors_tsv = {
	.of = THING_MODEL,
	.fixed = "tensors.tsv",
	.render = tensors_tsv_render,
};
