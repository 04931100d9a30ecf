/*
 * Memory and other things that must be given back.
 *
 * - cleanup_free, cleanup_fd, cleanup_buf ...: the variable's content is released when its
 *   scope ends. steal_pointer() hands it over instead. One resource: a cleanup attribute; a
 *   sequence to undo: goto out; never both in one function.
 * - struct arena: many small things that live as long as their owner and go together.
 * - vector_grow(): the one way to make an array longer.
 */
#ifndef CODEC_BASE_MEM_H
#define CODEC_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "codec/base/span.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void free_pointer(void *p)
{
	void *const *content = p;

	free(*content);
}

/* The variable says then that there is none, -1. */
static inline void close_pointer(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#define cleanup_free __attribute__((cleanup(free_pointer)))
#define cleanup_fd   __attribute__((cleanup(close_pointer)))

/* The content of the variable p, which is NULL afterwards. */
#define steal_pointer(p)                             \
	({                                           \
		__typeof__(p) *stolen_from = &(p);   \
		__typeof__(p) stolen = *stolen_from; \
		*stolen_from = NULL;                 \
		stolen;                              \
	})

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/* True if it overflowed; *ret is then not to be used. */
#define mul_overflows(a, b, ret) __builtin_mul_overflow(a, b, ret)
#define add_overflows(a, b, ret) __builtin_add_overflow(a, b, ret)

/*
 * Makes room for at least one more element behind the n that array holds; *capacity follows.
 * Returns the array, moved maybe, or NULL (array stays as it was).
 */
void *vector_grow(void *array, size_t n, size_t *capacity, size_t element_size);

struct arena {
	struct arena_chunk *chunks;
	size_t used; /* bytes given out, of all chunks */
};

/* n bytes aligned for anything, not zeroed; NULL without memory. They live until the release. */
void *arena_alloc(struct arena *arena, size_t n);
/* A copy of the bytes, with a NUL behind them that is not counted. p is NULL without memory. */
struct span arena_copy(struct arena *arena, struct span bytes);
void arena_release(struct arena *arena);
#define cleanup_arena __attribute__((cleanup(arena_release)))

#endif
