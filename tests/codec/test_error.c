#include "support.h"

TEST(a_sentence_and_its_context)
{
	struct error err = {0};

	assert_int_equal(error_set(&err, -EBADMSG, "block at offset %d", 42), -EBADMSG);
	assert_string_equal(err.text, "block at offset 42");
	assert_int_equal(error_prefix(&err, -EIO, "%s", "model.index"), -EIO);
	assert_string_equal(err.text, "model.index: block at offset 42");
	assert_int_equal(error_set(NULL, -EIO, "nobody listens"), -EIO);
	assert_int_equal(error_prefix(NULL, -EIO, "nobody listens"), -EIO);
}

TEST(a_context_alone)
{
	struct error err = {0};

	assert_int_equal(error_prefix(&err, -ENOMEM, "model.index"), -ENOMEM);
	assert_string_equal(err.text, "model.index");
}

TEST(what_the_system_said)
{
	struct error err = {0};

	errno = ENOENT;
	assert_int_equal(error_errno(&err, "a/%s", "b"), -ENOENT);
	assert_string_equal(err.text, "a/b: No such file or directory");
	assert_int_equal(errno, ENOENT);
	assert_int_equal(error_errno(NULL, "nobody listens"), -ENOENT);
}

TEST(what_is_too_long_is_cut)
{
	char longest[3000];
	struct error err = {0};

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	error_set(&err, -EIO, "%s", longest);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_prefix(&err, -EIO, "a");
	assert_memory_equal(err.text, "a: x", 4);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_prefix(&err, -EIO, "%s", longest);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

TEST(names_are_quoted_for_messages)
{
	char small[16];

	assert_string_equal(quote(span_str("dense/kernel")), "dense/kernel");
	assert_string_equal(quote(span_of("a\0\n\\\x7f", 5)), "a\\x00\\x0a\\\\x7f");
	assert_string_equal(quote(span_str("gr\xc3\xbc\xc3\x9f")), "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(quote(span_str("\xff\xc3|\xc2\x9b|\xc2\xa0|\xf0\x9f\x98\x80")),
			    "\\xff\\xc3|\\xc2\\x9b|\xc2\xa0|\xf0\x9f\x98\x80");
	assert_string_equal(quote((struct span){0}), "");
	quote_into(span_str("0123456789abcdef"), small, sizeof(small));
	assert_string_equal(small, "012345678...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sentence_and_its_context),
		cmocka_unit_test(a_context_alone),
		cmocka_unit_test(what_the_system_said),
		cmocka_unit_test(what_is_too_long_is_cut),
		cmocka_unit_test(names_are_quoted_for_messages),
	};

	return RUN(tests);
}
