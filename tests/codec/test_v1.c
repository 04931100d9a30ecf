/* The records and the tables of V1 checkpoints, without a model around them. */
#include "support.h"

#include <snappy-c.h>

#include "codec/base/crc32c.h"
#include "codec/container/pbwire.h"
#include "codec/v1/v1.h"

enum {
	FLOAT32 = 1,
	FLOAT64,
	INT32,
	UINT8,
	INT16,
	INT8,
	STRING,
	COMPLEX64,
	INT64,
	BOOL,
	BFLOAT16 = 14,
	UINT16 = 17,
	COMPLEX128,
	FLOAT16,
};

/* ---- records ---- */

/* The record whose TensorProto is hex. */
static void add_record(struct buf *out, const char *hex)
{
	cleanup_buf struct buf tensor = {0}, slice = {0};

	add_hex(&tensor, hex);
	pb_add_bytes(&slice, 3, buf_span(&tensor));
	pb_add_bytes(out, 2, buf_span(&slice));
}

static int values(const char *hex, uint32_t dtype, uint64_t elements, struct buf *out,
		  struct error *err)
{
	cleanup_buf struct buf record = {0};

	add_record(&record, hex);
	return v1_values(buf_span(&record), dtype, elements, out, err);
}

#define MINUS_1 "ffffffffffffffffff01"

static const struct {
	const char *name, *hex, *elements;
	uint32_t dtype, n;
} good[] = {
	{"float32", "2a08 0000003f 000080bf", "0000003f 000080bf", FLOAT32, 2},
	{"one by one", "2d 0000003f 2d 000080bf", "0000003f 000080bf", FLOAT32, 2},
	{"by and by", "2a04 0000003f 2d 000080bf 2a00", "0000003f 000080bf", FLOAT32, 2},
	{"float64", "3208 000000000000f03f", "000000000000f03f", FLOAT64, 1},
	{"float64 alone", "31 000000000000f03f", "000000000000f03f", FLOAT64, 1},
	{"complex64", "4a08 0000003f 000080bf", "0000003f 000080bf", COMPLEX64, 1},
	{"complex64 one by one", "4d 0000003f 4d 000080bf", "0000003f 000080bf", COMPLEX64, 1},
	{"complex128", "6210 000000000000f03f 0000000000000040",
	 "000000000000f03f 0000000000000040", COMPLEX128, 1},
	{"int32", "3a0d 01 8001" MINUS_1, "01000000 80000000 ffffffff", INT32, 3},
	{"int32 in five bytes", "3a05 ffffffff0f", "ffffffff", INT32, 1},
	{"int32 one by one", "3801 38" MINUS_1, "01000000 ffffffff", INT32, 2},
	{"uint8", "3a03 00 ff01", "00 ff", UINT8, 2},
	{"int8", "3a0b 7f" MINUS_1, "7f ff", INT8, 2},
	{"int16", "3a0b 7f" MINUS_1, "7f00 ffff", INT16, 2},
	{"uint16", "3a03 ffff03", "ffff", UINT16, 1},
	{"int64", "520b 01" MINUS_1, "0100000000000000 ffffffffffffffff", INT64, 2},
	{"bool", "5a03 00 01 07", "00 01 01", BOOL, 3},
	{"float16", "6a03 80f801", "007c", FLOAT16, 1},
	{"no elements", "", "", FLOAT32, 0},
	{"no elements, said so", "2a00", "", FLOAT32, 0},
	{"other fields are passed over", "0801 1200 2205 0102030405 2a04 0000003f", "0000003f",
	 FLOAT32, 1},
	{"string", "4202 6869", "02 d8d81073 6869", STRING, 1},
};

TEST(values_of_each_dtype)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		cleanup_buf struct buf out = {0};
		struct error err = {""};

		if (values(good[i].hex, good[i].dtype, good[i].n, &out, &err) < 0)
			fail_msg("%s: %s", good[i].name, err.text);
		assert_hex(buf_span(&out), good[i].elements);
	}
}

