/*
 * Journals: records in, state out. A script is a list of records in words; what it leaves of a
 * small model is worked out here by rules of its own, and compared with what the next mount finds.
 * Each script is cut at every byte, and is replayed as one of this boot and of another.
 */
#include "scripts.h"

#include "codec/content/content.h"
#include "codec/work/ledger.h"

enum { SLOTS = 8, BLOCK = 4096 };

/* ---- today's API ---- */

static struct tensor *find(size_t tensor)
{
	return model_find(model, span_str(tensors[tensor].key));
}

static bool is_edited(size_t tensor)
{
	return ledger_find(model, object_tensor(find(tensor)->id), NULL);
}

/* Notes that an earlier mount died with a draft of it. */
static bool draft_was_lost(size_t tensor)
{
	struct object o;

	for (size_t i = 0; ledger_next_lost(model, &i, &o);)
		if (o.type == OBJECT_TENSOR && o.id == find(tensor)->id)
			return true;
	return false;
}

static void copy_seen(size_t tensor, size_t n, uint8_t *to)
{
	struct content *c;
	struct error err = {""};

	if (content_open(model, find(tensor), false, &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(content_copy(c, 0, n, to, &err), 0);
	content_close(c, false, NULL);
}

/* The bytes that replace those of a string. */
static void copy_replacement(size_t tensor, struct buf *out)
{
	assert_true(content_replacement(model, find(tensor), out, NULL) >= 0);
}

/* ---- the rules ---- */

/* What the first k records of a script leave. */
struct state {
	struct {
		const struct record *is; /* NULL: dropped, or never there */
		bool draft;
		uint64_t blocks; /* a bit each */
	} slots[SLOTS];
	bool decided; /* a commit that is to be carried through */
	bool staged;  /* the name that one made is to be swept */
};

static void apply(struct state *s, const struct record *r)
{
	uint64_t first = strtoull(r->what, NULL, 10);

	assert_true(r->id < SLOTS);
	if (record_has_region(r) || record_is(r, "text")) {
		s->slots[r->id].is = r;
		s->slots[r->id].draft = !record_is(r, "overlay");
		s->slots[r->id].blocks = 0;
	} else if (record_is(r, "blocks")) {
		s->slots[r->id].blocks |= (((uint64_t)1 << r->count) - 1) << first;
	} else if (record_is(r, "accept")) {
		s->slots[r->id].blocks = UINT64_MAX;
		s->slots[r->id].draft = false;
	} else if (record_is(r, "holes")) {
		s->slots[r->id].draft = false;
	} else if (record_is(r, "drop")) {
		s->slots[r->id].is = NULL;
	}
}

/* A commit counts though nothing was synced behind it, for its records are synced. */
static void apply_commit(struct state *s, const struct record *r)
{
	if (record_is(r, "stage") || record_is(r, "abort") || record_is(r, "swept") ||
	    record_is(r, "intent"))
		s->decided = record_is(r, "intent");
	s->staged = (s->staged || record_is(r, "stage")) && !record_is(r, "swept");
}

/* How many of the first k records count: of another boot those up to the last `synced`. */
static size_t count_believed(const struct script *s, size_t k)
{
	bool this_boot = s->this_boot;

	for (size_t i = 0; i < k; i++)
		this_boot |= record_is(&s->records[i], "boot");
	while (!this_boot && k && !record_is(&s->records[k - 1], "synced"))
		k--;
	return k;
}

static struct state state_after(const struct script *s, size_t k)
{
	struct state state = {0};

	for (size_t i = 0; i < count_believed(s, k); i++)
		apply(&state, &s->records[i]);
	for (size_t i = 0; i < k; i++)
		apply_commit(&state, &s->records[i]);
	return state;
}

static bool is_edit(const struct record *r)
{
	return r->id != 0;
}

static bool edits_are_lost(const struct script *s, size_t k)
{
	for (size_t i = count_believed(s, k); i < k; i++)
		if (is_edit(&s->records[i]))
			return true;
	return false;
}

/* The slot that shows in a tensor; 0: none. */
static size_t overlay_of(const struct state *s, size_t tensor)
{
	size_t found = 0;

	for (size_t i = 1; i < SLOTS; i++)
		if (s->slots[i].is && !s->slots[i].draft && s->slots[i].is->tensor == tensor)
			found = i;
	return found;
}

static unsigned count_drafts(const struct state *s, size_t tensor)
{
	unsigned n = 0;

	for (size_t i = 1; i < SLOTS; i++)
		n += s->slots[i].is && s->slots[i].draft &&
		     (tensor == TENSORS || s->slots[i].is->tensor == tensor);
	return n;
}

static unsigned count_edited(const struct state *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < TENSORS; i++)
		n += overlay_of(s, i) != 0;
	return n;
}

/* ---- looking ---- */

static void check_bytes(const struct state *s, size_t tensor)
{
	size_t n = made_size(&tensors[tensor]), slot = overlay_of(s, tensor);
	uint8_t seen[LARGEST], expected[LARGEST];

	memcpy(expected, base[tensor], n);
	for (size_t at = 0; slot && at < n; at += BLOCK)
		if (s->slots[slot].blocks >> at / BLOCK & 1)
			memcpy(expected + at, data + s->slots[slot].is->offset + at,
			       n - at < BLOCK ? n - at : BLOCK);
	copy_seen(tensor, n, seen);
	assert_same(span_of(seen, n), span_of(expected, n));
}

static void check_words(const struct state *s)
{
	const struct record *r = s->slots[overlay_of(s, WORDS)].is;
	cleanup_buf struct buf found = {0};

	copy_replacement(WORDS, &found);
	assert_same(buf_span(&found), r ? span_of(data + r->offset, r->size) : span_of(NULL, 0));
}

static void check_state(const struct state *s)
{
	check_bytes(s, A);
	check_bytes(s, GRID);
	check_words(s);
	for (size_t i = 0; i < TENSORS; i++)
		assert_int_equal(is_edited(i), overlay_of(s, i) != 0);
}

/* ---- scripts that are replayed, whole and cut ---- */

static const char *const scripts[] = {
	/* in place */
	"overlay 1 a; blocks 1 0 1; synced; blocks 1 2 1; overlay 2 grid; blocks 2 1 3; synced",
	/* drafts: accepted, dropped, left open */
	"draft 1 a; accept 1; draft 2 a; drop 2; draft 3 grid; synced; draft 4 a; accept 4; drop 1",
	/* a new region takes over before the old one is dropped */
	"overlay 1 a; blocks 1 1 2; synced; draft 2 a; accept 2; synced; drop 1; drop 2",
	/* of which some blocks only are there */
	"overlay 1 a; blocks 1 0 2; draft 2 a; blocks 2 1 1; blocks 2 0 1; synced; holes 2; drop 1",
	/* strings, and texts that lie nowhere */
	"replace 1 words 17; accept 1; synced; text 2 words; replace 3 words 5; accept 3; drop 1",
	"text 1 words; drop 1; text 2 words; synced; drop 2; overlay 3 grid; blocks 3 3 1",
	/* nothing of it stays */
	"overlay 1 grid; blocks 1 0 4; synced; drop 1; synced",
	/* a machine that was started again in between */
	"overlay 1 a; blocks 1 0 2; synced; boot; blocks 1 2 1; overlay 2 grid; blocks 2 0 1",
	/* commits: not decided, taken back, decided, decided the second time */
	"overlay 1 a; blocks 1 0 1; synced; blocks 1 1 1; stage",
	"overlay 1 a; blocks 1 0 1; synced; stage; abort; blocks 1 1 1; synced; stage; swept",
	"overlay 1 a; blocks 1 0 1; synced; blocks 1 1 1; stage; intent; abort",
	"overlay 1 a; blocks 1 0 1; synced; synced; stage; intent; swept",
	"overlay 1 a; blocks 1 0 1; stage; intent",
	"overlay 1 a; blocks 1 0 1; stage; intent; abort; blocks 1 2 1; stage; intent",
};

static void check_inspection(const struct script *s, size_t k, struct span journal)
{
	struct state expected = state_after(s, k);
	struct summary found;
	struct error err = {""};

	assert_int_equal(inspect(&found, &err), 0);
	assert_int_equal(found.decided, expected.decided);
	assert_false(found.foreign);
	if (!expected.decided) {
		assert_int_equal(found.drafts, count_drafts(&expected, TENSORS));
		check_state(&expected);
	}
	assert_untouched(journal);
}

/* What was found once is pending, and is found again; what was swept once is not swept again. */
static void check_pending(const struct state *expected)
{
	struct recovery found;
	struct error err = {""};

	check_state(expected);
	for (size_t i = 0; i < TENSORS; i++)
		assert_int_equal(draft_was_lost(i), count_drafts(expected, i) > 0);
	assert_int_equal(exists("m.weightfs"), count_edited(expected) > 0);
	assert_false(exists("m.weightfs/stage.0"));
	assert_file("m.index", buf_span(&index_now));
	restore_made_name();
	assert_int_equal(recover(&found, &err), 0);
	assert_true(exists(made_name));
	assert_int_equal(found.tensors, count_edited(expected));
	assert_false(found.dropped || found.lost || found.finished);
	check_state(expected);
}

static void check_recovery(const struct script *s, size_t k)
{
	struct state expected = state_after(s, k);
	struct recovery found;
	struct error err = {""};

	if (recover(&found, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(found.finished, expected.decided);
	assert_int_equal(exists(made_name), expected.decided || !expected.staged);
	if (expected.decided) {
		assert_false(exists("m.weightfs"));
		assert_file("m.index", buf_span(&index_staged));
		return;
	}
	assert_int_equal(found.tensors, count_edited(&expected));
	assert_int_equal(found.dropped, count_drafts(&expected, TENSORS));
	assert_int_equal(found.lost, edits_are_lost(s, k));
	check_pending(&expected);
}

static void replay_cut(const struct script *s, size_t n)
{
	struct span journal = span_first(buf_span(&s->journal), n);
	size_t k = 0;

	while (k < s->n && s->records[k].end <= n)
		k++;
	leave(journal);
	check_inspection(s, k, journal);
	check_recovery(s, k);
	clear();
}

TEST(scripts_cut_at_every_byte)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct script s;

		script_read(&s, scripts[i], true, buf_span(&index_now));
		for (size_t n = 0; n <= s.journal.n; n++)
			replay_cut(&s, n);
		script_release(&s);
	}
}

/* Behind each record, and a byte before that. */
TEST(scripts_of_another_boot)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct script s;

		script_read(&s, scripts[i], false, buf_span(&index_now));
		replay_cut(&s, s.begun);
		for (size_t k = 0; k < 2 * s.n; k++)
			replay_cut(&s, s.records[k / 2].end - k % 2);
		script_release(&s);
	}
}

/* Edits go, whatever they are; what was decided is carried through. */
static void discard_script(const char *text, bool this_boot)
{
	struct state expected, nothing = {0};
	struct recovery found;
	struct error err = {""};
	struct script s;

	script_read(&s, text, this_boot, buf_span(&index_now));
	expected = state_after(&s, s.n);
	leave(buf_span(&s.journal));
	assert_int_equal(discard(&found, &err), 0);
	assert_int_equal(found.finished, expected.decided);
	assert_int_equal(exists(made_name), expected.decided || !expected.staged);
	assert_file("m.index", buf_span(expected.decided ? &index_staged : &index_now));
	assert_false(exists("m.weightfs"));
	check_state(&nothing);
	clear();
	script_release(&s);
}

TEST(scripts_discarded)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(scripts); i++)
		discard_script(scripts[i / 2], i % 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_cut_at_every_byte),
		cmocka_unit_test(scripts_of_another_boot),
		cmocka_unit_test(scripts_discarded),
	};

	return cmocka_run_group_tests(tests, scripts_setup, scripts_teardown);
}
