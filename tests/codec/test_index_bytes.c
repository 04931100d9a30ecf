/*
 * Every index file that real TensorFlow wrote, taken apart into entries and written anew from
 * them: the same bytes. Where its blocks are compressed, which we never do, the keys and values
 * are the same instead.
 */
#include "support.h"

#include <fcntl.h>
#include <ftw.h>

#include "codec/bundle/bundle.h"
#include "codec/base/file.h"
#include "codec/container/sstable.h"

enum { FILES_MAX = 1000 };

static char *files[FILES_MAX];
static size_t n_files;

static int note_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type != FTW_F || !span_ends(span_str(path), span_str(".index")) ||
	    strstr(path, "/broken/"))
		return 0;
	assert_true(n_files < FILES_MAX);
	files[n_files] = strdup(path);
	assert_non_null(files[n_files++]);
	return 0;
}

/* The value as we write it who know only what it means. */
static void encode_anew(struct span key, struct span value, struct bundle_header *header,
			struct buf *out)
{
	struct arena arena = {0};
	struct bundle_entry entry;
	struct error err = {0};

	buf_reset(out);
	if (!key.n) {
		assert_int_equal(bundle_decode_header(value, header, &err), 0);
		assert_int_equal(bundle_encode_header(value, header->shards, out), 0);
		return;
	}
	if (bundle_decode_entry(value, header, &arena, &entry, &err) < 0)
		fail_msg("%s: %s", quote(key), err.text);
	bundle_encode_entry(&entry, out);
	arena_release(&arena);
}

/* Writes the index in `bytes` anew. True if a block of it was compressed. */
static bool rewrite(struct span bytes, struct sstable_writer *w, size_t *ret_entries)
{
	cleanup_buf struct buf again = {0};
	struct bundle_header header = {0};
	struct sstable_reader r;
	struct span key, value;
	struct error err = {0};
	bool compressed;
	int res = sstable_open(&r, bytes, &err);

	while (res >= 0 && (res = sstable_next(&r, &key, &value, &err)) > 0) {
		encode_anew(key, value, &header, &again);
		assert_same(buf_span(&again), value);
		assert_int_equal(sstable_add(w, key, buf_span(&again)), 0);
		++*ret_entries;
	}
	if (res < 0)
		fail_msg("%s", err.text);
	assert_int_equal(sstable_finish(w), 0);
	compressed = r.block_memory.n || r.index_memory.n;
	sstable_release(&r);
	return compressed;
}

/* Two tables of the same keys and values. */
static void assert_same_entries(struct span a, struct span b)
{
	struct sstable_reader ra, rb;
	struct span key_a, key_b, value_a, value_b;
	struct error err = {0};

	assert_int_equal(sstable_open(&ra, a, &err), 0);
	assert_int_equal(sstable_open(&rb, b, &err), 0);
	while (sstable_next(&ra, &key_a, &value_a, &err) > 0) {
		assert_int_equal(sstable_next(&rb, &key_b, &value_b, &err), 1);
		assert_same(key_b, key_a);
		assert_same(value_b, value_a);
	}
	assert_int_equal(sstable_next(&rb, &key_b, &value_b, &err), 0);
	sstable_release(&ra);
	sstable_release(&rb);
}

/* One file, whose path is the state that the test is given. */
static void same_bytes(void **state)
{
	cleanup_file struct file file = {0};
	struct sstable_writer w = {0};
	struct error err = {0};
	size_t entries = 0;
	bool compressed;

	assert_int_equal(file_read(AT_FDCWD, *state, 1 << 30, &file, &err), 0);
	compressed = rewrite(buf_span(&file.bytes), &w, &entries);
	if (compressed)
		assert_same_entries(buf_span(&file.bytes), buf_span(&w.file));
	else
		assert_same(buf_span(&w.file), buf_span(&file.bytes));
	print_message("%zu entries, %zu bytes%s\n", entries, file.bytes.n,
		      compressed ? ", compressed: entries compared" : "");
	sstable_writer_release(&w);
}

/* The part of a path below tests/data, or below real. */
static const char *short_name(const char *path, const char *folder)
{
	return path + strlen(folder) + 1;
}

int main(void)
{
	const char *data = getenv("WEIGHTFS_DATA"), *real = getenv("WEIGHTFS_REAL");
	struct CMUnitTest tests[FILES_MAX];
	size_t n_data;
	int failed;

	if (!data || nftw(data, note_file, 16, FTW_PHYS) < 0 || n_files < 20)
		return 99; /* the models of tests/data are part of the sources */
	n_data = n_files;
	if (real)
		(void)nftw(real, note_file, 16, FTW_PHYS);
	for (size_t i = 0; i < n_files; i++)
		tests[i] = (struct CMUnitTest){
			.name = short_name(files[i], i < n_data ? data : real),
			.test_func = same_bytes,
			.initial_state = files[i],
		};
	failed = _cmocka_run_group_tests("index_bytes", tests, n_files, NULL, NULL);
	while (n_files)
		free(files[--n_files]);
	return failed;
}
