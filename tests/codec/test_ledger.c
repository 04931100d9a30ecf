/* The ledger: what is pending, what the journal is told of it, and what the next mount finds. */
#include "bundles.h"

#include "codec/container/pbwire.h"
#include "codec/model/document.h"
#include "codec/open.h"
#include "codec/save/recover.h"
#include "codec/save/settle.h"
#include "codec/work/journal.h"
#include "codec/work/ledger.h"
#include "codec/work/scratch.h"

static const struct made_tensor tensors[] = {
	{"a", DTYPE_UINT8, 1, {10000}, {{0}}, false},
	{"b", DTYPE_FLOAT32, 1, {4}, {{0}}, false},
	{"c", DTYPE_FLOAT32, 1, {4}, {{0}}, false},
	{"words", DTYPE_STRING, 0, {0}, {{0}}, false},
};

enum { A, B, C, WORDS, TENSORS };

static struct folder folder;
static struct model *model;

static void open_model(void)
{
	struct document d = {.type = DOCUMENT_CONFIG};

	model = model_close(model);
	model = open_to_edit(folder.path, "m", EDITS_LOCK);
	assert_int_equal(model_add_document(model, &d), 0);
}

static int setup(void **state)
{
	static uint8_t bytes[10000] = "some words";
	uint8_t *const contents[TENSORS] = {bytes, bytes, bytes, bytes};

	(void)state;
	folder_make(&folder);
	bundle_make(&folder, "m", tensors, contents, TENSORS);
	open_model();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)edits_remove(model, NULL);
	model = model_close(model);
	folder_unmake(&folder);
	return 0;
}

static struct object object_of(size_t tensor)
{
	return object_tensor(model_find(model, span_str(tensors[tensor].key))->id);
}

/* An empty region becomes the bytes of a tensor. */
static void edit(size_t tensor)
{
	const struct change c = {.object = object_of(tensor), .how = CHANGE_BYTES};
	struct error err = {""};

	if (ledger_apply(model, &c, &err) < 0)
		fail_msg("%s", err.text);
}

static struct scratch *draft(size_t tensor, uint64_t size)
{
	struct scratch *s;
	struct error err = {""};