static const struct {
	const char *name, *hex, *says;
	uint32_t dtype, n;
} bad[] = {
	{"too few", "2a04 0000003f", "1 values instead of 2", FLOAT32, 2},
	{"too many", "2a08 0000003f 0000003f", "2 values instead of 1", FLOAT32, 1},
	{"none", "", "0 values instead of 1", FLOAT32, 1},
	{"claims what no memory holds", "2a04 0000003f", "1 values instead of 9223372036854775807",
	 FLOAT32, UINT32_MAX},
	{"half a float", "2a05 0000003f 00", "not a valid", FLOAT32, 1},
	{"half a double", "3204 0000003f", "not a valid", FLOAT64, 1},
	{"half a complex number", "4a04 0000003f", "0 values instead of 1", COMPLEX64, 1},
	{"one and a half", "4a0c 0000003f 0000003f 0000003f", "1 values instead of 1", COMPLEX64,
	 1},
	{"another width", "35 0000003f", "not a valid", FLOAT64, 1},
	{"another field", "3a01 01", "0 values instead of 1", FLOAT32, 1},
	{"a fixed number among varints", "3d 01000000", "not a valid", INT32, 1},
	{"a varint that is cut", "3a02 01 80", "longer than 64 bits", INT32, 1},
	{"a varint of eleven bytes", "3a0b ffffffffffffffffff ff 01", "longer than 64 bits", INT32,
	 1},
	{"a message that is cut", "2a04 0000", "not a valid", FLOAT32, 1},
	{"a string as a number", "4001", "not a valid", STRING, 1},
	{"strings that are too few", "4200", "1 values instead of 2", STRING, 2},
	{"a dtype that is in none", "6a00", "bfloat16", BFLOAT16, 0},
};

TEST(bad_values_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_buf struct buf out = {0};
		struct error err = {""};
		uint64_t n = bad[i].n == UINT32_MAX ? INT64_MAX : bad[i].n;
		int r = values(bad[i].hex, bad[i].dtype, n, &out, &err);

		assert_refused(r, bad[i].dtype == BFLOAT16 ? -ENOTSUP : -EBADMSG, &err,
			       bad[i].says);
	}
}

TEST(records_that_are_none)
{
	static const char *const records[] = {"", "0a00", "12", "1205 0a03", "1001", "1203 1a0205"};

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		cleanup_buf struct buf record = {0}, out = {0};
		struct error err = {""};

		add_hex(&record, records[i]);
		assert_refused(v1_values(buf_span(&record), FLOAT32, 0, &out, &err), -EBADMSG, &err,
			       "SavedTensorSlices");
	}
}

/* ---- tables ---- */

static void add_block(struct buf *file, struct span contents, uint8_t type)
{
	size_t start = file->n;

	buf_add(file, contents);
	buf_add_u8(file, type);
	buf_add_le32(file, crc32c_masked(span_of(file->p + start, file->n - start)));
}

/* A block of entries KEY -> "v" + KEY; the keys are one letter each. */
static void add_letters(struct buf *file, const char *keys, bool compressed)
{
	cleanup_buf struct buf block = {0}, packed = {0};

	for (const char *k = keys; *k; k++) {
		add_hex(&block, "00 01 02");
		buf_add_u8(&block, (uint8_t)*k);
		buf_add_u8(&block, 'v');
		buf_add_u8(&block, (uint8_t)*k);
	}
	add_hex(&block, "00000000 01000000");
	if (compressed) {
		size_t n = snappy_max_compressed_length(block.n);
		char *p = (char *)buf_extend(&packed, n);

		assert_int_equal(snappy_compress((char *)block.p, block.n, p, &n), SNAPPY_OK);
		add_block(file, span_of(packed.p, n), 1);
	} else {
		add_block(file, buf_span(&block), 0);
	}
}

