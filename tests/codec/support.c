#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void add_hex(struct buf *out, const char *text)
{
	while (*text) {
		if (*text == ' ') {
			text++;
			continue;
		}
		if (digit(text[0]) < 0 || digit(text[1]) < 0)
			fail_msg("no hex digits: %s", text);
		buf_add_u8(out, (uint8_t)(digit(text[0]) << 4 | digit(text[1])));
		text += 2;
	}
}

static void print_bytes(const char *what, struct span bytes)
{
	cleanup_buf struct buf text = {0};

	for (size_t i = 0; i < bytes.n && i < 400; i++)
		buf_printf(&text, "%02x", bytes.p[i]);
	print_error("%s %zu bytes: %.*s\n", what, bytes.n, (int)text.n, text.p);
}

void check_equal(struct span bytes, struct span expected, const char *file, int line)
{
	if (span_equal(bytes, expected))
		return;
	print_bytes("found   ", bytes);
	print_bytes("expected", expected);
	_fail(file, line);
}

void check_hex(struct span bytes, const char *text, const char *file, int line)
{
	cleanup_buf struct buf expected = {0};

	add_hex(&expected, text);
	check_equal(bytes, buf_span(&expected), file, line);
}

void check_refused(int r, int code, const struct error *err, const char *words, const char *file,
		   int line)
{
	if (r == code && strstr(err->text, words))
		return;
	print_error("found    %d \"%s\"\nexpected %d \"... %s ...\"\n", r, err->text, code, words);
	_fail(file, line);
}

uint64_t random_next(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint64_t random_below(uint64_t *seed, uint64_t n)
{
	return random_next(seed) % n;
}

void folder_make(struct folder *f)
{
	const char *parent = getenv("TMPDIR");

	snprintf(f->path, sizeof(f->path), "%s/weightfs-test-XXXXXX", parent ? parent : "/dev/shm");
	if (!mkdtemp(f->path))
		fail_msg("%s: %s", f->path, strerror(errno));
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
}

void folder_unmake(struct folder *f)
{
	DIR *dir = fdopendir(f->fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(f->fd, entry->d_name, 0);
	closedir(dir);
	assert_return_code(rmdir(f->path), errno);
}

void folder_read(const struct folder *f, const char *name, struct buf *out)
{
	int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *p;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	p = buf_extend(out, (size_t)st.st_size);
	assert_non_null(p);
	assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
	close(fd);
}

void folder_write(const struct folder *f, const char *name, struct span content)
{
	int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.p, content.n), content.n);
	close(fd);
}
