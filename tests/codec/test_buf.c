#include "support.h"

TEST(adding)
{
	cleanup_buf struct buf b = {0};

	buf_add_str(&b, "ab");
	buf_add_u8(&b, 0xff);
	buf_add_le32(&b, 0x01020304);
	buf_add_le64(&b, 0x0102030405060708);
	buf_add(&b, span_of("\0", 1));
	buf_add(&b, (struct span){0});
	assert_hex(buf_span(&b), "6162 ff 04030201 0807060504030201 00");
	buf_reset(&b);
	assert_int_equal(b.n, 0);
	assert_int_equal(buf_error(&b), 0);
}

TEST(varints)
{
	cleanup_buf struct buf b = {0};

	buf_add_varint(&b, 0);
	buf_add_varint(&b, 127);
	buf_add_varint(&b, 128);
	buf_add_varint(&b, UINT32_MAX);
	buf_add_varint(&b, UINT64_MAX);
	assert_hex(buf_span(&b), "00 7f 8001 ffffffff0f ffffffffffffffffff01");
}

/* Whatever is written is read back. */
TEST(varints_round_trip)
{
	uint64_t seed = 1;

	for (int i = 0; i < 10000; i++) {
		cleanup_buf struct buf b = {0};
		uint64_t v = random_next(&seed) >> random_below(&seed, 64), again;
		struct span s;

		buf_add_varint(&b, v);
		s = buf_span(&b);
		assert_int_equal(span_take_varint64(&s, &again), 0);
		assert_int_equal(again, v);
		assert_int_equal(s.n, 0);
	}
}

TEST(printing)
{
	cleanup_buf struct buf b = {0};

	buf_printf(&b, "%s-%05d", "x", 42);
	assert_says(buf_span(&b), "x-00042");
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "%d", i % 10);
	assert_int_equal(b.n, 107);
	assert_memory_equal(b.p + 97, "0123456789", 10);
}

TEST(growing_keeps_the_bytes)
{
	cleanup_buf struct buf b = {0};

	for (size_t i = 0; i < 100000; i++)
		buf_add_u8(&b, (uint8_t)(i * 7));
	assert_int_equal(b.n, 100000);
	for (size_t i = 0; i < b.n; i++)
		assert_int_equal(b.p[i], (uint8_t)(i * 7));
	buf_drop_front(&b, 99999);
	assert_int_equal(b.n, 1);
	assert_int_equal(b.p[0], (uint8_t)(99999 * 7));
	buf_drop_front(&b, 1);
	assert_int_equal(b.n, 0);
}

/* NULL means no memory: nothing at all must not look like that. */
TEST(extending_an_empty_buf_by_nothing)
{
	cleanup_buf struct buf b = {0};

	assert_non_null(buf_extend(&b, 0));
	assert_int_equal(b.n, 0);
	assert_int_equal(buf_error(&b), 0);
}

TEST(without_memory_it_is_marked_and_stays)
{
	cleanup_buf struct buf b = {0};

	buf_add_str(&b, "ab");
	assert_null(buf_extend(&b, SIZE_MAX));
	assert_int_equal(buf_error(&b), -ENOMEM);
	buf_add_str(&b, "c");
	buf_printf(&b, "d");
	assert_null(buf_extend(&b, 1));
	assert_says(buf_span(&b), "ab");
	assert_int_equal(buf_error(&b), -ENOMEM);
	buf_reset(&b);
	buf_add_str(&b, "e");
	assert_says(buf_span(&b), "e");
	assert_int_equal(buf_error(&b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adding),
		cmocka_unit_test(varints),
		cmocka_unit_test(varints_round_trip),
		cmocka_unit_test(printing),
		cmocka_unit_test(growing_keeps_the_bytes),
		cmocka_unit_test(extending_an_empty_buf_by_nothing),
		cmocka_unit_test(without_memory_it_is_marked_and_stays),
	};

	return RUN(tests);
}
