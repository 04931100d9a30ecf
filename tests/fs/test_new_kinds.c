/*
 * Views that nobody has made yet, each a struct kind as kind.h says, in a list of this test's own:
 * a picture of a tensor, an export of a whole model, a document that can be edited. They are found,
 * listed, sized, read, written and told of changes by what there is.
 */
#include "views.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec/work/ledger.h"
#include "fs/kinds/kinds.h"
#include "fs/view/look.h"
#include "fs/view/pieces.h"

static struct tensor *tensor_of(const struct showing *s)
{
	return model_tensor(s->branch->model, s->object);
}

/* ---- pictures/X.pgm: a header, and a pixel for each of so many elements ---- */

enum { PIXELS = 1 << 16 };

static const char pgm_header[] = "P5 256 256 255\n";

static int picture_path(const struct showing *s, struct buf *out)
{
	buf_add_str(out, "pictures/");
	buf_add(out, tensor_of(s)->variable);
	buf_add_str(out, ".pgm");
	return tensor_of(s)->variable.n > 0;
}

static int draw(void *context, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	struct content *const *c = context;
	uint8_t first;
	int r;

	content_lock(*c);
	r = content_accepted(*c, 0, 1, &first, err);
	content_unlock(*c);
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(first + offset + i);
	return r;
}

static int picture_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	cleanup_free struct content **c = malloc(sizeof(struct content *));
	int r = c ? pieces_open_content(out, s->branch->model, tensor_of(s), c, err) : -ENOMEM;

	buf_add_str(&out->bytes, pgm_header);
	return r < 0 ? r : pieces_add_generated(out, PIXELS, draw, steal_pointer(c));
}

static const struct kind kind_picture = {
	.of = THING_TENSOR,
	.folder = "pictures",
	.link = ".pgm",
	.path = picture_path,
	.compose = picture_compose,
};

/* ---- model.bin: all tensors behind one another ---- */

static int export_path(const struct showing *s, struct buf *out)
{
	(void)s;
	buf_add_str(out, "model.bin");
	return 1;
}

/* A commit that waits for its turn while a file is composed; NULL: there is none. */
static pthread_t *commit;

static void *change_layout(void *model)
{
	struct model *m = model;

	pthread_rwlock_wrlock(&m->layout);
	pthread_rwlock_unlock(&m->layout);
	return NULL;
}

static void begin_commit(struct model *m)
{
	assert_int_equal(pthread_create(commit, NULL, change_layout, m), 0);
	commit = NULL;
	while (pthread_rwlock_tryrdlock(&m->layout) == 0) {
		pthread_rwlock_unlock(&m->layout);
		usleep(1000);
	}
}

static int export_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	struct model *m = s->branch->model;
	struct tensor *t;
	int r = 0;

	if (commit)
		begin_commit(m);
	for (size_t i = 0; r == 0 && (t = model_next(m, &i));) {
		buf_printf(&out->bytes, "[%llu]", (unsigned long long)tensor_size(t));
		r = pieces_add_content(out, m, t, err);
	}
	return r;
}

static const struct kind kind_export = {
	.of = THING_MODEL,
	.path = export_path,
	.compose = export_compose,
};

/* ---- config.txt: a document of a few bytes, kept in memory here ---- */

static struct buf config;

static int config_path(const struct showing *s, struct buf *out)
{
	buf_add_str(out, "config.txt");
	return s->branch->model->documents[s->object].type == DOCUMENT_CONFIG;
}

static int config_compose(const struct showing *s, struct pieces *out, struct error *err)
{
	(void)s;
	(void)err;
	buf_add(&out->bytes, buf_span(&config));
	return buf_error(&out->bytes);
}

static int config_accept(const struct showing *s, const struct draft *d, struct error *err)
{
	cleanup_buf struct buf text = {0};
	int r = draft_read(d, &text, err);

	(void)s;
	if (r == 0 && memchr(text.p, '!', text.n))
		r = error_set(err, -EINVAL, "no exclamation, please");
	if (r < 0)
		return r;
	buf_reset(&config);
	buf_add(&config, buf_span(&text));
	return CONTENT_ACCEPTED;
}

static const struct kind kind_editable = {
	.of = THING_DOCUMENT,
	.path = config_path,
	.compose = config_compose,
	.accept = config_accept,
};

const struct kind *const kinds[] = {&kind_raw, &kind_picture, &kind_export, &kind_editable};
const size_t kind_count = ARRAY_SIZE(kinds);

/* ---- what becomes of them ---- */

