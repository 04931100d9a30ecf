#include "codec/work/data_file.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "codec/base/file.h"
#include "codec/base/mem.h"
#include "codec/work/region.h"

static const char magic[] = "weightfs appended shard, version 1\n";
const struct span data_file_magic = {(const uint8_t *)magic, sizeof(magic) - 1};

/* Address space is cheap: a map of this size is made once and the file grows into it. */
static const uint64_t map_first = (uint64_t)64 << 30, map_scarce = (uint64_t)64 << 20;

enum { SMALL_ALIGN = 64 };

struct data_name {
	char text[24];
};

static struct data_name data_name(uint32_t number)
{
	struct data_name name;

	snprintf(name.text, sizeof(name.text), "data.%u", number);
	return name;
}

bool data_file_is_ours(int fd)
{
	char start[sizeof(magic) - 1];

	return read_at(fd, start, sizeof(start), 0) == 0 &&
	       memcmp(start, magic, sizeof(start)) == 0;
}

/*
 * Where address space is scarce (ulimit -v), the map has room for little more than there is, or it
 * stays as it is: what lies behind it is read with read_at().
 */
static int map_file(struct data_file *d, uint64_t end)
{
	struct data_file *older = NULL;
	uint64_t size = end < map_first / 2 ? map_first : 2 * end;
	void *map = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, d->fd, 0);

	if (map == MAP_FAILED) {
		size = end < map_scarce / 2 ? map_scarce : 2 * end;
		map = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, d->fd, 0);
	}
	if (map == MAP_FAILED)
		return errno == ENOMEM ? 0 : -errno;
	if (d->map) {
		older = calloc(1, sizeof(*older));
		if (!older) {
			munmap(map, size);
			return -ENOMEM;
		}
		*older = (struct data_file){
			.map = d->map, .map_size = d->map_size, .older_map = d->older_map};
	}
	d->older_map = older;
	d->map = map;
	d->map_size = size;
	return 0;
}

static int data_file_new(int fd, uint32_t number, uint64_t end, struct data_file **ret)
{
	struct data_file *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	*d = (struct data_file){.fd = fd, .number = number, .refs = 1, .end = end};
	r = map_file(d, end);
	if (r < 0) {
		free(d);
		return r;
	}
	*ret = d;
	return 0;
}

int data_file_create(int workfd, uint32_t number, struct data_file **ret, struct error *err)
{
	struct data_name name = data_name(number);
	cleanup_fd int fd =
		openat(workfd, name.text, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return error_errno(err, "%s", name.text);
	r = write_at(fd, magic, sizeof(magic) - 1, 0);
	if (r == 0 && ftruncate(fd, DATA_HEADER) < 0)
		r = -errno;
	if (r == 0)
		r = data_file_new(fd, number, DATA_HEADER, ret);
	if (r < 0) {
		unlinkat(workfd, name.text, 0);
		return error_set(err, r, "%s: %s", name.text, strerror(-r));
	}
	(void)steal_fd(&fd);
	return 0;
}

int data_file_open(int workfd, uint32_t number, struct data_file **ret, struct error *err)
{
	struct data_name name = data_name(number);
	cleanup_fd int fd = openat(workfd, name.text, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "%s", name.text);
	if (!S_ISREG(st.st_mode) || st.st_size < DATA_HEADER || !data_file_is_ours(fd))
		return error_set(err, -EBADMSG, "%s: no data file of weightfs", name.text);
	r = data_file_new(fd, number, (uint64_t)st.st_size, ret);
	if (r < 0)
		return error_set(err, r, "%s: %s", name.text, strerror(-r));
	(void)steal_fd(&fd);
	return 0;
}

struct data_file *data_file_ref(struct data_file *d)
{
	d->refs++;
	return d;
}

void data_file_unref(struct data_file *d)
{
	if (!d || atomic_fetch_sub(&d->refs, 1) > 1)
		return;
	close(d->fd);
	while (d) {
		struct data_file *older = d->older_map;

		if (d->map)
			munmap((void *)(uintptr_t)d->map, d->map_size);
		free(d);
		d = older;
	}
}

void data_file_remove(int workfd, struct data_file *d)
{
	struct data_name name = data_name(d->number);

	data_file_unref(d);
	(void)unlinkat(workfd, name.text, 0);
}

int data_file_allocate(struct data_file *d, uint64_t size, uint64_t *ret_offset)
{
	uint64_t align = size < REGION_BLOCK ? SMALL_ALIGN : REGION_BLOCK;
	uint64_t offset = (d->end + align - 1) / align * align, end;
	int r;

	if (add_overflows(offset, size, &end) || end > INT64_MAX - DATA_HEADER)
		return -EFBIG;
	if (ftruncate(d->fd, (off_t)end) < 0)
		return -errno;
	if (end > d->map_size) {
		r = map_file(d, end);
		if (r < 0)
			return r;
	}
	d->end = end;
	*ret_offset = offset;
	return 0;
}

int data_file_adopt(struct data_file *d, uint64_t offset, uint64_t size)
{
	return offset < DATA_HEADER || offset > d->end || size > d->end - offset ? -EBADMSG : 0;
}

const uint8_t *data_file_at(const struct data_file *d, uint64_t offset, uint64_t size)
{
	return offset + size <= d->map_size ? d->map + offset : NULL;
}

void data_file_punch(struct data_file *d, uint64_t offset, uint64_t size)
{
	(void)fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			(off_t)size);
}

void data_file_cut(struct data_file *d, uint64_t end)
{
	if (ftruncate(d->fd, (off_t)end) == 0)
		d->end = end;
}

int data_file_zero(struct data_file *d, uint64_t offset, uint64_t size)
{
	static const uint8_t zeros[65536];

	if (size && fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			      (off_t)size) == 0)
		return 0;
	while (size) {
		size_t n = size < sizeof(zeros) ? (size_t)size : sizeof(zeros);
		int r = write_at(d->fd, zeros, n, offset);

		if (r < 0)
			return r;
		offset += n;
		size -= n;
	}
	return 0;
}
