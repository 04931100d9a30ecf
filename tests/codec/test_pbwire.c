#include "support.h"

#include "codec/container/pbwire.h"
#include "struct.pb-c.h"
#include "tensor.pb-c.h"

TEST(fields)
{
	cleanup_buf struct buf bytes = {0};
	struct span s;
	struct pb_field f;

	add_hex(&bytes, "08ac02 11 0102030405060708 1a03 616263 25 01020304 8280808001 00");
	s = buf_span(&bytes);
	assert_int_equal(pb_next(&s, &f), 1);
	assert_true(f.number == 1 && f.type == PB_VARINT && f.value == 300);
	assert_hex(f.whole, "08ac02");
	assert_int_equal(pb_next(&s, &f), 1);
	assert_true(f.number == 2 && f.type == PB_FIXED64 && f.value == 0x0807060504030201);
	assert_hex(f.whole, "11 0102030405060708");
	assert_int_equal(pb_next(&s, &f), 1);
	assert_true(f.number == 3 && f.type == PB_BYTES);
	assert_says(f.bytes, "abc");
	assert_hex(f.whole, "1a03616263");
	assert_int_equal(pb_next(&s, &f), 1);
	assert_true(f.number == 4 && f.type == PB_FIXED32 && f.value == 0x04030201);
	assert_int_equal(pb_next(&s, &f), 1);
	assert_true(f.number == 1 << 25 && f.type == PB_BYTES && f.bytes.n == 0);
	assert_int_equal(pb_next(&s, &f), 0);
}

static const char *const no_fields[] = {
	"08",			     /* no value */
	"0880",			     /* a varint that is cut */
	"0880808080808080808002",    /* a varint of 65 bits */
	"1101020304050607",	     /* 7 of 8 bytes */
	"250102030425010203",	     /* 3 of 4 bytes, behind a whole one */
	"0a0361",		     /* a length that is too long */
	"0affffffffffffffffff01 61", /* and that wraps */
	"00",			     /* field 0 */
	"0200",			     /* field 0 of type 2 */
	"0b0c",			     /* a group */
	"0c",			     /* its end */
	"0e",			     /* type 6 */
	"0f",			     /* type 7 */
	"808080801000",		     /* a tag of 33 bits */
	"80",			     /* a tag that is cut */
};

TEST(what_is_no_field)
{
	for (size_t i = 0; i < ARRAY_SIZE(no_fields); i++) {
		cleanup_buf struct buf bytes = {0};
		struct pb_field f = {.number = 42};
		struct span s, before;
		int r;

		add_hex(&bytes, no_fields[i]);
		s = buf_span(&bytes);
		do {
			before = s;
			r = pb_next(&s, &f);
		} while (r > 0);
		assert_int_equal(r, -EBADMSG);
		assert_true(s.p == before.p && s.n == before.n);
	}
}

TEST(last_one_is_found)
{
	cleanup_buf struct buf bytes = {0};
	struct span found = span_str("untouched");

	add_hex(&bytes, "0a0161 120162 0801 0a0163");
	assert_int_equal(pb_find(buf_span(&bytes), 3, &found), 0);
	assert_says(found, "untouched");
	assert_int_equal(pb_find(buf_span(&bytes), 2, &found), 1);
	assert_says(found, "b");
	assert_int_equal(pb_find(buf_span(&bytes), 1, &found), 1);
	assert_says(found, "c");
	assert_int_equal(pb_find((struct span){0}, 1, &found), 0);
	buf_add_u8(&bytes, 0x08);
	assert_int_equal(pb_find(buf_span(&bytes), 1, &found), -EBADMSG);
}

/* ---- unpacking ---- */

static const ProtobufCMessageDescriptor *const tensor = &tensorflow__tensor_proto__descriptor;
static const ProtobufCMessageDescriptor *const value = &tensorflow__structured_value__descriptor;

TEST(unpacked_as_it_was_packed)
{
	cleanup_buf struct buf bytes = {0}, again = {0};
	struct arena arena = {0};
	struct error err = {0};
	Tensorflow__TensorProto *t;

	/* float32, shape [2], 0.5 and 1, a field that nobody knows */
	add_hex(&bytes, "0801 1204 12020802 2a08 0000003f 0000803f a20601 61");
	t = pb_unpack(tensor, buf_span(&bytes), &arena, &err);
	assert_non_null(t);
	assert_int_equal(t->n_float_val, 2);
	assert_true(t->float_val[0] == 0.5f && t->float_val[1] == 1.0f);
	pb_pack(t, &again);
	assert_same(buf_span(&again), buf_span(&bytes));
	arena_release(&arena);
}

TEST(bytes_with_nul_stay_whole)
{
	cleanup_buf struct buf bytes = {0};
	struct arena arena = {0};
	Tensorflow__TensorProto *t;

	add_hex(&bytes, "4203 610062");
	t = pb_unpack(tensor, buf_span(&bytes), &arena, NULL);
	assert_non_null(t);
	assert_hex(pb_span(t->string_val[0]), "610062");
	assert_int_equal(pb_data(span_str("abc")).len, 3);
	arena_release(&arena);
}