/* A table of the blocks, each a string of keys; the second one compressed. */
static void build(struct buf *file, const char *const *blocks)
{
	cleanup_buf struct buf index = {0};
	uint64_t handles[4];

	for (size_t i = 0; blocks[i]; i++) {
		cleanup_buf struct buf handle = {0};
		size_t start = file->n;

		add_letters(file, blocks[i], i == 1);
		buf_add_varint(&handle, start);
		buf_add_varint(&handle, file->n - start - 5);
		add_hex(&index, "00 01");
		buf_add_varint(&index, handle.n);
		buf_add_u8(&index, (uint8_t)blocks[i][strlen(blocks[i]) - 1]);
		buf_add(&index, buf_span(&handle));
	}
	add_hex(&index, "00000000 01000000");
	handles[0] = file->n;
	handles[1] = 8;
	add_hex(file, "00000000 01000000 00 c0f2a1b0");
	handles[2] = file->n;
	handles[3] = index.n;
	add_block(file, buf_span(&index), 0);
	for (size_t i = 0, start = file->n; i < 4 || file->n < start + 40; i++) {
		if (i < 4)
			buf_add_varint(file, handles[i]);
		else
			buf_add_u8(file, 0);
	}
	add_hex(file, "57fb808b247547db");
}

static const char *const three_blocks[] = {"bdf", "hjl", "npr", NULL};

struct fixture {
	struct folder folder;
	struct shard shard;
	struct v1_table table;
	struct error err;
};

/* Opens the table in those bytes: what v1_open() says. */
static int open_table(struct fixture *f, struct span file)
{
	f->err = (struct error){""};
	folder_make(&f->folder);
	folder_write(&f->folder, "t", file);
	assert_int_equal(shard_init(&f->shard, f->folder.fd, "t"), 0);
	return v1_open(&f->table, &f->shard, f->folder.fd, &f->err);
}

static void close_table(struct fixture *f)
{
	v1_release(&f->table);
	shard_release(&f->shard);
	folder_unmake(&f->folder);
}

static int find(struct fixture *f, const char *key, struct span *ret)
{
	return v1_find(&f->table, span_str(key), ret, &f->err);
}

/* Opens a table of three blocks, of which the byte at that place is wrong, if it is not 0. */
static void open_three_blocks(struct fixture *f, size_t wrong)
{
	cleanup_buf struct buf file = {0};

	build(&file, three_blocks);
	if (wrong)
		file.p[wrong] ^= 1;
	assert_int_equal(open_table(f, buf_span(&file)), 0);
}

TEST(keys_are_found_in_ascending_order)
{
	static const struct {
		const char *key, *value; /* NULL: there is none */
	} finds[] = {
		{"", NULL},  {"a", NULL}, {"b", "vb"}, {"b", "vb"}, {"c", NULL}, {"f", "vf"},
		{"g", NULL}, {"l", "vl"}, {"r", "vr"}, {"s", NULL}, {"t", NULL},
	};
	struct fixture f;

	open_three_blocks(&f, 0);
	for (size_t i = 0; i < ARRAY_SIZE(finds); i++) {
		struct span value = {0};

		assert_int_equal(find(&f, finds[i].key, &value), finds[i].value != NULL);
		if (finds[i].value)
			assert_says(value, finds[i].value);
	}
	close_table(&f);
}

TEST(blocks_are_skipped_unread)
{
	struct fixture f;
	struct span value = {0};

	open_three_blocks(&f, 4); /* in the first block */
	assert_int_equal(find(&f, "n", &value), 1);
	assert_says(value, "vn");
	close_table(&f);
}

TEST(a_damaged_block_spoils_its_keys_only)
{
	struct fixture f;
	struct span value = {0};

	open_three_blocks(&f, 4);
	for (const char *key = "abd"; *key; key++) {
		char one[] = {*key, 0};

		f.err.text[0] = '\0';
		assert_refused(find(&f, one, &value), -EBADMSG, &f.err,
			       "t: block at offset 0: checksum mismatch");
	}
	assert_int_equal(find(&f, "j", &value), 1);
	assert_int_equal(v1_drain(&f.table, &f.err), 0);
	assert_int_equal(v1_next_block(&f.table, &f.err), 1);
	assert_int_equal(v1_drain(&f.table, &f.err), 0);
	assert_int_equal(v1_next_block(&f.table, &f.err), 0);
	assert_int_equal(v1_check_metaindex(&f.table, &f.err), 0);
	close_table(&f);
}

