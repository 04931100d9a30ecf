#include "codec/tensor/slices.h"

/* Numbers of the key, in an encoding that sorts like them (ordered_code.cc). */

/* WriteNumIncreasing: how many bytes, then those bytes, the most significant first. */
static void add_unsigned(struct buf *out, uint64_t v)
{
	int n = 0;

	while (n < 8 && v >> (8 * n))
		n++;
	buf_add_u8(out, (uint8_t)n);
	while (n)
		buf_add_u8(out, (uint8_t)(v >> (8 * --n)));
}

/* WriteSignedNumIncreasing: the first bits tell the length, and by that the sign. */
static void add_signed(struct buf *out, int64_t v)
{
	uint64_t x = v < 0 ? ~(uint64_t)v : (uint64_t)v;
	uint32_t header;
	int n = 1;

	if (x < 64) {
		buf_add_u8(out, (uint8_t)(0x80 ^ (v & 0xff)));
		return;
	}
	while (n < 10 && x >> (7 * n - 1))
		n++;
	/* n ones, then zeros; what does not fit in two bytes is cut. */
	header = 0xffffu << (16 - n);
	for (int i = n - 1; i >= 0; i--) {
		uint32_t byte = i > 7 ? (v < 0 ? 0xff : 0) : (uint32_t)((uint64_t)v >> (8 * i));

		if (i == n - 1)
			byte ^= header >> 8;
		if (i == n - 2)
			byte ^= header;
		buf_add_u8(out, (uint8_t)byte);
	}
}

static void add_name(struct buf *out, struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		buf_add_u8(out, name.p[i]);
		if (name.p[i] == 0x00)
			buf_add_u8(out, 0xff);
		else if (name.p[i] == 0xff)
			buf_add_u8(out, 0x00);
	}
	buf_add(out, span_of("\0\1", 2));
}

void slice_key(struct span name, uint32_t rank, const int64_t *start, const int64_t *length,
	       const bool *full, struct buf *out)
{
	add_unsigned(out, 0);
	add_name(out, name);
	add_unsigned(out, rank);
	for (uint32_t i = 0; i < rank; i++) {
		add_signed(out, full[i] ? 0 : start[i]);
		add_signed(out, full[i] ? -1 : length[i]);
	}
}

bool slice_key_name(struct span key, struct buf *ret)
{
	if (key.n < 2 || key.p[0] != 0)
		return false;
	for (size_t i = 1; i + 1 < key.n; i++) {
		uint8_t c = key.p[i], next = key.p[i + 1];

		if (c != 0 && c != 0xff) {
			buf_add_u8(ret, c);
			continue;
		}
		if (c == 0 && next == 1)
			return true;
		if (next != (c ? 0 : 0xff))
			return false;
		buf_add_u8(ret, c);
		i++;
	}
	return false;
}

/* The parts that are checked, as numbers one behind the other. */
struct parts {
	const int64_t *start, *length;
	uint32_t rank, sweep; /* sweep: the dimension by which they are sorted */
};

static bool overlap(const struct parts *p, size_t a, size_t b)
{
	const int64_t *as = p->start + a * p->rank, *al = p->length + a * p->rank;
	const int64_t *bs = p->start + b * p->rank, *bl = p->length + b * p->rank;

	for (uint32_t i = 0; i < p->rank; i++)
		if (as[i] >= bs[i] + bl[i] || bs[i] >= as[i] + al[i])
			return false;
	return true;
}

static int compare_starts(const void *a, const void *b, void *parts)
{
	const struct parts *p = parts;
	int64_t x = p->start[*(const size_t *)a * p->rank + p->sweep];
	int64_t y = p->start[*(const size_t *)b * p->rank + p->sweep];

	return (x > y) - (x < y);
}

/* Sorts along the dimension that is cut into the most parts, so that a sweep meets few at once. */
static void sort_for_sweep(struct parts *p, size_t *order, size_t n)
{
	uint32_t best = 0;
	size_t most = 0;

	for (p->sweep = 0; p->sweep < p->rank; p->sweep++) {
		size_t distinct = 1;

		qsort_r(order, n, sizeof(*order), compare_starts, p);
		for (size_t i = 1; i < n; i++)
			distinct += compare_starts(&order[i - 1], &order[i], p) != 0;
		if (distinct > most) {
			most = distinct;
			best = p->sweep;
		}
	}
	p->sweep = best;
	qsort_r(order, n, sizeof(*order), compare_starts, p);
}