TEST(bytes_fields_are_added)
{
	cleanup_buf struct buf out = {0};

	pb_add_bytes(&out, 1, span_str("abc"));
	pb_add_bytes(&out, 16, (struct span){0});
	assert_hex(buf_span(&out), "0a03616263 820100");
}

/* A StructuredValue with that many messages around one another, itself the first. */
static void add_nested(struct buf *out, int depth)
{
	buf_reset(out);
	for (int i = depth; i > 1; i--) {
		cleanup_buf struct buf inner = {0};

		buf_add(&inner, buf_span(out));
		buf_reset(out);
		/* list_value of a value, values of a list */
		pb_add_bytes(out, i % 2 ? 1 : 51, buf_span(&inner));
	}
}

TEST(nested_at_most_100_deep)
{
	cleanup_buf struct buf bytes = {0};
	struct arena arena = {0};
	struct error err = {0};

	add_nested(&bytes, 100);
	assert_non_null(pb_unpack(value, buf_span(&bytes), &arena, &err));
	add_nested(&bytes, 101);
	assert_null(pb_unpack(value, buf_span(&bytes), &arena, &err));
	assert_non_null(strstr(err.text, "not a valid StructuredValue"));
	add_nested(&bytes, 20000);
	assert_null(pb_unpack(value, buf_span(&bytes), &arena, &err));
	arena_release(&arena);
}

/* Depth counts messages that we know, not bytes that might be some. */
TEST(bytes_are_not_looked_into)
{
	cleanup_buf struct buf bytes = {0}, deep = {0};
	struct arena arena = {0};

	add_nested(&deep, 20000);
	pb_add_bytes(&bytes, 13, buf_span(&deep)); /* string_value */
	pb_add_bytes(&bytes, 99, buf_span(&deep)); /* unknown */
	assert_non_null(pb_unpack(value, buf_span(&bytes), &arena, NULL));
	arena_release(&arena);
}

/* What the header allows for a message of n bytes. */
static size_t budget(size_t n)
{
	return ((size_t)64 << 20) + 16 * n;
}

/* Unpacks a message that repeats `part`; true if it was accepted. */
static bool unpack_repeated(const char *part, size_t count)
{
	cleanup_buf struct buf one = {0}, bytes = {0};
	struct arena arena = {0};
	bool accepted;

	add_hex(&one, part);
	for (size_t i = 0; i < count; i++)
		buf_add(&bytes, buf_span(&one));
	accepted = pb_unpack(tensor, buf_span(&bytes), &arena, NULL);
	assert_true(arena.used <= budget(bytes.n));
	arena_release(&arena);
	return accepted;
}

TEST(many_small_fields_are_bounded)
{
	/* Empty strings, empty messages, unknown fields, one number each. */
	static const char *const parts[] = {"4200", "7a00", "a00600", "5001", "2a00", "a20600"};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		assert_true(unpack_repeated(parts[i], 10000));
		(void)unpack_repeated(parts[i], 300000);
		(void)unpack_repeated(parts[i], (1 << 19) + 1);
		assert_false(unpack_repeated(parts[i], 10 << 20));
	}
}

/* A byte each, eight bytes in memory. */
TEST(packed_numbers_are_bounded)
{
	enum { COUNT = 20 << 20 };
	cleanup_buf struct buf bytes = {0};
	struct arena arena = {0};
	Tensorflow__TensorProto *t;
	uint8_t *p;

	add_hex(&bytes, "52"); /* int64_val */
	buf_add_varint(&bytes, COUNT);
	p = buf_extend(&bytes, COUNT);
	assert_non_null(p);
	memset(p, 1, COUNT);
	t = pb_unpack(tensor, buf_span(&bytes), &arena, NULL);
	if (t)
		assert_int_equal(t->n_int64_val, COUNT);
	assert_true(arena.used <= budget(bytes.n));
	arena_release(&arena);
}

TEST(no_message)
{
	struct arena arena = {0};
	struct error err = {0};

	assert_null(pb_unpack(tensor, span_str("\x08"), &arena, &err));
	assert_string_equal(err.text, "not a valid TensorProto (1 bytes)");
	assert_null(pb_unpack(tensor, span_str("\x12\x01\x08"), &arena, &err));
	assert_null(pb_unpack(tensor,
			      span_str("\x09"
				       "12345678"),
			      &arena, NULL));
	assert_non_null(pb_unpack(tensor, (struct span){0}, &arena, &err));
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(what_is_no_field),
		cmocka_unit_test(last_one_is_found),
		cmocka_unit_test(unpacked_as_it_was_packed),
		cmocka_unit_test(bytes_with_nul_stay_whole),
		cmocka_unit_test(bytes_fields_are_added),
		cmocka_unit_test(nested_at_most_100_deep),
		cmocka_unit_test(bytes_are_not_looked_into),
		cmocka_unit_test(many_small_fields_are_bounded),
		cmocka_unit_test(packed_numbers_are_bounded),
		cmocka_unit_test(no_message),
	};

	return RUN(tests);
}
