#include "numbers.h"

#include "codec/tensor/number_text.h"
#include "support.h"

struct elements {
	const uint8_t *bytes;
	uint32_t size; /* of one */
};

static int copy_elements(void *from, uint64_t first, size_t count, uint8_t *to, struct error *err)
{
	const struct elements *e = from;

	(void)err;
	memcpy(to, e->bytes + first * e->size, count * e->size);
	return 0;
}

static int copy_text(void *text, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	(void)err;
	memcpy(to, ((const struct buf *)text)->p + offset, n);
	return 0;
}

int numbers_write(struct model *m, struct tensor *t, const uint8_t *elements, const char *behind,
		  struct error *err)
{
	struct elements e = {elements, dtype_size(t->dtype)};
	cleanup_buf struct buf text = {0};
	struct text_source source = {.copy = copy_text, .context = &text};
	struct text_layout l;
	uint8_t *to;

	assert_int_equal(text_layout_init(t->dtype, &t->shape, &l), 0);
	to = buf_extend(&text, (size_t)l.size);
	assert_int_equal(text_generate(&l, 0, (size_t)l.size, to, copy_elements, &e, NULL), 0);
	buf_add_str(&text, behind);
	source.size = text.n;
	return content_take_text(m, t, &l, &source, err);
}

/* Of many NaNs one is read. */
static void read_back(uint32_t dtype, const uint8_t *element, uint8_t *ret)
{
	uint32_t width = number_text_width(dtype), spaces = 0;
	char text[NUMBER_TEXT_MAX];

	number_text_format(dtype, element, text);
	while (text[spaces] == ' ')
		spaces++;
	assert_int_equal(number_text_parse(dtype, text + spaces, width - spaces, ret), 0);
}

int numbers_merge(uint32_t dtype, const uint8_t *elements, size_t n, uint8_t *bytes)
{
	uint32_t size = dtype_size(dtype);
	int r = CONTENT_SAME;

	for (size_t i = 0; i < n; i += size)
		if (!number_text_alike(dtype, bytes + i, elements + i)) {
			read_back(dtype, elements + i, bytes + i);
			r = CONTENT_ACCEPTED;
		}
	return r;
}