TEST(a_picture)
{
	struct view *v = open_at("mlp", false);
	node_id id = walk(v, "pictures/dense_1/kernel.pgm"), raw = walk(v, "names/dense_1/kernel");
	cleanup_buf struct buf before = {0}, after = {0};
	uint8_t kind = 0;
	struct node n;
	struct twin twin;
	struct handle *h;

	assert_int_equal(walk(v, "names/dense_1/kernel.pgm"), id);
	assert_int_equal(stat_of(v, id).st_mode & 0222, 0);
	read_all(v, id, &before);
	assert_int_equal(before.n, sizeof(pgm_header) - 1 + PIXELS);
	assert_int_equal(stat_of(v, id).st_size, before.n);
	assert_int_equal(handle_open(v, id, O_WRONLY, 0, &h, NULL), -EPERM);

	h = open_file(v, raw, O_RDWR);
	write_file(h, 0, span_of(&(uint8_t){(uint8_t)(before.p[before.n - PIXELS] + 1)}, 1));
	read_all(v, id, &after);
	for (size_t i = before.n - PIXELS; i < before.n; i++)
		assert_int_equal(after.p[i], (uint8_t)(before.p[i] + 1));
	assert_true(tree_get(v->tree, raw, &n));
	assert_true(view_next_twin(v, &n, &kind, &twin));
	assert_int_equal(twin.node, id);
	assert_false(twin.shifted);
	assert_false(view_next_twin(v, &n, &kind, &twin));
	close_file(h);
	discard(v);
	view_free(v);
}

TEST(an_export)
{
	struct view *v = open_at("mlp", false);
	cleanup_buf struct buf found = {0}, expected = {0};
	const struct branch *b = v->branches[0];
	const struct tensor *t;

	for (size_t i = 0; (t = model_next(b->model, &i));) {
		cleanup_buf struct buf raw = {0};

		read_all(v, branch_main_node(b, THING_TENSOR, t->id), &raw);
		buf_printf(&expected, "[%zu]", raw.n);
		buf_add(&expected, buf_span(&raw));
	}
	read_all(v, walk(v, "model.bin"), &found);
	assert_same(buf_span(&found), buf_span(&expected));
	assert_int_equal(stat_of(v, walk(v, "model.bin")).st_size, expected.n);
	view_free(v);
}

/* What waits to change the layout keeps new readers out, but not who is among them already. */
TEST(a_file_that_is_opened_while_a_commit_waits)
{
	struct view *v = open_at("mlp", false);
	cleanup_buf struct buf found = {0};
	pthread_t thread;

	commit = &thread;
	read_all(v, walk(v, "model.bin"), &found);
	assert_null(commit);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(found.n > 0);
	view_free(v);
}

/* A draft begins with what was there, and belongs to the document. */
TEST(a_document_that_is_edited)
{
	struct view *v = open_at("mlp", false);
	node_id id = walk(v, "config.txt");
	cleanup_buf struct buf found = {0};
	struct handle *h;

	buf_reset(&config);
	buf_add_str(&config, "hello world");
	assert_int_equal(stat_of(v, id).st_mode & 0777, 0644);
	h = open_file(v, id, O_RDWR);
	write_file(h, 0, span_str("J"));
	write_file(h, 11, span_str("!"));
	assert_int_equal(stat_of(v, id).st_size, 12);
	assert_int_equal(flush_file(h), -EINVAL);
	write_file(h, 11, span_str("."));
	assert_int_equal(flush_file(h), true);
	assert_false(close_file(h));
	assert_says(buf_span(&config), "Jello world.");
	read_all(v, id, &found);
	assert_says(buf_span(&found), "Jello world.");
	h = open_file(v, id, O_RDWR | O_TRUNC);
	write_file(h, 0, span_str("!"));
	assert_true(close_file(h));
	assert_says(buf_span(&config), "Jello world.");
	assert_int_equal(stat_of(v, id).st_size, 12);
	discard(v);
	view_free(v);
}

/* A daemon that dies in the middle of it. */
static void die_writing(void)
{
	struct view *v = open_at("mlp", false);
	struct handle *h = open_file(v, walk(v, "config.txt"), O_WRONLY | O_TRUNC);

	write_file(h, 0, span_str("half of"));
	_exit(0);
}

TEST(a_draft_of_a_document_is_missed)
{
	pid_t child = fork();
	struct view *v;
	int status;

	if (child == 0)
		die_writing();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	v = open_at("mlp", false);
	assert_true(v->lost_drafts);
	assert_string_equal((const char *)v->dropped.p, "config.txt");
	assert_true(ledger_empty(v->branches[0]->model));
	discard(v);
	view_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_picture),
		cmocka_unit_test(an_export),
		cmocka_unit_test(a_file_that_is_opened_while_a_commit_waits),
		cmocka_unit_test(a_document_that_is_edited),
		cmocka_unit_test(a_draft_of_a_document_is_missed),
	};
	int failed = cmocka_run_group_tests(tests, models_setup, models_teardown);

	buf_release(&config);
	return failed;
}
