/*
 * Contents against byte arrays. Random steps (writes, truncations, flushes, closes by several
 * handles, whole rewrites, discards, commits, deaths of the daemon) are done to a small model, and
 * to arrays of bytes by the rules that content.h gives. After each step both show the same.
 *
 * WEIGHTFS_STEPS says how many there are to be, WEIGHTFS_SEED where the random numbers begin; a
 * failure prints the seed with which it comes again at once.
 */
#include "bundles.h"
#include "rules.h"
#include "numbers.h"

#include <fcntl.h>
#include <unistd.h>

#include "codec/content/content.h"
#include "codec/content/verify.h"
#include "codec/save/commit.h"
#include "codec/save/settle.h"
#include "codec/save/recover.h"
#include "codec/work/edits.h"
#include "codec/work/ledger.h"
#include "codec/open.h"

enum { STEPS = 12000, STEPS_A_ROUND = 500, SIZE_MAX_HERE = 300000, WRITERS = 3, READERS = 2 };

static struct folder folder;
static struct model *model;
static uint64_t seed;

/* ---- today's API; the rest of this file knows nothing of it but names of results ---- */

struct handle {
	struct content *content;
	bool for_write;
};

/* Takes up what an earlier daemon has left. */
static void recover_model(struct recovery *ret)
{
	struct error err = {""};

	if (recover_edits(model, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static struct handle open_tensor(const char *key, bool for_write)
{
	struct handle h = {.for_write = for_write};
	struct error err = {""};

	if (content_open(model, model_find(model, span_str(key)), for_write, &h.content, &err) < 0)
		fail_msg("%s", err.text);
	return h;
}

static int close_handle(struct handle h)
{
	return (int)content_close(h.content, h.for_write, NULL);
}

static ssize_t write_bytes(struct handle h, size_t at, const void *bytes, size_t n)
{
	return content_write(h.content, bytes, n, at, NULL);
}

static int truncate_handle(struct handle h, size_t size)
{
	return content_truncate(h.content, size, NULL);
}

static int flush_handle(struct handle h)
{
	return content_flush(h.content, NULL);
}

static size_t size_of(const char *key)
{
	return (size_t)content_size(model, model_find(model, span_str(key)));
}

static bool is_edited(const char *key)
{
	return ledger_find(model, object_tensor(model_find(model, span_str(key))->id), NULL);
}

static int copy_bytes(struct handle h, size_t at, size_t n, uint8_t *to)
{
	return content_copy(h.content, at, n, to, NULL);
}

/* Gathers what a read gives to the kernel; false if that takes more than max pieces. */
static bool gather_bytes(struct handle h, size_t at, size_t n, int max, struct buf *out)
{
	struct iovec pieces[1024];
	int r;

	assert_true(max <= (int)ARRAY_SIZE(pieces));
	content_lock(h.content);
	r = content_read(h.content, at, n, pieces, max);
	for (int i = 0; i < r; i++)
		buf_add(out, span_of(pieces[i].iov_base, pieces[i].iov_len));
	content_unlock(h.content);
	assert_true(r >= 0 || r == -E2BIG);
	return r >= 0;
}

static int fill_from(void *bytes, uint8_t *to, size_t n, uint64_t at)
{
	memcpy(to, (const uint8_t *)bytes + at, n);
	return 0;
}

static void rewrite_tensor(const char *key, uint8_t *bytes)
{
	struct tensor *t = model_find(model, span_str(key));

	assert_int_equal(content_overwrite(model, t, fill_from, bytes, NULL), 0);
}

static int rewrite_text(const char *key, const uint8_t *elements, const char *behind)
{
	return numbers_write(model, model_find(model, span_str(key)), elements, behind, NULL);
}

static void note_dropped(void *context, struct object o)
{
	(void)context;
	assert_int_equal(o.type, OBJECT_TENSOR);
}

/* Drops all edits and drafts. */
static void discard_edits(void)
{
	assert_int_equal(edits_remove(model, NULL), 0);
	settle_dropped(model, note_dropped, NULL);
	assert_int_equal(ledger_count(model), 0);
}

static void commit_edits(bool compact, size_t expected)
{
	struct commit_options options = {.compact = compact};
	struct commit_report done = {0};
	struct error err = {""};

	if (commit_model(model, &options, &done, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(done.tensors, expected);
	assert_int_equal(done.rewritten, expected > 0);
}

/* What the index says of the bytes on disk is true. */
static void verify_stored(const char *key)
{
	struct error err = {""};
	int r;

	pthread_rwlock_rdlock(&model->layout);
	r = verify_tensor(model, model_find(model, span_str(key)), &err);
	pthread_rwlock_unlock(&model->layout);
	if (r < 0)
		fail_msg("%s: %s", key, err.text);
}

/* ---- tensors, and what is done to them ---- */

static const struct made_tensor tensors[] = {
	{"columns", DTYPE_INT16, 2, {90, 120}, {{90}, {1, 59, 60}}, false},
	{"empty", DTYPE_FLOAT32, 2, {0, 7}, {{0}}, false},
	{"grid", DTYPE_FLOAT32, 2, {300, 50}, {{100, 200}, {20, 30}}, false},
	{"large", DTYPE_UINT8, 2, {3, 100000}, {{0}}, false},
	{"pages", DTYPE_UINT8, 1, {16384}, {{0}}, false},
	{"plain", DTYPE_UINT8, 1, {10007}, {{0}}, false},
	{"rows", DTYPE_FLOAT64, 2, {64, 32}, {{16, 16, 32}, {32}}, false},
	{"scalar", DTYPE_FLOAT32, 0, {0}, {{0}}, false},
	{"small", DTYPE_UINT8, 1, {20}, {{0}}, false},
	/* Of a bundle that is not complete nothing is rewritten: a commit appends to it. */
	{"zero", DTYPE_FLOAT32, 1, {10}, {{0}}, true},
};

enum { TENSORS = ARRAY_SIZE(tensors) - 1 };

struct subject {
	const char *key;
	struct rules rules;
	struct handle writers[WRITERS], readers[READERS];
	size_t n_writers, n_readers;
};

static struct subject subjects[TENSORS];
static bool appends; /* commits of this round do */

static struct span random_bytes(size_t n)
{
	static uint8_t bytes[SIZE_MAX_HERE];

	for (size_t i = 0; i < n; i += 8) {
		uint64_t number = random_next(&seed);

		memcpy(bytes + i, &number, n - i < 8 ? n - i : 8);
	}
	return span_of(bytes, n);
}

static struct handle any_writer(const struct subject *s)
{
	return s->writers[random_below(&seed, s->n_writers)];
}

/* A place in the tensor or a little behind it, often one where something ends. */
static size_t random_place(const struct rules *r)
{
	size_t seen = rules_seen(r).n, block = random_below(&seed, r->size / 4096 + 1) * 4096;
	const size_t places[] = {0, r->size, r->size + 1, seen, block, block + 4095, block / 2};
	size_t any = random_below(&seed, 2 * ARRAY_SIZE(places));

	return any < ARRAY_SIZE(places) ? places[any] : random_below(&seed, r->size + 1);
}

static void step_open(struct subject *s)
{
	if (s->n_writers < WRITERS)
		s->writers[s->n_writers++] = open_tensor(s->key, true);
}

static void step_open_and_truncate(struct subject *s)
{
	if (s->n_writers == WRITERS)
		return;
	step_open(s);
	assert_int_equal(truncate_handle(s->writers[s->n_writers - 1], 0),
			 rules_truncate(&s->rules, 0));
}

static void step_read(struct subject *s)
{
	if (s->n_readers < READERS)
		s->readers[s->n_readers++] = open_tensor(s->key, false);
}

static void step_close_reader(struct subject *s)
{
	if (s->n_readers)
		assert_int_equal(close_handle(s->readers[--s->n_readers]), CONTENT_SAME);
}

static void write_at_place(struct subject *s, size_t at, size_t n)
{
	struct span bytes = random_bytes(n);

	assert_int_equal(write_bytes(any_writer(s), at, bytes.p, n),
			 rules_write(&s->rules, at, bytes.p, n));
}

static void step_write(struct subject *s)
{
	static const size_t sizes[] = {0, 1, 5, 4095, 4096, 9000, 70000};

	if (s->n_writers)
		write_at_place(s, random_place(&s->rules),
			       sizes[random_below(&seed, ARRAY_SIZE(sizes))]);
}

/* What a draft lacks at its end, or some of it: or it would nearly always be dropped. */
static void step_append(struct subject *s)
{
	size_t seen = rules_seen(&s->rules).n, lacks = s->rules.size - seen;

	if (s->n_writers && lacks)
		write_at_place(s, seen, random_below(&seed, 3) ? lacks : lacks / 2);
}

static void step_truncate(struct subject *s)
{
	size_t size = random_place(&s->rules);

	if (s->n_writers)
		assert_int_equal(truncate_handle(any_writer(s), size),
				 rules_truncate(&s->rules, size));
}

static void step_flush(struct subject *s)
{
	if (s->n_writers)
		assert_int_equal(flush_handle(any_writer(s)), rules_flush(&s->rules));
}

static void close_writer(struct subject *s, size_t i)
{
	struct handle h = s->writers[i];
	int r = CONTENT_SAME;

	s->writers[i] = s->writers[--s->n_writers];
	if (!s->n_writers) {
		r = rules_drop(&s->rules, false) ? CONTENT_DROPPED : CONTENT_SAME;
		s->rules.lost = false;
	}
	assert_int_equal(close_handle(h), r);
}

/* A program that ends closes: the draft is judged first. */
static void step_close(struct subject *s)
{
	if (!s->n_writers)
		return;
	assert_int_equal(flush_handle(any_writer(s)), rules_flush(&s->rules));
	close_writer(s, random_below(&seed, s->n_writers));
}

/* A program that is killed does not. */
static void step_close_unflushed(struct subject *s)
{
	if (s->n_writers)
		close_writer(s, random_below(&seed, s->n_writers));
}

/* Of a draft that shows what was there before nobody says what it shows after this. */
static void step_rewrite(struct subject *s)
{
	struct rules *r = &s->rules;

	if (r->drafting && r->kept)
		return;
	memcpy(r->accepted, random_bytes(r->size).p, r->size);
	rewrite_tensor(s->key, r->accepted);
	r->edited = true;
}

/* Some of the numbers are others; or all are as they were; or the text is not accepted. */
static void step_rewrite_text(struct subject *s)
{
	static uint8_t fresh[SIZE_MAX_HERE];
	struct rules *r = &s->rules;
	size_t at = random_below(&seed, r->size + 1);
	size_t n = random_below(&seed, 3) ? random_below(&seed, r->size - at + 1) : 0;
	int outcome;

	if (r->drafting && r->kept)
		return;
	memcpy(fresh, r->accepted, r->size);
	memcpy(fresh + at, random_bytes(n).p, n);
	if (random_below(&seed, 4) == 0) {
		assert_int_equal(rewrite_text(s->key, fresh, "7"), -EINVAL);
		return;
	}
	outcome = numbers_merge(tensors[s - subjects].dtype, fresh, r->size, r->accepted);
	assert_int_equal(rewrite_text(s->key, fresh, "# end"), outcome);
	r->edited |= outcome == CONTENT_ACCEPTED;
}

/* ---- what is done to all of them ---- */

static size_t count_edited(void)
{
	size_t n = 0;

	for (size_t i = 0; i < TENSORS; i++)
		n += subjects[i].rules.edited;
	return n;
}

static void step_discard(struct subject *s)
{
	(void)s;
	discard_edits();
	for (size_t i = 0; i < TENSORS; i++) {
		struct rules *r = &subjects[i].rules;

		rules_drop(r, subjects[i].n_writers > 0);
		memcpy(r->accepted, r->base, r->size);
		r->edited = false;
	}
}

static void step_commit(struct subject *s)
{
	(void)s;
	commit_edits(!appends && random_below(&seed, 4) == 0, count_edited());
	for (size_t i = 0; i < TENSORS; i++) {
		struct rules *r = &subjects[i].rules;

		memcpy(r->base, r->accepted, r->size);
		r->edited = false;
		verify_stored(subjects[i].key);
	}
}

/* The daemon is killed; another one finds what was accepted, and no draft. */
static void step_die(struct subject *s)
{
	struct recovery found;
	size_t drafts = 0;

	(void)s;
	model = model_close(model);
	model = open_to_edit(folder.path, "m", EDITS_LOCK);
	recover_model(&found);
	for (size_t i = 0; i < TENSORS; i++) {
		subjects[i].n_writers = subjects[i].n_readers = 0;
		drafts += rules_drop(&subjects[i].rules, false);
		subjects[i].rules.lost = false;
	}
	assert_int_equal(found.tensors, count_edited());
	assert_int_equal(found.dropped, drafts);
	assert_false(found.lost || found.finished);
}

static const struct {
	const char *name;
	void (*run)(struct subject *s);
	unsigned weight;
} steps[] = {
	{"open", step_open, 8},		{"open and truncate", step_open_and_truncate, 5},
	{"read", step_read, 4},		{"close reader", step_close_reader, 3},
	{"write", step_write, 24},	{"append", step_append, 12},
	{"truncate", step_truncate, 6}, {"flush", step_flush, 6},
	{"close", step_close, 10},	{"close unflushed", step_close_unflushed, 2},
	{"rewrite", step_rewrite, 2},	{"rewrite text", step_rewrite_text, 4},
	{"discard", step_discard, 1},	{"commit", step_commit, 1},
	{"die", step_die, 1},
};

/* ---- looking ---- */

static void check_part(struct handle h, struct span expected, size_t at, size_t n)
{
	static uint8_t copied[SIZE_MAX_HERE];
	cleanup_buf struct buf gathered = {0};
	struct span part = span_first(span_skip(expected, at), n);
	int max = random_below(&seed, 8) ? 1024 : 3;

	assert_int_equal(copy_bytes(h, at, n, copied), 0);
	assert_same(span_of(copied, n), part);
	if (gather_bytes(h, at, n, max, &gathered))
		assert_same(buf_span(&gathered), part);
	else
		assert_int_equal(max, 3);
}

static void check(const struct subject *s)
{
	struct span seen = rules_seen(&s->rules);
	size_t at = random_below(&seed, seen.n + 1), n = random_below(&seed, seen.n - at + 1);
	bool alone = !s->n_readers;
	struct handle h = alone ? open_tensor(s->key, false) : s->readers[0];

	assert_int_equal(size_of(s->key), seen.n);
	assert_int_equal(is_edited(s->key), s->rules.edited);
	check_part(h, seen, 0, seen.n);
	check_part(h, seen, at, n);
	if (alone)
		assert_int_equal(close_handle(h), CONTENT_SAME);
}

static void check_all(void)
{
	for (size_t i = 0; i < TENSORS; i++)
		check(&subjects[i]);
}

/* ---- rounds ---- */

static size_t random_step(void)
{
	uint64_t all = 0, at;
	size_t i = 0;

	for (size_t k = 0; k < ARRAY_SIZE(steps); k++)
		all += steps[k].weight;
	at = random_below(&seed, all);
	while (at >= steps[i].weight)
		at -= steps[i++].weight;
	return i;
}

static void begin_round(void)
{
	uint8_t *contents[ARRAY_SIZE(tensors)] = {NULL};

	folder_make(&folder);
	appends = random_below(&seed, 3) == 0;
	for (size_t i = 0; i < TENSORS; i++) {
		subjects[i] = (struct subject){.key = tensors[i].key};
		rules_init(&subjects[i].rules, made_size(&tensors[i]), &seed);
		contents[i] = subjects[i].rules.base;
	}
	bundle_make(&folder, "m", tensors, contents, appends ? TENSORS + 1 : TENSORS);
	model = open_to_edit(folder.path, "m", EDITS_LOCK);
	check_all();
}

/* Everybody closes; what is accepted is saved, and no work folder stays. */
static void end_round(void)
{
	for (size_t i = 0; i < TENSORS; i++) {
		while (subjects[i].n_readers)
			step_close_reader(&subjects[i]);
		while (subjects[i].n_writers)
			step_close(&subjects[i]);
	}
	step_commit(NULL);
	assert_int_equal(faccessat(folder.fd, "m.weightfs", F_OK, 0), -1);
	step_die(NULL);
	check_all();
	for (size_t i = 0; i < TENSORS; i++)
		rules_release(&subjects[i].rules);
	model = model_close(model);
	folder_unmake(&folder);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

/* What is being done, for who reads of a failure. */
static uint64_t round_seed;
static const char *step_name = "";
static const char *step_key = "";

static int tell_where(void **state)
{
	(void)state;
	if (folder.path[0])
		print_error("WEIGHTFS_SEED=%llu: '%s' of '%s'\n", (unsigned long long)round_seed,
			    step_name, step_key);
	return 0;
}

TEST(contents_follow_the_rules)
{
	uint64_t left = number_from("WEIGHTFS_STEPS", STEPS);

	round_seed = number_from("WEIGHTFS_SEED", 1);
	for (; left; round_seed++) {
		seed = round_seed;
		begin_round();
		for (size_t i = 0; left && i < STEPS_A_ROUND; i++, left--) {
			struct subject *s = &subjects[random_below(&seed, TENSORS)];
			size_t step = random_step();

			step_name = steps[step].name;
			step_key = s->key;
			steps[step].run(s);
			check(s);
			if (steps[step].weight == 1)
				check_all();
		}
		end_round();
	}
	folder.path[0] = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(contents_follow_the_rules, tell_where),
	};

	return RUN(tests);
}
