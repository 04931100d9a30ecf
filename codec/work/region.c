#include "codec/work/region.h"

#include <assert.h>

#include "codec/work/data_file.h"
#include "codec/base/mem.h"

enum { WORD = 64 };

uint64_t region_blocks(const struct region *r)
{
	return r->size / REGION_BLOCK + (r->size % REGION_BLOCK != 0);
}

struct region *region_new(uint32_t number, struct data_file *data, uint64_t offset, uint64_t size)
{
	struct region *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct region){.number = number, .offset = offset, .size = size};
	r->present = calloc(region_blocks(r) / WORD + 1, sizeof(*r->present));
	if (!r->present) {
		free(r);
		return NULL;
	}
	r->data = data;
	r->bytes = data_file_at(data, offset, size);
	return r;
}

struct region *region_free(struct region *r)
{
	if (!r)
		return NULL;
	data_file_unref(r->data);
	free(r->present);
	free(r);
	return NULL;
}

bool region_has(const struct region *r, uint64_t block)
{
	return !r->present || r->present[block / WORD] >> (block % WORD) & 1;
}

void region_set(struct region *r, uint64_t first, uint64_t count)
{
	assert(first <= region_blocks(r) && count <= region_blocks(r) - first);
	for (uint64_t b = first; r->present && b < first + count; b++)
		r->present[b / WORD] |= (uint64_t)1 << (b % WORD);
}

void region_set_all(struct region *r)
{
	free(r->present);
	r->present = NULL;
}

void region_clear_from(struct region *r, uint64_t first)
{
	for (uint64_t b = first; r->present && b < region_blocks(r); b++)
		r->present[b / WORD] &= ~((uint64_t)1 << (b % WORD));
}

/* The first block from b on, below end, that is there (or not there). */
static uint64_t find(const struct region *r, uint64_t b, uint64_t end, bool present)
{
	while (b < end) {
		uint64_t word = r->present[b / WORD];

		if (!present)
			word = ~word;
		word >>= b % WORD;
		if (word) {
			b += (uint64_t)__builtin_ctzll(word);
			return b < end ? b : end;
		}
		b += WORD - b % WORD;
	}
	return end;
}

uint64_t region_run(const struct region *r, uint64_t at, uint64_t n, bool *ret_present)
{
	uint64_t block = at / REGION_BLOCK, end = (at + n - 1) / REGION_BLOCK + 1, next;

	*ret_present = region_has(r, block);
	if (!r->present)
		return n;
	next = find(r, block, end, !*ret_present);
	return next < end ? next * REGION_BLOCK - at : n;
}
