#include "support.h"

TEST(takes_move_the_front)
{
	cleanup_buf struct buf bytes = {0};
	struct span s, four;
	uint64_t v64;
	uint32_t v32;
	uint8_t v8;

	add_hex(&bytes, "01 02030405 060708090a0b0c0d 61626364");
	s = buf_span(&bytes);
	assert_int_equal(span_take_u8(&s, &v8), 0);
	assert_int_equal(v8, 1);
	assert_int_equal(span_take_le32(&s, &v32), 0);
	assert_int_equal(v32, 0x05040302);
	assert_int_equal(span_take_le64(&s, &v64), 0);
	assert_int_equal(v64, 0x0d0c0b0a09080706);
	assert_int_equal(span_take(&s, 4, &four), 0);
	assert_says(four, "abcd");
	assert_int_equal(s.n, 0);
	assert_int_equal(span_take(&s, 0, &four), 0);
	assert_int_equal(four.n, 0);
}

/* Every take of more than there is: refused, and nothing moved. */
TEST(short_is_refused_and_changes_nothing)
{
	static const uint8_t bytes[8] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
	struct span before, s, part = {0};
	uint64_t v64 = 42;
	uint32_t v32 = 42;
	uint8_t v8 = 42;

	for (size_t n = 0; n < sizeof(bytes); n++) {
		before = s = span_of(bytes, n);
		assert_int_equal(span_take(&s, n + 1, &part), -EBADMSG);
		assert_int_equal(span_take(&s, UINT64_MAX, &part), -EBADMSG);
		assert_int_equal(span_take_le64(&s, &v64), -EBADMSG);
		assert_int_equal(span_take_varint64(&s, &v64), -EBADMSG);
		assert_int_equal(span_take_varint32(&s, &v32), -EBADMSG);
		if (n < 4)
			assert_int_equal(span_take_le32(&s, &v32), -EBADMSG);
		if (n < 1)
			assert_int_equal(span_take_u8(&s, &v8), -EBADMSG);
		assert_ptr_equal(s.p, before.p);
		assert_int_equal(s.n, before.n);
	}
	assert_true(v64 == 42 && v32 == 42 && v8 == 42 && !part.p);
}

TEST(slices_stay_inside)
{
	struct span whole = span_str("0123456789"), part = {0};

	assert_int_equal(span_slice(whole, 3, 4, &part), 0);
	assert_says(part, "3456");
	assert_int_equal(span_slice(whole, 10, 0, &part), 0);
	assert_int_equal(span_slice(whole, 0, 10, &part), 0);
	assert_says(part, "0123456789");
	assert_int_equal(span_slice(whole, 11, 0, &part), -EBADMSG);
	assert_int_equal(span_slice(whole, 3, 8, &part), -EBADMSG);
	assert_int_equal(span_slice(whole, 3, UINT64_MAX - 1, &part), -EBADMSG);
	assert_int_equal(span_slice(whole, UINT64_MAX, 2, &part), -EBADMSG);
	assert_says(part, "0123456789");
}

/* An encoding, and the number that it is; or that it is none, of 64 or of 32 bits. */
static const struct {
	const char *hex;
	bool is64, is32;
	uint64_t value;
} varints[] = {
	{"00", true, true, 0},
	{"7f", true, true, 127},
	{"8001", true, true, 128},
	{"ac02", true, true, 300},
	{"8000", true, true, 0}, /* longer than needed, and no harm */
	{"8080808000", true, true, 0},
	{"ffffffff0f", true, true, UINT32_MAX},
	{"8080808010", true, false, UINT64_C(1) << 32},
	{"ffffffff7f", true, false, UINT64_C(0x7ffffffff)},
	{"808080808000", true, false, 0}, /* six bytes */
	{"ffffffffffffffffff01", true, false, UINT64_MAX},
	{"80808080808080808001", true, false, UINT64_C(1) << 63},
	{"80808080808080808002", false, false, 0}, /* bit 64 */
	{"ffffffffffffffffff7f", false, false, 0},
	{"8080808080808080808000", false, false, 0}, /* eleven bytes */
	{"ffffffffffffffffffff01", false, false, 0},
};

TEST(varints_are_what_they_say)
{
	for (size_t i = 0; i < ARRAY_SIZE(varints); i++) {
		cleanup_buf struct buf bytes = {0};
		struct span s;
		uint64_t v64 = 0;
		uint32_t v32 = 0;

		add_hex(&bytes, varints[i].hex);
		s = buf_span(&bytes);
		assert_int_equal(span_take_varint64(&s, &v64), varints[i].is64 ? 0 : -EBADMSG);
		assert_int_equal(s.n, varints[i].is64 ? 0 : bytes.n);
		assert_int_equal(v64, varints[i].value);
		s = buf_span(&bytes);
		assert_int_equal(span_take_varint32(&s, &v32), varints[i].is32 ? 0 : -EBADMSG);
		assert_int_equal(s.n, varints[i].is32 ? 0 : bytes.n);
		assert_int_equal(v32, varints[i].is32 ? varints[i].value : 0);
	}
}

TEST(bytes_compare_as_unsigned)
{
	static const char *const ascending[] = {"",  "a",    "a\x01", "aa",	 "ab",
						"b", "\x80", "\xff",  "\xff\xff"};

	for (size_t i = 0; i < ARRAY_SIZE(ascending); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(ascending); j++) {
			struct span a = span_str(ascending[i]), b = span_str(ascending[j]);
			int c = span_compare(a, b);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
			assert_int_equal(span_equal(a, b), i == j);
		}
	}
	assert_int_equal(span_compare((struct span){0}, span_str("")), 0);
	assert_true(span_equal((struct span){0}, span_str("")));
	assert_true(span_is(span_of("a\0b", 3), "a\0b") == false);
}

TEST(beginnings_and_ends)
{
	struct span s = span_str("x.index"), nothing = {0};

	assert_true(span_starts(s, span_str("x.")) && span_starts(s, nothing));
	assert_false(span_starts(s, span_str("x.indexx")) || span_starts(s, span_str("y")));
	assert_true(span_ends(s, span_str(".index")) && span_ends(s, s) && span_ends(s, nothing));
	assert_false(span_ends(s, span_str("xx.index")) || span_ends(s, span_str("a")));
	assert_true(span_starts(nothing, nothing) && span_ends(nothing, nothing));
	assert_says(span_skip(s, 2), "index");
	assert_says(span_first(s, 1), "x");
	assert_int_equal(span_skip(nothing, 0).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_move_the_front),
		cmocka_unit_test(short_is_refused_and_changes_nothing),
		cmocka_unit_test(slices_stay_inside),
		cmocka_unit_test(varints_are_what_they_say),
		cmocka_unit_test(bytes_compare_as_unsigned),
		cmocka_unit_test(beginnings_and_ends),
	};

	return RUN(tests);
}
