#include "support.h"

#include "codec/base/json.h"
#include "codec/base/json_write.h"
#include "texts.h"

/* The document again, without its white space, each token as it was spelled. */
static void dump(const struct json *json, json_ref ref, struct buf *out)
{
	const struct json_value *v = &json->values[ref];
	bool object = v->type == JSON_OBJECT;

	if (!object && v->type != JSON_ARRAY) {
		buf_add(out, v->text);
		return;
	}
	buf_add_u8(out, object ? '{' : '[');
	for (json_ref i = v->child; i; i = json->values[i].next) {
		if (i != v->child)
			buf_add_u8(out, ',');
		if (object) {
			buf_add(out, json->values[i].key);
			buf_add_u8(out, ':');
		} else {
			assert_int_equal(json->values[i].key.n, 0);
		}
		dump(json, i, out);
	}
	buf_add_u8(out, object ? '}' : ']');
}

static int parse(struct json *json, const char *text, struct error *err)
{
	return json_parse(json, span_str(text), err);
}

/* Without white space outside of strings, so that what is dumped is what was parsed. */
static const char *const documents[] = {
	"null",
	"true",
	"false",
	"0",
	"-0",
	"-0.0",
	"1.0",
	"1.50",
	"1e-07",
	"1E+400",
	"-12.34e5",
	"9223372036854775808",
	"123456789012345678901234567890123456789012345678901234567890",
	"0.1000000000000000055511151231257827021181583404541015625",
	"NaN",
	"Infinity",
	"-Infinity",
	"\"\"",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD83D\\ude00\"",
	"\"\xc3\xbc\xf0\x9f\x98\x80\"",
	"\"\\ud800\"",
	"[]",
	"{}",
	"[[],{},[[]],\"\",0]",
	"{\"\":{\"a\":[1,2,{\"b\":null}]},\"a\":1,\"a\":2}",
	"[NaN,-Infinity,Infinity,null,true,false]",
};

TEST(spelling_is_kept)
{
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		cleanup_json struct json json = {0};
		cleanup_buf struct buf out = {0};
		struct error err = {0};

		if (parse(&json, documents[i], &err) < 0)
			fail_msg("%s: %s", documents[i], err.text);
		dump(&json, 0, &out);
		assert_says(buf_span(&out), documents[i]);
		assert_says(json.values[0].text, documents[i]);
	}
}

TEST(white_space_is_passed_over)
{
	cleanup_json struct json json = {0};
	cleanup_buf struct buf out = {0};
	struct error err = {0};

	assert_int_equal(parse(&json, " \t\r\n{ \"a b\" :\n[ 1 , 2 ] , \"c\":{ } } \n", &err), 0);
	dump(&json, 0, &out);
	assert_says(buf_span(&out), "{\"a b\":[1,2],\"c\":{}}");
	assert_says(json.values[0].text, "{ \"a b\" :\n[ 1 , 2 ] , \"c\":{ } }");
	assert_says(json.values[1].text, "[ 1 , 2 ]");
	/* A document can be used again for another text. */
	assert_int_equal(parse(&json, "7", &err), 0);
	assert_int_equal(json.n, 1);
	assert_int_equal(json.values[0].type, JSON_NUMBER);
}

