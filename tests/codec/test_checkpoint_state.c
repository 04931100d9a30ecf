#include "support.h"

#include <stdio.h>

#include "checkpoint_states.h"
#include "codec/checkpoints/checkpoint_state.h"

/* What TensorFlow reads; it takes 1_0 for a number, which nothing writes and we do not. */
TEST(as_tensorflow_reads_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(checkpoint_states); i++) {
		const struct checkpoint_state_case *c = &checkpoint_states[i];
		cleanup_buf struct buf path = {0};
		struct error err = {""};
		int r = checkpoint_state_latest(span_of(c->text, c->size), &path, &err);

		if ((r == 0) != (c->path != NULL))
			print_error("case %zu: %s: %d %s\n", i, quote(span_of(c->text, c->size)), r,
				    err.text);
		assert_int_equal(r, c->path ? 0 : -EBADMSG);
		assert_same(buf_span(&path), span_of(c->path, c->path_size));
		assert_true(r == 0 || err.text[0]);
	}
}

/* The line is that of the fault, and what was there before stays. */
TEST(faults_have_a_line)
{
	cleanup_buf struct buf path = {0};
	struct error err = {""};
	int r;

	buf_add_str(&path, "before");
	r = checkpoint_state_latest(span_str("model_checkpoint_path: \"a\"\n\nx: 1\n"), &path,
				    &err);
	assert_refused(r, -EBADMSG, &err, "line 3: no field");
	assert_says(buf_span(&path), "before");
}

/* As long as it may be, in one piece: no step takes time or depth that grows faster. */
TEST(long_texts)
{
	cleanup_buf struct buf text = {0}, path = {0};

	buf_add_str(&text, "model_checkpoint_path: \"a\" all_model_checkpoint_paths: [\"b\"");
	while (text.n < CHECKPOINT_STATE_MAX / 4)
		buf_add_str(&text, ", \"b\" 'c' # d\n");
	buf_add_str(&text, "]");
	assert_int_equal(checkpoint_state_latest(buf_span(&text), &path, NULL), 0);
	assert_says(buf_span(&path), "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_tensorflow_reads_it),
		cmocka_unit_test(faults_have_a_line),
		cmocka_unit_test(long_texts),
	};

	return RUN(tests);
}