	if (scratch_new_region(model, object_of(tensor), size, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

/* The keys of what is pending, in the order in which the ledger has it. */
static void assert_pending(const char *expected)
{
	cleanup_buf struct buf keys = {0};
	struct object at = {0};
	struct change c;
	size_t n = 0;

	for (; ledger_next(model, &at, &c); n++) {
		buf_add(&keys, model_tensor(model, c.object.id)->key);
		assert_int_equal(c.how, CHANGE_BYTES);
		assert_ptr_equal(c.region, ledger_region(model, c.object.id));
	}
	assert_says(buf_span(&keys), expected);
	assert_int_equal(ledger_count(model), n);
}

static bool work_folder_exists(void)
{
	return faccessat(folder.fd, "m.weightfs", F_OK, 0) == 0;
}

/* ---- the journal ---- */

static void add_record(const Weightfs__Record *r, struct buf *out)
{
	switch (r->kind_case) {
	case WEIGHTFS__RECORD__KIND_BEGIN: break;
	case WEIGHTFS__RECORD__KIND_OBJECT:
		buf_printf(out, "%s %u is ", r->object->type ? "document" : "tensor",
			   r->object->id);
		buf_add(out, pb_span(r->object->key));
		buf_add_str(out, "; ");
		break;
	case WEIGHTFS__RECORD__KIND_REGION:
		buf_printf(out, "%s %u of %u; ", r->region->draft ? "draft" : "region",
			   r->region->id, r->region->object);
		break;
	case WEIGHTFS__RECORD__KIND_DRAFT:
		buf_printf(out, "file %u of %u; ", r->draft->id, r->draft->object);
		break;
	case WEIGHTFS__RECORD__KIND_ACCEPT:
		buf_printf(out, "accept %u%s; ", r->accept->id, r->accept->holes ? " holes" : "");
		break;
	case WEIGHTFS__RECORD__KIND_DROP: buf_printf(out, "drop %u; ", r->drop->id); break;
	default: buf_printf(out, "kind %d; ", r->kind_case);
	}
}

/* All records but the first, in words. */
static void assert_journal(const char *expected)
{
	cleanup_buf struct buf content = {0}, words = {0};
	struct span frames;
	int r;

	folder_read(&folder, "m.weightfs/journal", &content);
	frames = span_skip(buf_span(&content), 8);
	do {
		struct arena arena = {0};
		Weightfs__Record *record;

		r = journal_next(&frames, &arena, &record, NULL);
		if (r > 0)
			add_record(record, &words);
		arena_release(&arena);
	} while (r > 0);
	assert_says(buf_span(&words), expected);
}

/* ---- what comes and goes ---- */

TEST(an_empty_ledger_has_no_work_folder)
{
	assert_pending("");
	assert_true(ledger_empty(model));
	assert_false(work_folder_exists());
	edit(B);
	assert_pending("b");
	assert_false(ledger_empty(model));
	assert_true(work_folder_exists());
	settle_tidy(model);
	assert_true(work_folder_exists());
	assert_true(ledger_forget(model, object_of(B)));
	assert_false(ledger_forget(model, object_of(B)));
	assert_true(ledger_empty(model));
	settle_tidy(model);
	assert_false(work_folder_exists());
}

TEST(changes_are_in_the_order_of_objects)
{
	edit(C);
	edit(A);
	assert_pending("ac");
	edit(B);
	assert_pending("abc");
	assert_true(ledger_forget(model, object_of(A)));
	assert_pending("bc");
	assert_true(ledger_find(model, object_of(B), NULL));
	assert_false(ledger_find(model, object_of(A), NULL));
	assert_null(ledger_region(model, object_of(A).id));
	ledger_clear(model);
	assert_pending("");
}

/* Each object is named once; what replaces an edit says so before the old one goes. */
TEST(what_the_journal_is_told)
{
	struct scratch *first, *second;

	edit(C);
	first = draft(A, 10000);
	second = draft(C, 16);
	region_set_all(second->region);
	assert_int_equal(scratch_accept(model, second, NULL), 0);
	scratch_free(model, first);
	assert_journal("tensor 1 is c; region 1 of 1; tensor 2 is a; draft 2 of 2; draft 3 of 1; "
		       "accept 3; drop 1; drop 2; ");
	assert_pending("c");
}

TEST(a_new_journal_names_objects_anew)
{
	edit(B);
	edit(A);
	assert_int_equal(edits_remove(model, NULL), 0);
	ledger_clear(model);
	edit(A);
	assert_journal("tensor 1 is a; region 1 of 1; ");
}

TEST(a_draft_is_no_edit_and_keeps_the_work_folder)
{
	struct scratch *s = draft(A, 10000);

	assert_pending("");
	assert_false(ledger_empty(model));
	settle_tidy(model);
	assert_true(work_folder_exists());
	region_set(s->region, 1, 1);
	assert_int_equal(scratch_accept(model, s, NULL), 0);
	assert_pending("a");
	assert_true(region_has(ledger_region(model, object_of(A).id), 1));
	assert_false(region_has(ledger_region(model, object_of(A).id), 0));
	assert_journal("tensor 1 is a; draft 1 of 1; accept 1 holes; ");
}

TEST(what_the_format_cannot_hold_is_not_journalled)
{
	const struct change document = {.object = {OBJECT_DOCUMENT, 0}, .how = CHANGE_BYTES};
	struct change c = {.object = object_of(A), .how = CHANGE_BYTES};
	struct error err = {""};

	model_tensor(model, c.object.id)->damage = "bad";
	assert_refused(ledger_apply(model, &c, &err), -EIO, &err, "bad");
	model_tensor(model, c.object.id)->damage = NULL;
	model_tensor(model, c.object.id)->dtype = DTYPE_VARIANT;
	assert_refused(ledger_apply(model, &c, &err), -EPERM, &err, "variant");
	assert_refused(ledger_apply(model, &document, &err), -EPERM, &err, "cannot be edited");
	assert_true(ledger_empty(model));
	assert_false(work_folder_exists());
}

/* ---- the next mount ---- */

static void recover_model(struct recovery *ret)
{
	struct error err = {""};

	open_model();
	if (recover_edits(model, ret, &err) < 0)
		fail_msg("%s", err.text);
}

TEST(the_next_mount_goes_on_with_the_journal)
{
	struct recovery found;

	edit(C);
	edit(A);
	recover_model(&found);
	assert_int_equal(found.tensors, 2);
	assert_pending("ac");
	edit(A);
	edit(B);
	assert_journal("tensor 1 is c; region 1 of 1; tensor 2 is a; region 2 of 2; "
		       "region 3 of 2; drop 2; tensor 3 is b; region 4 of 3; ");
	recover_model(&found);
	assert_pending("abc");
}

/* Drafts of tensors and of documents, in regions and in files. */
TEST(drafts_that_die_are_missed)
{
	struct object lost, document = {OBJECT_DOCUMENT, 0};
	struct recovery found;
	struct scratch *s;
	size_t i = 0;

	draft(B, 16);
	assert_int_equal(scratch_new_file(model, document, &s, NULL), 0);
	assert_int_equal(scratch_new_file(model, object_of(WORDS), &s, NULL), 0);
	scratch_free(model, s);
	assert_journal("tensor 1 is b; draft 1 of 1; document 2 is 1/0/; file 2 of 2; "
		       "tensor 3 is words; file 3 of 3; drop 3; ");
	recover_model(&found);
	assert_int_equal(found.dropped, 2);
	assert_true(ledger_next_lost(model, &i, &lost));
	assert_true(lost.type == OBJECT_TENSOR && lost.id == object_of(B).id);
	assert_true(ledger_next_lost(model, &i, &lost));
	assert_true(lost.type == OBJECT_DOCUMENT && lost.id == 0);
	assert_false(ledger_next_lost(model, &i, &lost));
	assert_true(ledger_empty(model));
	assert_false(work_folder_exists());
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_empty_ledger_has_no_work_folder),
		CASE(changes_are_in_the_order_of_objects),
		CASE(what_the_journal_is_told),
		CASE(a_new_journal_names_objects_anew),
		CASE(a_draft_is_no_edit_and_keeps_the_work_folder),
		CASE(what_the_format_cannot_hold_is_not_journalled),
		CASE(the_next_mount_goes_on_with_the_journal),
		CASE(drafts_that_die_are_missed),
	};

	return RUN(tests);
}
