/*
 * The frames of a journal of edits to the small model, whose checksums are made to fit. A commit
 * that they have decided finds the other variant's index staged. What is no file of the model
 * stays as it is, whatever they say.
 */
#include "codec/work/data_file.h"
#include "codec/save/recover.h"
#include "codec/work/edits.h"
#include "codec/open.h"
#include "fuzz.h"

#define WORK	  "small.weightfs"
#define BYSTANDER "bystander"

/* Has room for the regions that the seeds have, and for others. */
static uint8_t data[DATA_HEADER + (128 << 10)] = "weightfs appended shard, version 1\n";

static void write_work(struct span frames)
{
	static struct buf staged; /* made once */
	cleanup_buf struct buf journal = {0};

	scratch_remove(WORK);
	scratch_mkdir(WORK);
	buf_add_str(&journal, "WFSJNL02");
	buf_add(&journal, frames);
	reseal_frames(&journal, 8);
	scratch_write(WORK "/journal", buf_span(&journal));
	scratch_write(WORK "/data.0", span_of(data, sizeof(data)));
	if (!staged.n)
		small_model_index(1, &staged);
	scratch_write(WORK "/stage.0", buf_span(&staged));
}

static void look_at_bystander(void)
{
	cleanup_file struct file file = {0};

	MUST(file_read(scratch_fd(), BYSTANDER, 100, &file, NULL) == 0);
	MUST(span_is(buf_span(&file.bytes), BYSTANDER));
}

static void recover(struct model *m)
{
	struct recovery found;
	struct error err = {0};

	if (edits_open(m, EDITS_LOCK, &err) < 0 || recover_edits(m, &found, &err) < 0)
		MUST(err.text[0] && !strstr(err.text, "older version")); /* they are read */
	else if (!found.finished)
		look_at_model(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	cleanup_open_model struct model *m = NULL;
	struct error err = {0};
	char prefix[96];

	small_model_write();
	scratch_write(BYSTANDER, span_str(BYSTANDER));
	write_work(span_of(bytes, n));
	snprintf(prefix, sizeof(prefix), "%s/small", scratch_path());
	MUST(model_open(prefix, &m, &err) == 0);
	recover(m);
	look_at_bystander();
	return 0;
}