/* What is wrong is said with the offset in the file. */
TEST(offsets_are_those_of_the_file)
{
	struct fixture f;
	struct span value = {0};

	open_three_blocks(&f, 31); /* the first block has 26 bytes and its trailer */
	assert_refused(find(&f, "h", &value), -EBADMSG, &f.err,
		       "t: block at offset 31: checksum mismatch");
	close_table(&f);
}

/* A byte that is wrong, counted from the end, and what that is called. */
static const struct {
	size_t from_end;
	const char *says;
} footers[] = {
	{1, "t: no table: bad magic number at offset"},
	{40 + 8 + 2, "checksum mismatch"}, /* of the index block */
};

TEST(files_that_are_no_tables)
{
	cleanup_buf struct buf file = {0};
	struct fixture f;

	build(&file, three_blocks);
	for (size_t i = 0; i < ARRAY_SIZE(footers); i++) {
		struct span value;
		uint8_t *p = file.p + file.n - footers[i].from_end;
		int r;

		*p ^= 0x80;
		r = open_table(&f, buf_span(&file));
		if (r == 0) /* the index block is looked at when it is needed */
			r = find(&f, "b", &value);
		assert_refused(r, -EBADMSG, &f.err, footers[i].says);
		close_table(&f);
		*p ^= 0x80;
	}
	assert_refused(open_table(&f, span_skip(buf_span(&file), file.n - 47)), -EBADMSG, &f.err,
		       "47 bytes are too few");
	close_table(&f);
	/* Its blocks are not there. */
	assert_refused(open_table(&f, span_skip(buf_span(&file), file.n - 48)), -EBADMSG, &f.err,
		       "lies outside");
	close_table(&f);
}

TEST(handles_are_not_trusted)
{
	static const char *const handles[] = {
		"0008 ffffffffffffffffff01 10", "0008 00 ffffffffffffffffff01",
		"0008 00 ffffffff0f",		"0008 00 fbffffffffffffffff01",
		"0008 f0ffffffffffffffff01 18", "0008 ffffffffffffffffffff01 01",
	};
	struct fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
		cleanup_buf struct buf file = {0};

		add_hex(&file, "00000000 01000000 00 c0f2a1b0");
		add_hex(&file, handles[i]);
		while (file.n < 13 + 40)
			buf_add_u8(&file, 0);
		add_hex(&file, "57fb808b247547db");
		assert_refused(open_table(&f, buf_span(&file)), -EBADMSG, &f.err, "t: b");
		close_table(&f);
	}
}

TEST(files_that_change_are_noticed)
{
	cleanup_buf struct buf file = {0};
	struct fixture f;

	build(&file, three_blocks);
	assert_int_equal(open_table(&f, buf_span(&file)), 0);
	v1_release(&f.table);
	folder_write(&f.folder, "t", span_first(buf_span(&file), 60));
	assert_refused(v1_open(&f.table, &f.shard, f.folder.fd, &f.err), -ESTALE, &f.err, "t: ");
	close_table(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_each_dtype),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(records_that_are_none),
		cmocka_unit_test(keys_are_found_in_ascending_order),
		cmocka_unit_test(blocks_are_skipped_unread),
		cmocka_unit_test(a_damaged_block_spoils_its_keys_only),
		cmocka_unit_test(offsets_are_those_of_the_file),
		cmocka_unit_test(files_that_are_no_tables),
		cmocka_unit_test(handles_are_not_trusted),
		cmocka_unit_test(files_that_change_are_noticed),
	};

	return RUN(tests);
}
