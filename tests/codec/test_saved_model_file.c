#include "support.h"

#include <fcntl.h>

#include "codec/base/crc32c.h"
#include "codec/saved_model/saved_model.h"
#include "codec/saved_model/saved_model_file.h"
#include "texts.h"

enum { GRAPH = 3 << 20 };

/* A MetaGraphDef with its tag before and a signature of that name behind `graph` bytes of graph. */
static void add_metagraph(struct buf *file, const char *name, size_t graph, uint8_t filling)
{
	struct buf info = {0}, entry = {0}, body = {0}, content = {0};

	memset(buf_extend(&content, graph), filling, graph);
	add_text_field(&info, 4, name);
	add_text_field(&entry, 1, name);
	add_field(&body, 1, &info);
	add_field(&body, 2, &content);
	add_field(&body, 5, &entry);
	add_text_field(&body, 7, "an object graph");
	add_field(file, 2, &body);
}

static void write_model(const struct folder *f, size_t graph, uint8_t filling, struct buf *ret)
{
	buf_reset(ret);
	add_number_field(ret, 1, 1);
	add_metagraph(ret, "serve", graph, filling);
	add_metagraph(ret, "train", 2 * graph, filling);
	folder_write(f, "saved_model.pb", buf_span(ret));
}

static void check_names(struct span file)
{
	static const char *const names[] = {"serve", "train"};
	struct metagraph_signature s;
	struct metagraph g;
	struct span tag;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(saved_model_next(&file, &g), 1);
		assert_int_equal(metagraph_next_tag(&g.info, &tag), 1);
		assert_says(tag, names[i]);
		assert_int_equal(metagraph_next_signature(&g.body, &s), 1);
		assert_says(s.name, names[i]);
		assert_says(g.object_graph, "an object graph");
	}
	assert_int_equal(saved_model_next(&file, &g), 0);
}

TEST(small_file_is_read_whole)
{
	cleanup_buf struct buf content = {0};
	cleanup_saved_model_file struct saved_model_file file = {0};
	struct error err = {0};
	struct folder f;

	folder_make(&f);
	write_model(&f, 1000, 'x', &content);
	assert_int_equal(saved_model_file_read(f.fd, "saved_model.pb", &file, &err), 0);
	assert_same(file.bytes, buf_span(&content));
	assert_int_equal(file.crc, crc32c_extend(0, buf_span(&content)));
	assert_int_equal(file.id.size, content.n);
	folder_unmake(&f);
}

/* What is not read reads as zeros. */
TEST(graph_of_a_large_file_is_stepped_over)
{
	cleanup_buf struct buf content = {0};
	cleanup_saved_model_file struct saved_model_file file = {0};
	struct error err = {0};
	struct folder f;

	folder_make(&f);
	write_model(&f, GRAPH, 'x', &content);
	assert_int_equal(saved_model_file_read(f.fd, "saved_model.pb", &file, &err), 0);
	assert_int_equal(file.bytes.n, content.n);
	assert_int_equal(file.bytes.p[GRAPH / 2], 0);
	assert_int_equal(file.bytes.p[2 * GRAPH], 0);
	check_names(file.bytes);
	folder_unmake(&f);
}

/* Another name is another file, though its size is the same. */
TEST(checksum_of_a_large_file)
{
	static const char *const names[] = {"serve", "serve", "third"};
	uint32_t crc[3];
	struct error err = {0};
	struct folder f;

	folder_make(&f);
	for (int i = 0; i < 3; i++) {
		cleanup_saved_model_file struct saved_model_file file = {0};
		cleanup_buf struct buf content = {0};

		add_metagraph(&content, names[i], GRAPH, 'x');
		folder_write(&f, "saved_model.pb", buf_span(&content));
		assert_int_equal(saved_model_file_read(f.fd, "saved_model.pb", &file, &err), 0);
		crc[i] = file.crc;
	}
	assert_true(crc[0] == crc[1] && crc[0] != crc[2]);
	folder_unmake(&f);
}

/* Wherever it is cut, what is left is walked as if it had been read whole. */
TEST(cut_file)
{
	cleanup_buf struct buf content = {0};
	struct error err = {0};
	struct folder f;

	folder_make(&f);
	write_model(&f, GRAPH, 'x', &content);
	for (size_t n = GRAPH - 40; n<content.n; n += n> GRAPH && n < 3 * GRAPH ? 997 * 97 : 7) {
		cleanup_saved_model_file struct saved_model_file file = {0};
		struct span cut = span_first(buf_span(&content), n);
		size_t served = 0, found = 0, expected = 0;

		folder_write(&f, "saved_model.pb", cut);
		assert_int_equal(saved_model_file_read(f.fd, "saved_model.pb", &file, &err), 0);
		assert_int_equal(saved_model_served(file.bytes, &served, &found, &err),
				 saved_model_served(cut, &served, &expected, NULL));
		assert_int_equal(found, expected);
	}
	folder_unmake(&f);
}

static int lengthen(const struct folder *f, const char *name, off_t size)
{
	cleanup_fd int fd = openat(f->fd, name, O_WRONLY | O_CLOEXEC);

	return ftruncate(fd, size); /* sparse */
}

TEST(what_is_no_file_or_too_large)
{
	struct saved_model_file file = {0};
	struct error err = {0};
	struct folder f;

	folder_make(&f);
	assert_refused(saved_model_file_read(f.fd, "saved_model.pb", &file, &err), -ENOENT, &err,
		       "saved_model.pb: No such file");
	assert_refused(saved_model_file_read(f.fd, ".", &file, &err), -EINVAL, &err,
		       "not a regular file");
	folder_write(&f, "saved_model.pb", (struct span){0});
	assert_int_equal(saved_model_file_read(f.fd, "saved_model.pb", &file, &err), 0);
	assert_int_equal(file.bytes.n, 0);
	saved_model_file_release(&file);
	assert_return_code(lengthen(&f, "saved_model.pb", (off_t)1 << 31), errno);
	assert_refused(saved_model_file_read(f.fd, "saved_model.pb", &file, &err), -EFBIG, &err,
		       "saved_model.pb: 2147483648 bytes, more than the 2147483647");
	folder_unmake(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_file_is_read_whole),
		cmocka_unit_test(graph_of_a_large_file_is_stepped_over),
		cmocka_unit_test(checksum_of_a_large_file),
		cmocka_unit_test(cut_file),
		cmocka_unit_test(what_is_no_file_or_too_large),
	};

	return RUN(tests);
}
