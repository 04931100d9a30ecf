#include "support.h"

#include "codec/base/base64.h"

/* Test vectors of RFC 4648, section 10, and the two digits that they lack. */
static const struct {
	const char *hex, *text;
} vectors[] = {
	{"", ""},
	{"66", "Zg=="},
	{"666f", "Zm8="},
	{"666f6f", "Zm9v"},
	{"666f6f62", "Zm9vYg=="},
	{"666f6f6261", "Zm9vYmE="},
	{"666f6f626172", "Zm9vYmFy"},
	{"fbefbe", "++++"},
	{"ffffff", "////"},
	{"00", "AA=="},
	{"000000", "AAAA"},
};

TEST(vectors_of_the_rfc)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		cleanup_buf struct buf bytes = {0}, text = {0}, again = {0};

		add_hex(&bytes, vectors[i].hex);
		base64_encode(buf_span(&bytes), &text);
		assert_says(buf_span(&text), vectors[i].text);
		assert_int_equal(base64_decode(buf_span(&text), &again), 0);
		assert_same(buf_span(&again), buf_span(&bytes));
	}
}

TEST(round_trips)
{
	uint64_t seed = 1;

	for (size_t n = 0; n < 300; n++) {
		cleanup_buf struct buf bytes = {0}, text = {0}, again = {0};

		for (size_t i = 0; i < n; i++)
			buf_add_u8(&bytes, (uint8_t)random_next(&seed));
		base64_encode(buf_span(&bytes), &text);
		assert_int_equal(text.n, (n + 2) / 3 * 4);
		assert_int_equal(base64_decode(buf_span(&text), &again), 0);
		assert_same(buf_span(&again), buf_span(&bytes));
	}
}

static const char *const wrong[] = {
	"Z",	"Zg",	 "Zg=",	     "Zg==Zg==", "====",  "=AAA",
	"A===", "AA=A",	 "Zm9v====", "Zm9vZ===", "Zm-v",  "Zm_v",
	"Zm9 ", "Zm9\n", "Zm9v\n",   " Zm9v",	 "Zm9v ", "\xff\xff\xff\xff",
	"Zh==", "Zm9=", /* bits are left over */
};

TEST(what_is_no_base64)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cleanup_buf struct buf out = {0};

		if (base64_decode(span_str(wrong[i]), &out) != -EINVAL)
			fail_msg("accepted: %s", wrong[i]);
	}
}

TEST(a_nul_is_no_digit)
{
	cleanup_buf struct buf out = {0};

	assert_int_equal(base64_decode(span_of("AA\0A", 4), &out), -EINVAL);
	assert_int_equal(base64_decode(span_of("\0\0\0\0", 4), &out), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_the_rfc),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(what_is_no_base64),
		cmocka_unit_test(a_nul_is_no_digit),
	};

	return RUN(tests);
}
