/*
 * A journal of edits to the small model, whose checksums are made to fit, and what its data file
 * holds behind its header. A commit that it has decided finds the other variant's index staged.
 */
#include "codec/data_file.h"
#include "codec/edits.h"
#include "fuzz.h"

#define WORK "small.weightfs"

static void write_work(struct span input)
{
	cleanup_buf struct buf journal = {0}, data = {0}, staged = {0};
	static const char head[] = "weightfs appended shard, version 1\n";

	scratch_remove(WORK);
	scratch_mkdir(WORK);
	buf_add_str(&journal, "WFSJNL01");
	buf_add(&journal, take_part(&input));
	reseal_frames(&journal, 8);
	scratch_write(WORK "/journal", buf_span(&journal));
	buf_add_str(&data, head);
	memset(buf_extend(&data, DATA_HEADER - data.n), 0, DATA_HEADER - strlen(head));
	buf_add(&data, input);
	scratch_write(WORK "/data.0", buf_span(&data));
	small_model_index(1, &staged);
	scratch_write(WORK "/stage.0", buf_span(&staged));
}

static void recover(struct model *m)
{
	struct recovery found;
	struct error err = {0};

	if (edits_init(m, &err) < 0 || edits_recover(m, &found, &err) < 0)
		MUST(err.text[0]);
	else if (!found.finished)
		look_at_model(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	cleanup_model struct model *m = NULL;
	struct error err = {0};
	char prefix[96];

	small_model_write();
	write_work(span_of(bytes, n));
	snprintf(prefix, sizeof(prefix), "%s/small", scratch_path());
	MUST(model_open(prefix, &m, &err) == 0);
	recover(m);
	return 0;
}