static const struct {
	const char *text, *says;
} bad[] = {
	{"", "line 1, column 1: unexpected end"},
	{"  ", "line 1, column 3: unexpected end"},
	{"\n\n x", "line 3, column 2: expected a value"},
	{"[1,]", "line 1, column 4: expected a value"},
	{"[1\n,\n\t,2]", "line 3, column 2: expected a value"},
	{"[,1]", "line 1, column 2: expected a value"},
	{"[1 2]", "line 1, column 4: expected ',' or an end"},
	{"[1", "line 1, column 3: expected ',' or an end"},
	{"[1}", "line 1, column 3: expected ',' or an end"},
	{"[", "line 1, column 2: unexpected end"},
	{"{\"a\":1]", "line 1, column 7: expected ',' or an end"},
	{"{\"a\":1,}", "line 1, column 8: expected a key in quotes"},
	{"{a:1}", "line 1, column 2: expected a key in quotes"},
	{"{\"a\" 1}", "line 1, column 6: expected ':'"},
	{"{\"a\":}", "line 1, column 6: expected a value"},
	{"{\"a\"", "line 1, column 5: expected ':'"},
	{"{", "line 1, column 2: expected a key in quotes"},
	{"{,}", "line 1, column 2: expected a value"},
	{"]", "line 1, column 1: expected a value"},
	{"1 2", "line 1, column 3: something follows the end"},
	{"{} x", "line 1, column 4: something follows the end"},
	{"nul", "line 1, column 1: expected a value"},
	{"nullx", "line 1, column 5: something follows the end"},
	{"None", "line 1, column 1: expected a value"},
	{"nan", "line 1, column 1: expected a value"},
	{"+1", "line 1, column 1: expected a value"},
	{"-", "line 1, column 1: expected a value"},
	{"01", "line 1, column 1: expected a value"},
	{"-01", "line 1, column 1: expected a value"},
	{".5", "line 1, column 1: expected a value"},
	{"1.", "line 1, column 1: expected a value"},
	{"1e", "line 1, column 1: expected a value"},
	{"1e+", "line 1, column 1: expected a value"},
	{"0x10", "line 1, column 2: something follows the end"},
	{"'a'", "line 1, column 1: expected a value"},
	{"\"a", "line 1, column 3: a string without end"},
	{"\"a\nb\"", "line 1, column 3: bad character"},
	{"\"a\tb\"", "line 1, column 3: bad character"},
	{"\"\\x41\"", "line 1, column 2: bad character or escape"},
	{"\"\\u12g4\"", "line 1, column 2: bad character or escape"},
	{"\"\\u123", "line 1, column 2: bad character or escape"},
	{"\"\\", "line 1, column 2: bad character or escape"},
	{"\"\\\"", "line 1, column 4: a string without end"},
	{"// x\n1", "line 1, column 1: expected a value"},
	{"\xef\xbb\xbf"
	 "1",
	 "line 1, column 1: expected a value"},
};

TEST(mistakes_are_located)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_json struct json json = {0};
		struct error err = {0};
		int r = parse(&json, bad[i].text, &err);

		assert_refused(r, -EINVAL, &err, bad[i].says);
	}
}

TEST(a_nul_is_no_white_space)
{
	cleanup_json struct json json = {0};
	struct error err = {0};

	assert_refused(json_parse(&json, span_of("1\0", 2), &err), -EINVAL, &err,
		       "something follows");
	assert_refused(json_parse(&json,
				  span_of("\0"
					  "1",
					  2),
				  &err),
		       -EINVAL, &err, "expected a value");
	assert_refused(json_parse(&json, span_of("\"\0\"", 3), &err), -EINVAL, &err,
		       "bad character");
	assert_refused(json_parse(&json, span_of("\"\\\0\"", 4), &err), -EINVAL, &err,
		       "bad character or escape");
}

TEST(nested_at_most_512_deep)
{
	cleanup_json struct json json = {0};
	cleanup_buf struct buf text = {0};
	struct error err = {0};

	for (int i = 0; i < 512; i++)
		buf_add_u8(&text, '[');
	for (int i = 0; i < 512; i++)
		buf_add_u8(&text, ']');
	assert_int_equal(json_parse(&json, buf_span(&text), &err), 0);
	assert_int_equal(json.n, 512);

	buf_reset(&text);
	for (int i = 0; i < 513; i++)
		buf_add_str(&text, "{\"\":");
	assert_refused(json_parse(&json, buf_span(&text), &err), -EINVAL, &err,
		       "column 2049: nested too deeply");
}

/* Each beginning of a document that needs its end is refused, and read no further than it is. */
TEST(every_beginning)
{
	static const char text[] = "{\"a\\u00fc\": [1.5e+3, NaN, true, null, \"\\n\"], \"b\": {}}";

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		cleanup_json struct json json = {0};
		struct error err = {0};
		char *copy = malloc(n ? n : 1); /* so that the address sanitizer sees its end */

		assert_non_null(copy);
		memcpy(copy, text, n);
		assert_int_equal(json_parse(&json, span_of(copy, n), &err), -EINVAL);
		free(copy);
	}
}

