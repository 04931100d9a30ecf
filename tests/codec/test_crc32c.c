#include "support.h"

#include <sys/mman.h>

#include "codec/base/crc32c.h"

TEST(known_checksums)
{
	uint8_t bytes[32];

	assert_int_equal(crc32c_extend(0, (struct span){0}), 0);
	assert_int_equal(crc32c_extend(0, span_str("123456789")), 0xe3069283);
	memset(bytes, 0, 32);
	assert_int_equal(crc32c_extend(0, span_of(bytes, 32)), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	assert_int_equal(crc32c_extend(0, span_of(bytes, 32)), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(crc32c_extend(0, span_of(bytes, 32)), 0x46dd794e);
}

TEST(masks)
{
	uint64_t seed = 1;

	assert_int_equal(crc32c_mask(0), 0xa282ead8);
	assert_int_equal(crc32c_masked((struct span){0}), 0xa282ead8);
	assert_int_equal(crc32c_unmask(0xa282ead8), 0);
	for (int i = 0; i < 1000; i++) {
		uint32_t crc = (uint32_t)random_next(&seed);

		assert_int_equal(crc32c_unmask(crc32c_mask(crc)), crc);
		assert_int_not_equal(crc32c_mask(crc), crc);
	}
}

/* One bit at a time, straight from the polynomial. */
static uint32_t slow_crc(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffff;

	while (n--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

TEST(every_length_and_alignment)
{
	uint8_t bytes[600];
	uint64_t seed = 2;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_next(&seed);
	for (size_t n = 0; n <= 512; n++) {
		size_t at = random_below(&seed, 64);

		assert_int_equal(crc32c_extend(0, span_of(bytes + at, n)), slow_crc(bytes + at, n));
	}
}

TEST(a_whole_is_its_parts)
{
	uint8_t bytes[1000];
	uint64_t seed = 3;
	uint32_t whole;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_next(&seed);
	whole = crc32c_extend(0, span_of(bytes, sizeof(bytes)));
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		uint32_t crc = crc32c_extend(0, span_of(bytes, cut));

		crc = crc32c_extend(crc, span_of(bytes + cut, sizeof(bytes) - cut));
		assert_int_equal(crc, whole);
	}
}

/* More than the library takes at once: a map of zeros that needs no memory. */
TEST(more_than_a_gigabyte)
{
	size_t size = ((size_t)1 << 30) + 12345, piece = 99999999;
	void *zeros =
		mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct span left = span_of(zeros, size), part;
	uint32_t crc = 0;

	assert_ptr_not_equal(zeros, MAP_FAILED);
	while (left.n) {
		assert_int_equal(span_take(&left, left.n < piece ? left.n : piece, &part), 0);
		crc = crc32c_extend(crc, part);
	}
	assert_int_equal(crc32c_extend(0, span_of(zeros, size)), crc);
	munmap(zeros, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_checksums),
		cmocka_unit_test(masks),
		cmocka_unit_test(every_length_and_alignment),
		cmocka_unit_test(a_whole_is_its_parts),
		cmocka_unit_test(more_than_a_gigabyte),
	};

	return RUN(tests);
}
