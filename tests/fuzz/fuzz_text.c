/*
 * Numbers as text: what is accepted prints as a text that reads as the same numbers. The input is
 * a dtype, a rank, so many dims (a byte each), and a text.
 */
#include "codec/tensor/text_read.h"
#include "fuzz.h"

/* With these each shape is small enough for texts of as many numbers to be found. */
enum { RANKS = 5, DIMS = 8 };

/* The elements that were read of a tensor. */
struct numbers {
	const struct text_layout *l;
	struct buf bytes;
};

static int copy_text(void *text, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	const struct span *s = text;

	(void)err;
	MUST(n && offset <= s->n && n <= s->n - offset);
	memcpy(to, s->p + offset, n);
	return 0;
}

static int keep(void *context, uint64_t first, size_t count, const uint8_t *p, struct error *err)
{
	struct numbers *numbers = context;
	uint32_t size = dtype_size(numbers->l->dtype);

	(void)err;
	MUST(count && first * size == numbers->bytes.n);
	buf_add(&numbers->bytes, span_of(p, count * size));
	return 0;
}

static int show(void *context, uint64_t first, size_t count, uint8_t *to, struct error *err)
{
	const struct numbers *numbers = context;
	uint32_t size = dtype_size(numbers->l->dtype);

	(void)err;
	MUST((first + count) * size <= numbers->bytes.n);
	memcpy(to, numbers->bytes.p + first * size, count * size);
	return 0;
}

static int read_back(struct span text, struct numbers *ret, struct error *err)
{
	struct text_source source = {text.n, copy_text, &text};

	return text_read(ret->l, &source, keep, ret, err);
}

static void check(const struct text_layout *l, struct span text)
{
	struct numbers numbers = {.l = l}, again = {.l = l};
	struct error err = {0};
	uint8_t *whole;

	if (read_back(text, &numbers, &err) < 0) {
		MUST(err.text[0]);
	} else {
		MUST(numbers.bytes.n == l->elements * dtype_size(l->dtype));
		whole = malloc((size_t)l->size);
		MUST(whole);
		MUST(text_generate(l, 0, (size_t)l->size, whole, show, &numbers, NULL) == 0);
		MUST(read_back(span_of(whole, (size_t)l->size), &again, NULL) == 0);
		MUST(span_equal(buf_span(&numbers.bytes), buf_span(&again.bytes)));
		free(whole);
	}
	buf_release(&numbers.bytes);
	buf_release(&again.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span input = span_of(bytes, n);
	struct text_layout l;
	int64_t dims[RANKS];
	uint8_t dtype, rank, dim;

	if (span_take_u8(&input, &dtype) < 0 || span_take_u8(&input, &rank) < 0)
		return 0;
	rank %= RANKS;
	for (uint32_t i = 0; i < rank; i++) {
		if (span_take_u8(&input, &dim) < 0)
			return 0;
		dims[i] = dim % DIMS;
	}
	if (text_layout_init(dtype, &(struct shape){rank, dims}, &l) == 0)
		check(&l, input);
	return 0;
}