TEST(members)
{
	cleanup_json struct json json = {0};
	struct error err = {0};
	json_ref a;

	assert_int_equal(parse(&json, "{\"a\":1,\"b\":[2],\"a\":\"x\",\"\\u0063\":3}", &err), 0);
	a = json_get(&json, 0, "a");
	assert_says(json.values[a].text, "\"x\"");
	assert_true(json_is(&json, a, "x"));
	assert_false(json_is(&json, a, "xy") || json_is(&json, a, ""));
	assert_false(json_is(&json, json_get(&json, 0, "b"), "2"));
	assert_int_equal(json_get(&json, 0, "none"), 0);
	assert_int_equal(json_get(&json, a, "a"), 0);
	assert_int_equal(json_get(&json, json_get(&json, 0, "b"), "a"), 0);
	assert_int_equal(json_get(&json, 99, "a"), 0);
	assert_false(json_is(&json, 99, ""));
	assert_says(json.values[json_get(&json, 0, "c")].text, "3");
}

static const struct {
	const char *text, *hex;
} strings[] = {
	{"\"\"", ""},
	{"\"abc\"", "616263"},
	{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "22 5c 2f 08 0c 0a 0d 09"},
	{"\"\\u0000a\"", "00 61"},
	{"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "7f c280 dfbf e0a080 efbfbf"},
	{"\"\\uD83D\\uDE00\"", "f09f9880"},
	{"\"\\ud800\\udc00\\udbff\\udfff\"", "f0908080 f48fbfbf"},
	{"\"\\ud800\"", "eda080"},
	{"\"\\udc00x\"", "edb080 78"},
	{"\"\\ud800\\ud800\\udc00\"", "eda080 f0908080"},
	{"\"\\ud800\\n\"", "eda080 0a"},
	{"\"\\ud800\\u0041\"", "eda080 41"},
	{"\"\xc3\xbc\"", "c3bc"},
};

TEST(escapes_are_undone)
{
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		cleanup_json struct json json = {0};
		cleanup_buf struct buf out = {0};
		struct error err = {0};

		assert_int_equal(parse(&json, strings[i].text, &err), 0);
		json_unescape(json.values[0].text, &out);
		assert_hex(buf_span(&out), strings[i].hex);
	}
}

#define FFFD "\\ufffd"

/* As Python's json.dumps spells them. */
static const struct {
	const char *hex, *text;
} dumped[] = {
	{"", "\"\""},
	{"616263 2f 27", "\"abc/'\""},
	{"22 5c 08 0c 0a 0d 09", "\"\\\"\\\\\\b\\f\\n\\r\\t\""},
	{"00 01 1f 20 7e 7f", "\"\\u0000\\u0001\\u001f ~\\u007f\""},
	{"c3bc e282ac efbfbf", "\"\\u00fc\\u20ac\\uffff\""},
	{"f09f9880 f0908080 f48fbfbf", "\"\\ud83d\\ude00\\ud800\\udc00\\udbff\\udfff\""},
	/* no UTF-8: alone, cut, overlong, a surrogate, above U+10FFFF */
	{"80 61", "\"\\ufffda\""},
	{"61 c3", "\"a\\ufffd\""},
	{"e282", "\"\\ufffd\\ufffd\""},
	{"c080", "\"\\ufffd\\ufffd\""},
	{"eda080", "\"\\ufffd\\ufffd\\ufffd\""},
	{"f4908080", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	{"ff", "\"\\ufffd\""},
	/* more continuations than any character has, and a start that wants too many */
	{"8c8c8c8c 8c8c8c8c 8c8c", "\"" FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "\""},
	{"f8808080 80808080 8080", "\"" FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "\""},
};

TEST(strings_are_spelled_as_python_does)
{
	for (size_t i = 0; i < ARRAY_SIZE(dumped); i++) {
		cleanup_buf struct buf bytes = {0}, out = {0};

		add_hex(&bytes, dumped[i].hex);
		json_add_string(&out, buf_span(&bytes));
		assert_says(buf_span(&out), dumped[i].text);
	}
}

static void add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_u8(out, (uint8_t)c);
	} else if (c < 0x800) {
		buf_add_u8(out, (uint8_t)(0xc0 | c >> 6));
		buf_add_u8(out, (uint8_t)(0x80 | (c & 63)));
	} else if (c < 0x10000) {
		buf_add_u8(out, (uint8_t)(0xe0 | c >> 12));
		buf_add_u8(out, (uint8_t)(0x80 | (c >> 6 & 63)));
		buf_add_u8(out, (uint8_t)(0x80 | (c & 63)));
	} else {
		buf_add_u8(out, (uint8_t)(0xf0 | c >> 18));
		buf_add_u8(out, (uint8_t)(0x80 | (c >> 12 & 63)));
		buf_add_u8(out, (uint8_t)(0x80 | (c >> 6 & 63)));
		buf_add_u8(out, (uint8_t)(0x80 | (c & 63)));
	}
}

