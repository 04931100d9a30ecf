#include "fs/cmd/ctl_stats.h"

#include <stdio.h>

#include "codec/base/number.h"
#include "fs/view/table.h"

static void add_number(struct buf *out, uint32_t dtype, long double v)
{
	buf_add_u8(out, '\t');
	if (dtype_is_integer(dtype))
		buf_printf(out, "%.0Lf", v);
	else
		number_add_shortest(out, (double)v, dtype == DTYPE_FLOAT32);
}

static void add_row(struct buf *out, const struct tensor *t, const struct stats *s)
{
	table_add_cell(out, t->key);
	buf_printf(out, "\t%s\t", dtype_name(t->dtype).text);
	shape_print(&t->shape, out);
	if (stats_countable(t->dtype))
		buf_printf(out, "\t%llu\t%llu", (unsigned long long)s->nan,
			   (unsigned long long)s->inf);
	else
		buf_add_str(out, "\t-\t-");
	if (s->n) {
		add_number(out, t->dtype, s->min);
		add_number(out, t->dtype, s->max);
		add_number(out, DTYPE_FLOAT64, s->sum / (long double)s->n);
	} else {
		buf_add_str(out, "\t-\t-\t-");
	}
	buf_add_u8(out, '\n');
}

int stats_print(const struct model *m, const struct stats *stats)
{
	cleanup_buf struct buf table = {0};
	const struct tensor *t;

	buf_add_str(&table, "name\tdtype\tshape\tnan\tinf\tmin\tmax\tmean\n");
	for (size_t i = 0; (t = model_next(m, &i));)
		add_row(&table, t, &stats[t->id]);
	if (!table.failed)
		fwrite(table.p, 1, table.n, stdout);
	return buf_error(&table);
}
