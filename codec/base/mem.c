#include "codec/base/mem.h"

#include <stdalign.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	alignas(max_align_t) uint8_t bytes[];
};

enum { CHUNK_MIN = 4096, CHUNK_MAX = 1 << 20 };

void *vector_grow(void *array, size_t n, size_t *capacity, size_t element_size)
{
	size_t wanted = n < 8 ? 8 : n + n / 2;
	size_t bytes;
	void *grown;

	if (n < *capacity)
		return array;
	if (mul_overflows(wanted, element_size, &bytes))
		return NULL;
	grown = realloc(array, bytes);
	if (grown)
		*capacity = wanted;
	return grown;
}

static struct arena_chunk *chunk_new(struct arena *arena, size_t n)
{
	size_t size = arena->used < CHUNK_MIN ? CHUNK_MIN : arena->used;
	struct arena_chunk *chunk;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < n)
		size = n;
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->used = 0;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	return chunk;
}

static void *take(struct arena *arena, size_t n, size_t align)
{
	struct arena_chunk *chunk = arena->chunks;
	size_t start = chunk ? (chunk->used + align - 1) & ~(align - 1) : 0;

	if (n > SIZE_MAX / 2)
		return NULL;
	if (!chunk || start > chunk->size || n > chunk->size - start) {
		chunk = chunk_new(arena, n);
		start = 0;
	}
	if (!chunk)
		return NULL;
	chunk->used = start + n;
	arena->used += n;
	return chunk->bytes + start;
}

void *arena_alloc(struct arena *arena, size_t n)
{
	return take(arena, n, alignof(max_align_t));
}

struct span arena_copy(struct arena *arena, struct span bytes)
{
	uint8_t *p = bytes.n < SIZE_MAX ? take(arena, bytes.n + 1, 1) : NULL;

	if (!p)
		return (struct span){0};
	if (bytes.n)
		memcpy(p, bytes.p, bytes.n);
	p[bytes.n] = 0;
	return span_of(p, bytes.n);
}

void arena_release(struct arena *arena)
{
	while (arena->chunks) {
		struct arena_chunk *next = arena->chunks->next;

		free(arena->chunks);
		arena->chunks = next;
	}
	*arena = (struct arena){0};
}
