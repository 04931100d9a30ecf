/*
 * An edit of a strange checkpoint, written back: the edited variable has its new bytes, all that
 * could be read before has the bytes it had, in the same process and for whoever opens the model
 * anew. The input is that of fuzz_bundle; the checksums of its tensors are made to fit too.
 */
#include "codec/bundle/bundle.h"
#include "codec/save/commit.h"
#include "codec/content/content.h"
#include "codec/base/crc32c.h"
#include "codec/save/recover.h"
#include "codec/work/edits.h"
#include "codec/container/sstable.h"
#include "codec/open.h"
#include "fuzz.h"

enum { TENSORS_MAX = 64, SEEN_MAX = 65536 };

/* What was read of the tensors, in the order of the model. */
struct seen {
	struct {
		bool readable;
		uint32_t crc;
	} tensor[TENSORS_MAX];
};

/* ---- the input ---- */

static void seal_value(struct span value, const struct bundle_header *header, struct span shard,
		       struct buf *out)
{
	struct arena arena = {0};
	struct bundle_entry e;
	struct span stored;

	if (bundle_decode_entry(value, header, &arena, &e, NULL) == 0 && !e.slices &&
	    span_slice(shard, e.extent.offset, e.extent.size, &stored) == 0) {
		e.extent.crc = crc32c_masked(stored);
		MUST(bundle_move_entry(value, &e.extent, out) == 0);
	} else {
		buf_reset(out);
		buf_add(out, value);
	}
	arena_release(&arena);
}

/* The index with the right checksums of numeric tensors; false if it is damaged. */
static bool seal_tensors(struct span index, struct span shard, struct sstable_writer *w)
{
	cleanup_buf struct buf out = {0};
	struct bundle_header header = {0};
	struct sstable_reader r;
	struct span key, value;
	int res = sstable_open(&r, index, NULL);

	while (res >= 0 && (res = sstable_next(&r, &key, &value, NULL)) > 0) {
		buf_reset(&out);
		if (key.n)
			seal_value(value, &header, shard, &out);
		else if (bundle_decode_header(value, &header, NULL) < 0)
			res = -EBADMSG;
		else
			buf_add(&out, value);
		if (res > 0)
			MUST(sstable_add(w, key, buf_span(&out)) == 0);
	}
	sstable_release(&r);
	return res == 0 && sstable_finish(w) == 0;
}

/* Writes the checkpoint c/m; false if its index is damaged. */
static bool write_model(struct span input)
{
	cleanup_buf struct buf index = {0};
	struct sstable_writer w = {0};
	bool good;

	buf_add(&index, take_part(&input));
	reseal_table(&index);
	good = seal_tensors(buf_span(&index), input, &w);
	if (good) {
		scratch_remove("c");
		scratch_mkdir("c");
		scratch_write("c/m.index", buf_span(&w.file));
		scratch_write("c/m.data-00000-of-00001", input);
	}
	sstable_writer_release(&w);
	return good;
}

/* ---- the edit ---- */

static bool read_tensor(struct model *m, struct tensor *t, uint32_t *ret_crc)
{
	static uint8_t bytes[SEEN_MAX];
	uint64_t size = content_size(m, t);
	size_t n = size < SEEN_MAX ? (size_t)size : SEEN_MAX;
	struct content *c;
	bool good;

	if (content_open(m, t, false, &c, NULL) < 0)
		return false;
	good = content_copy(c, 0, n, bytes, NULL) == 0;
	(void)content_close(c, false, NULL);
	if (good)
		*ret_crc = crc32c_extend(0, span_of(bytes, n));
	return good;
}

static void read_tensors(struct model *m, struct seen *ret)
{
	struct tensor *t;
	size_t next = 0;

	*ret = (struct seen){0};
	for (size_t i = 0; i < TENSORS_MAX && (t = model_next(m, &next)); i++)
		ret->tensor[i].readable = read_tensor(m, t, &ret->tensor[i].crc);
}

static void must_be_as_seen(struct model *m, const struct seen *before)
{
	struct seen now;

	read_tensors(m, &now);
	for (size_t i = 0; i < TENSORS_MAX; i++) {
		MUST(now.tensor[i].readable == before->tensor[i].readable);
		MUST(now.tensor[i].crc == before->tensor[i].crc);
	}
}

/* Writes a few bytes into the first tensors that can be edited. */
static unsigned edit(struct model *m, unsigned most)
{
	static const uint8_t bytes[] = "edited, as can be seen";
	unsigned edited = 0;
	struct tensor *t;

	for (size_t i = 0; edited < most && (t = model_next(m, &i));) {
		struct content *c;
		struct error err = {0};

		if (!tensor_size(t) || content_open(m, t, true, &c, &err) < 0)
			continue;
		MUST(content_write(c, bytes, sizeof(bytes), tensor_size(t) / 2, &err) > 0);
		(void)content_close(c, true, &err);
		edited++;
	}
	return edited;
}

/* What the model at path is to whoever opens it: nothing but these edits is pending. */
static void reopen(const char *path, const struct seen *seen, unsigned edits)
{
	cleanup_open_model struct model *m = NULL;
	struct recovery found;
	struct error err = {0};

	MUST(model_open(path, &m, &err) == 0);
	MUST(edits_open(m, EDITS_LOCK, &err) == 0 && recover_edits(m, &found, &err) == 0);
	MUST(found.tensors == edits && !found.lost && !found.finished);
	must_be_as_seen(m, seen);
	look_at_model(m);
}

static void note_progress(void *done_before, uint64_t done, uint64_t all)
{
	uint64_t *before = done_before;

	MUST(done >= *before && done <= all);
	*before = done;
}

/* Edits and commits in the way that the bits of `how` say; checks what the model is after it. */
static void commit(struct model *m, const char *path, const char *backup, size_t how)
{
	uint64_t progress = 0;
	const struct commit_options options = {
		.compact = how & 1,
		.backup = how & 2,
		.progress = note_progress,
		.context = &progress,
	};
	struct commit_report report;
	struct seen before, after;
	struct error err = {0};
	unsigned edits;
	int r;

	read_tensors(m, &before);
	edits = edit(m, 1 + (unsigned)(how >> 2) % 3);
	read_tensors(m, &after);
	r = commit_model(m, &options, &report, &err);
	MUST(r == 0 ? report.tensors == edits : err.text[0] != 0);
	must_be_as_seen(m, &after);
	(void)model_close(m);
	reopen(path, &after, r == 0 ? 0 : edits);
	if (r == 0 && options.backup && report.rewritten)
		reopen(backup, &before, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct model *m;
	struct error err = {0};
	char path[96], backup[96];

	snprintf(path, sizeof(path), "%s/c/m", scratch_path());
	snprintf(backup, sizeof(backup), "%s/c/m.bak", scratch_path());
	if (!write_model(span_of(bytes, n)) || model_open(path, &m, &err) < 0)
		return 0;
	if (edits_open(m, EDITS_LOCK, &err) == 0)
		commit(m, path, backup, n);
	else
		(void)model_close(m);
	return 0;
}