/* Every character of the basic plane, some of the others: spelled, parsed, undone. */
TEST(strings_round_trip)
{
	for (uint32_t c = 0; c < 0x110000; c += c < 0x10000 ? 1 : 61) {
		cleanup_json struct json json = {0};
		cleanup_buf struct buf utf8 = {0}, text = {0}, out = {0};
		struct error err = {0};

		if (c >= 0xd800 && c < 0xe000)
			continue;
		add_utf8(&utf8, c);
		json_add_string(&text, buf_span(&utf8));
		assert_int_equal(json_parse(&json, buf_span(&text), &err), 0);
		json_unescape(json.values[0].text, &out);
		assert_same(buf_span(&out), buf_span(&utf8));
	}
}

/* Where memory ran out before, nothing is printed. */
static void check_written(enum json_layout layout, bool failed, const char *expected)
{
	cleanup_buf struct buf text = {0}, wanted = {0};
	struct json_write w;

	json_write_begin(&w);
	json_write_text(&w, "text", span_of("a\0\"\xc3\xa9", 5));
	json_write_number(&w, "most", UINT64_MAX);
	json_write_array(&w, "none");
	json_write_close(&w);
	w.failed = failed;
	json_write_array(&w, "pairs");
	for (int i = 0; i < 2; i++) {
		json_write_object(&w, NULL);
		json_write_bool(&w, "b", i);
		json_write_null(&w, "n");
		json_write_close(&w);
	}
	json_write_close(&w);
	assert_int_equal(json_write_end(&w, layout, &text), failed ? -ENOMEM : 0);
	add_json(&wanted, expected);
	if (!failed)
		assert_same(buf_span(&text), buf_span(&wanted));
}

TEST(what_is_written)
{
	check_written(JSON_BY_LINES, false,
		      "{\n  'text': 'a\\u0000\\'\\u00e9',\n  'most': 18446744073709551615,\n"
		      "  'none': [],\n  'pairs': [\n    {'b': false, 'n': null},\n"
		      "    {'b': true, 'n': null}\n  ]\n}\n");
	check_written(JSON_BY_TABS, false,
		      "{\n\t'text':\t'a\\u0000\\'\\u00e9',\n\t'most':\t18446744073709551615,\n"
		      "\t'none':\t[],\n\t'pairs':\t[{\n\t\t\t'b':\tfalse,\n\t\t\t'n':\tnull\n"
		      "\t\t}, {\n\t\t\t'b':\ttrue,\n\t\t\t'n':\tnull\n\t\t}]\n}\n");
	check_written(JSON_BY_LINES, true, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spelling_is_kept),
		cmocka_unit_test(white_space_is_passed_over),
		cmocka_unit_test(mistakes_are_located),
		cmocka_unit_test(a_nul_is_no_white_space),
		cmocka_unit_test(nested_at_most_512_deep),
		cmocka_unit_test(every_beginning),
		cmocka_unit_test(members),
		cmocka_unit_test(escapes_are_undone),
		cmocka_unit_test(strings_are_spelled_as_python_does),
		cmocka_unit_test(strings_round_trip),
		cmocka_unit_test(what_is_written),
	};

	return RUN(tests);
}
