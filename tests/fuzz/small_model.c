#include "codec/bundle/bundle.h"
#include "codec/base/crc32c.h"
#include "codec/tensor/slices.h"
#include "codec/container/sstable.h"
#include "fuzz.h"

enum { FLOAT = 1, UINT8 = 4 };

/* The shard: bytes that differ, so that what lies elsewhere is seen. */
static uint8_t shard[65536];

static void fill_shard(void)
{
	if (shard[1])
		return;
	for (size_t i = 0; i < sizeof(shard); i++)
		shard[i] = (uint8_t)(i * 7 + i / 256);
}

static void add(struct sstable_writer *w, struct span key, const struct bundle_entry *e)
{
	cleanup_buf struct buf value = {0};

	bundle_encode_entry(e, &value);
	MUST(sstable_add(w, key, buf_span(&value)) == 0);
}

static void add_plain(struct sstable_writer *w, struct span key, uint32_t dtype, int64_t rows,
		      int64_t columns, uint64_t offset)
{
	const int64_t dims[] = {rows, columns};
	uint64_t size = (uint64_t)(rows * columns) * (dtype == FLOAT ? 4 : 1);
	struct bundle_entry e = {
		.dtype = dtype,
		.shape = {2, dims},
		.extent = {.offset = offset, .size = size},
	};

	e.extent.crc = crc32c_masked(span_of(shard + offset, size));
	add(w, key, &e);
}

/* The variable s of shape [100, 30], cut after its 12th column. */
static const int64_t slice_start[] = {0, 0, 0, 12}, slice_length[] = {100, 12, 100, 18};
static const bool slice_full[] = {true, false, true, false};

static void add_slices(struct sstable_writer *w)
{
	for (size_t i = 0; i < 2; i++) {
		cleanup_buf struct buf key = {0};

		slice_key(span_str("s"), 2, slice_start + 2 * i, slice_length + 2 * i,
			  slice_full + 2 * i, &key);
		add_plain(w, buf_span(&key), UINT8, 100, slice_length[2 * i + 1], 40000 + 1200 * i);
	}
}

static void add_sliced(struct sstable_writer *w)
{
	static const int64_t dims[] = {100, 30};
	int64_t start[4], length[4];
	bool full[4];
	const struct bundle_entry e = {
		.dtype = UINT8,
		.shape = {2, dims},
		.slices = 2,
		.start = memcpy(start, slice_start, sizeof(start)),
		.length = memcpy(length, slice_length, sizeof(length)),
		.full = memcpy(full, slice_full, sizeof(full)),
	};

	add(w, span_str("s"), &e);
}

void small_model_index(unsigned variant, struct buf *out)
{
	struct sstable_writer w = {0};

	fill_shard();
	MUST(sstable_add(&w, span_str(""), span_of("\x08\x01\x1a\x02\x08\x01", 6)) == 0);
	add_slices(&w);
	add_plain(&w, span_str("big"), FLOAT, 64, 128, 0);
	add_plain(&w, span_str("bytes"), UINT8, 1, 5, 32768);
	add_plain(&w, span_str("none"), FLOAT, 0, 7, 32773);
	add_sliced(&w);
	add_plain(&w, span_str("z"), UINT8, 1, 10, 50000 + variant);
	MUST(sstable_finish(&w) == 0);
	buf_add(out, buf_span(&w.file));
	sstable_writer_release(&w);
}

void small_model_write(void)
{
	static struct buf index; /* made once */

	if (!index.n)
		small_model_index(0, &index);
	scratch_write("small.index", buf_span(&index));
	scratch_write("small.data-00000-of-00001", span_of(shard, sizeof(shard)));
}
