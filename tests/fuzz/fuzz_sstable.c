/* A table: whatever it has is written anew, and read again as the same. */
#include "codec/container/sstable.h"
#include "fuzz.h"

/* Adds what the table holds to w; false at the first thing that is wrong. */
static bool copy_entries(struct span file, struct sstable_writer *w)
{
	struct sstable_reader r;
	struct span key, value;
	struct error err = {0};
	int res = sstable_open(&r, file, &err);

	while (res >= 0 && (res = sstable_next(&r, &key, &value, &err)) > 0)
		MUST(sstable_add(w, key, value) == 0);
	MUST(res == 0 || res == -EBADMSG);
	MUST(res == 0 || err.text[0]);
	sstable_release(&r);
	return res == 0;
}

static void read_table(struct span file)
{
	struct sstable_writer w = {0}, again = {0};

	if (copy_entries(file, &w)) {
		MUST(sstable_finish(&w) == 0);
		MUST(copy_entries(buf_span(&w.file), &again));
		MUST(sstable_finish(&again) == 0);
		MUST(span_equal(buf_span(&w.file), buf_span(&again.file)));
	}
	sstable_writer_release(&w);
	sstable_writer_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	cleanup_buf struct buf sealed = {0};

	read_table(span_of(bytes, n));
	buf_add(&sealed, span_of(bytes, n));
	reseal_table(&sealed);
	read_table(buf_span(&sealed));
	return 0;
}
