/* Records of a commit, which may come with a model from anywhere. */
#include "support.h"

#include "codec/model/format.h"
#include "codec/save/intent.h"
#include "codec/container/pbwire.h"

static struct model *saved_model(void)
{
	struct model *m = model_new();

	assert_non_null(m);
	m->format = &format_saved_model;
	m->base = calloc(2, sizeof(*m->base));
	assert_non_null(m->base);
	m->base[0].name = strdup("saved_model.pb");
	m->base[1].name = strdup("variables/variables.index");
	m->n_base = 2;
	return m;
}

/* What becomes of an intent of one step. */
static int read_step(const Weightfs__Intent__Step *from, struct stage *s, struct error *err)
{
	Weightfs__Intent__Step step = *from, *steps[] = {&step};
	Weightfs__Intent intent = WEIGHTFS__INTENT__INIT;

	intent.n_steps = 1;
	intent.steps = steps;
	return intent_read(&intent, s, err);
}

static int read_name(struct model *m, struct span name, Weightfs__Intent__Step__Kind kind,
		     const char *staged, struct error *err)
{
	Weightfs__Intent__Step step = WEIGHTFS__INTENT__STEP__INIT;
	Weightfs__Content content = WEIGHTFS__CONTENT__INIT;
	struct stage s;
	int r;

	step.kind = kind;
	step.name = pb_data(name);
	step.staged = pb_data(span_str(staged));
	step.before = step.after = &content;
	stage_init(&s, m, -1);
	r = read_step(&step, &s, err);
	if (r == 0) {
		assert_int_equal(s.n_steps, 1);
		assert_int_equal(s.steps[0].kind, kind);
		assert_says(name, s.steps[0].name);
	}
	stage_release(&s);
	return r;
}

static const char *const names[] = {
	"saved_model.pb",
	"variables/variables.index",
	"variables/variables.data-00000-of-00001",
	"variables/variables.data-00007-of-00012",
	"fingerprint.pb",
};

static const char *const strangers[] = {
	"",
	".",
	"..",
	"/etc/passwd",
	"../saved_model.pb",
	"variables/../saved_model.pb",
	"variables//variables.index",
	"link/file",
	"train.py",
	"variables.index",
	"variables/variables",
	"variables/variables.indexx",
	"variables/other.data-00000-of-00001",
	"link/variables.data-00000-of-00001",
	"../variables/variables.data-00000-of-00001",
	"variables/variables.data-0-of-1",
	"variables/variables.data-00000-of-00001/x",
};

TEST(names_of_the_model)
{
	struct model *m = saved_model();
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (int kind = 0; kind < 3; kind++) {
			Weightfs__Intent__Step__Kind k = (Weightfs__Intent__Step__Kind)kind;

			assert_int_equal(read_name(m, span_str(names[i]), k, "stage.0", &err), 0);
		}
	}
	model_free(m);
}

TEST(names_that_lead_elsewhere)
{
	struct model *m = saved_model();

	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		struct error err = {0};

		for (int kind = 0; kind < 3; kind++) {
			Weightfs__Intent__Step__Kind k = (Weightfs__Intent__Step__Kind)kind;
			int r = read_name(m, span_str(strangers[i]), k, "stage.0", &err);

			assert_refused(r, -EBADMSG, &err, "step 0 of a commit");
		}
	}
	model_free(m);
}

/* An empty field points nowhere when it is unpacked. */
TEST(no_name)
{
	struct model *m = saved_model();
	struct error err = {0};

	assert_int_equal(read_name(m, (struct span){0}, WEIGHTFS__INTENT__STEP__KIND__REMOVE, "",
				   &err),
			 -EBADMSG);
	model_free(m);
}

/* What stands behind a NUL would be lost on the way to the system. */
TEST(names_with_nul)
{
	struct model *m = saved_model();
	struct error err = {0};

	assert_int_equal(read_name(m, span_of("saved_model.pb\0x", 16),
				   WEIGHTFS__INTENT__STEP__KIND__REMOVE, "", &err),
			 -EBADMSG);
	assert_int_equal(read_name(m, span_of("saved_model.pb", 15),
				   WEIGHTFS__INTENT__STEP__KIND__REMOVE, "", &err),
			 -EBADMSG);
	model_free(m);
}

TEST(staged_files)
{
	static const char *const wrong[] = {
		"",	      "stage.",	   "stage",   "stage.x", "stage.1x",
		"../stage.0", "stage.0/x", "journal", "data.0",	 "stage.000000000000000",
	};
	struct model *m = saved_model();
	struct span name = span_str(names[0]);
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		for (int kind = 0; kind < 3; kind++) {
			Weightfs__Intent__Step__Kind k = (Weightfs__Intent__Step__Kind)kind;

			assert_int_equal(read_name(m, name, k, wrong[i], &err), -EBADMSG);
		}
	}
	assert_int_equal(
		read_name(m, name, WEIGHTFS__INTENT__STEP__KIND__PUT, "stage.4294967295", &err), 0);
	model_free(m);
}

/* Nothing to compare with, nothing to replace. */
TEST(replaced_by_content)
{
	Weightfs__Intent__Step step = WEIGHTFS__INTENT__STEP__INIT;
	Weightfs__Content before = WEIGHTFS__CONTENT__INIT, after = WEIGHTFS__CONTENT__INIT;
	struct model *m = saved_model();
	struct stage s;
	struct error err = {0};

	before.size = 7;
	after.crc32c = 42;
	step.kind = WEIGHTFS__INTENT__STEP__KIND__REPLACE;
	step.name = pb_data(span_str(names[0]));
	step.staged = pb_data(span_str("stage.3"));
	stage_init(&s, m, -1);
	assert_int_equal(read_step(&step, &s, &err), -EBADMSG);
	step.before = &before;
	assert_int_equal(read_step(&step, &s, &err), -EBADMSG);
	stage_release(&s);
	step.after = &after;
	stage_init(&s, m, -1);
	assert_int_equal(read_step(&step, &s, &err), 0);
	assert_true(s.steps[0].before.size == 7 && s.steps[0].after.crc == 42);
	assert_string_equal(s.steps[0].staged, "stage.3");
	stage_release(&s);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_the_model),
		cmocka_unit_test(names_that_lead_elsewhere),
		cmocka_unit_test(no_name),
		cmocka_unit_test(names_with_nul),
		cmocka_unit_test(staged_files),
		cmocka_unit_test(replaced_by_content),
	};

	return RUN(tests);
}
