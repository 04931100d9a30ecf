#include "support.h"

#include <fcntl.h>
#include <stdalign.h>

/* Thousands of allocations of all sizes: none overlaps another, each is aligned. */
TEST(arena_gives_memory_that_is_only_yours)
{
	enum { COUNT = 5000 };
	struct arena arena = {0};
	uint64_t seed = 1;
	uint8_t *p[COUNT];
	size_t n[COUNT];

	for (size_t i = 0; i < COUNT; i++) {
		n[i] = random_below(&seed, i % 100 ? 200 : 20000);
		p[i] = arena_alloc(&arena, n[i]);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % alignof(max_align_t), 0);
		memset(p[i], (int)(i & 0xff), n[i]);
	}
	for (size_t i = 0; i < COUNT; i++)
		for (size_t j = 0; j < n[i]; j++)
			assert_int_equal(p[i][j], i & 0xff);
	arena_release(&arena);
	assert_null(arena.chunks);
	arena_release(&arena);
}

TEST(arena_mixes_copies_and_structures)
{
	struct arena arena = {0};
	struct span text;

	for (size_t i = 0; i < 3000; i++) {
		uint64_t *number = arena_alloc(&arena, sizeof(*number));

		assert_non_null(number);
		assert_int_equal((uintptr_t)number % alignof(uint64_t), 0);
		*number = i;
		text = arena_copy(&arena, span_of("0123456789", i % 11));
		assert_int_equal(text.n, i % 11);
		assert_int_equal(text.p[text.n], 0);
		assert_memory_equal(text.p, "0123456789", text.n);
		assert_int_equal(*number, i);
	}
	arena_release(&arena);
}

TEST(arena_refuses_what_nobody_has)
{
	struct arena arena = {0};

	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc(&arena, SIZE_MAX / 2 + 1));
	assert_null(arena_copy(&arena, span_of("", SIZE_MAX)).p);
	assert_null(arena.chunks);
	assert_non_null(arena_alloc(&arena, 0));
	assert_non_null(arena_copy(&arena, (struct span){0}).p);
	arena_release(&arena);
}

TEST(vector_grows_and_keeps_its_elements)
{
	uint64_t *v = NULL;
	size_t capacity = 0;

	for (size_t n = 0; n < 10000; n++) {
		uint64_t *grown = vector_grow(v, n, &capacity, sizeof(*v));

		assert_non_null(grown);
		assert_true(capacity > n);
		v = grown;
		v[n] = n * n;
	}
	for (size_t n = 0; n < 10000; n++)
		assert_int_equal(v[n], n * n);
	free(v);
}

TEST(vector_too_large_stays_as_it_was)
{
	size_t capacity = SIZE_MAX / 32;
	uint64_t one = 1;

	assert_null(vector_grow(&one, SIZE_MAX / 8, &capacity, sizeof(one)));
	assert_int_equal(capacity, SIZE_MAX / 32);
	assert_int_equal(one, 1);
}

static int opened(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

TEST(what_is_stolen_is_not_cleaned_up)
{
	char *kept;
	int kept_fd, closed_fd;

	{
		cleanup_free char *text = strdup("kept");
		cleanup_fd int fd = opened(), other = opened();

		kept = steal_pointer(text);
		assert_null(text);
		kept_fd = steal_fd(&fd);
		assert_int_equal(fd, -1);
		closed_fd = other;
	}
	assert_string_equal(kept, "kept");
	assert_int_not_equal(fcntl(kept_fd, F_GETFD), -1);
	assert_int_equal(fcntl(closed_fd, F_GETFD), -1);
	free(kept);
	close(kept_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_gives_memory_that_is_only_yours),
		cmocka_unit_test(arena_mixes_copies_and_structures),
		cmocka_unit_test(arena_refuses_what_nobody_has),
		cmocka_unit_test(vector_grows_and_keeps_its_elements),
		cmocka_unit_test(vector_too_large_stays_as_it_was),
		cmocka_unit_test(what_is_stolen_is_not_cleaned_up),
	};

	return RUN(tests);
}