static int check_overlaps(struct parts *p, size_t n, struct error *err)
{
	cleanup_free size_t *order = calloc(n, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	sort_for_sweep(p, order, n);
	for (size_t i = 0; i < n; i++) {
		size_t at = order[i] * p->rank + p->sweep;
		int64_t end = p->start[at] + p->length[at];

		for (size_t j = i + 1; j < n && p->start[order[j] * p->rank + p->sweep] < end; j++)
			if (overlap(p, order[i], order[j]))
				return error_set(err, -EBADMSG, "two of its %zu slices overlap", n);
	}
	return 0;
}

/* Adds the elements of one part to sum, if it lies in the shape. */
static int add_part(const int64_t *start, const int64_t *length, const struct shape *shape,
		    uint64_t *sum)
{
	struct shape part = {shape->rank, length};
	uint64_t elements;

	for (uint32_t d = 0; d < shape->rank; d++)
		if (start[d] < 0 || length[d] < 0 || start[d] > shape->dims[d] ||
		    length[d] > shape->dims[d] - start[d])
			return -EBADMSG;
	if (shape_elements(&part, &elements) < 0 || add_overflows(*sum, elements, sum))
		return -EBADMSG;
	return 0;
}

int slices_check(size_t n, const int64_t *start, const int64_t *length, const struct shape *shape,
		 struct error *err)
{
	struct parts parts = {start, length, shape->rank, 0};
	uint64_t whole, sum = 0;

	if (!shape->rank || shape_elements(shape, &whole) < 0)
		return error_set(err, -EBADMSG, "slices of a scalar");
	if (n > SLICES_MAX)
		return error_set(err, -EBADMSG, "%zu slices; %d are handled", n, SLICES_MAX);
	for (size_t i = 0; i < n; i++)
		if (add_part(start + i * shape->rank, length + i * shape->rank, shape, &sum) < 0)
			return error_set(err, -EBADMSG, "slice %zu lies outside the shape", i);
	if (sum != whole)
		return error_set(err, -EBADMSG,
				 "its %zu slices have %llu elements, the whole has %llu", n,
				 (unsigned long long)sum, (unsigned long long)whole);
	return check_overlaps(&parts, n, err);
}

static bool contains(const struct slice *s, const int64_t *at, uint32_t rank)
{
	for (uint32_t i = 0; i < rank; i++)
		if (at[i] < s->start[i] || at[i] - s->start[i] >= s->length[i])
			return false;
	return true;
}

/*
 * How many elements follow one another from `at` on, in the slice as in the whole: while the
 * dimensions inside are whole, the run goes on through the next one.
 */
static uint64_t run_length(const struct slice *s, const struct shape *shape, const int64_t *at)
{
	uint64_t run = 1, inner = 1;

	for (uint32_t d = shape->rank; d-- > 0;) {
		int64_t left = s->start[d] + s->length[d] - at[d];

		run = (uint64_t)(left - 1) * inner + run;
		inner *= (uint64_t)s->length[d];
		if (s->length[d] != shape->dims[d])
			break;
	}
	return run;
}

struct slice_run slices_find(const struct slices *s, const struct shape *shape,
			     uint32_t element_size, uint64_t offset, size_t hint)
{
	uint64_t within = offset % element_size, rest = offset / element_size, place = 0;
	int64_t at[RANK_MAX];
	const struct slice *found;

	for (uint32_t d = shape->rank; d-- > 0; rest /= (uint64_t)shape->dims[d])
		at[d] = (int64_t)(rest % (uint64_t)shape->dims[d]);
	while (!contains(&s->slice[hint], at, shape->rank))
		hint = hint + 1 < s->n ? hint + 1 : 0; /* one does: slices_check saw to it */
	found = &s->slice[hint];
	for (uint32_t d = 0; d < shape->rank; d++)
		place = place * (uint64_t)found->length[d] + (uint64_t)(at[d] - found->start[d]);
	return (struct slice_run){
		.slice = hint,
		.offset = place * element_size + within,
		.size = run_length(found, shape, at) * element_size - within,
	};
}

struct slice_run slices_reverse(const struct slices *s, const struct shape *shape,
				uint32_t element_size, size_t slice, uint64_t offset)
{
	uint64_t within = offset % element_size, rest = offset / element_size, place = 0;
	const struct slice *of = &s->slice[slice];
	int64_t at[RANK_MAX];

	for (uint32_t d = shape->rank; d-- > 0; rest /= (uint64_t)of->length[d])
		at[d] = of->start[d] + (int64_t)(rest % (uint64_t)of->length[d]);
	for (uint32_t d = 0; d < shape->rank; d++)
		place = place * (uint64_t)shape->dims[d] + (uint64_t)at[d];
	return (struct slice_run){
		.slice = slice,
		.offset = place * element_size + within,
		.size = run_length(of, shape, at) * element_size - within,
	};
}
