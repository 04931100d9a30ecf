/*
 * The reader only goes forward: what lies before `done` was read, or was stepped over for good.
 * Headers of fields are read through windows, so many small fields cost few system calls.
 */
#include "codec/saved_model/saved_model_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "codec/base/crc32c.h"
#include "codec/saved_model/saved_model.h"

static const uint64_t file_max = INT32_MAX; /* bytes: no message is longer */

enum { WINDOW = 64 << 10, WHOLE_MAX = 1 << 20, WANTED_MAX = 256 << 20, HEADER_MAX = 20 };

struct reader {
	int fd;
	uint8_t *p;
	size_t n, done;
	uint64_t left; /* bytes that may still be wanted */
	uint32_t crc;
};

/* Makes n bytes be there; at once what is likely to be wanted next. */
static int fill(struct reader *r, struct span wanted)
{
	size_t from = (size_t)(wanted.p - r->p), to = from + wanted.n;
	int res;

	if (!wanted.n || to <= r->done)
		return 0;
	from = from > r->done ? from : r->done;
	if (to - from < WINDOW)
		to = r->n - from < WINDOW ? r->n : from + WINDOW;
	if (to - from > r->left)
		return -EFBIG;
	r->left -= to - from;
	res = read_at(r->fd, r->p + from, to - from, from);
	if (res == 0)
		r->crc = crc32c_extend(r->crc, span_of(r->p + from, to - from));
	r->done = to;
	return res;
}

/* As pb_next(); a field of which the header is there, not the content. */
static int next(struct reader *r, struct span *message, struct pb_field *ret)
{
	int res = fill(r, span_first(*message, message->n < HEADER_MAX ? message->n : HEADER_MAX));

	return res < 0 ? res : pb_next(message, ret);
}

static int fill_metagraph(struct reader *r, struct span body)
{
	struct pb_field f;
	int res;

	while ((res = next(r, &body, &f)) > 0) {
		if (f.type != PB_BYTES)
			continue;
		switch (f.number) {
		case META_GRAPH_INFO:
		case META_GRAPH_SIGNATURE:
		case META_GRAPH_ASSET:
		case META_GRAPH_OBJECT_GRAPH: res = fill(r, f.bytes); break;
		default: break;
		}
		if (res < 0)
			return res;
	}
	return res;
}

static int fill_file(struct reader *r)
{
	struct span file = span_of(r->p, r->n);
	struct pb_field f;
	int res;

	if (file.n <= WHOLE_MAX)
		return fill(r, file);
	while ((res = next(r, &file, &f)) > 0) {
		if (f.type == PB_BYTES && f.number == SAVED_MODEL_META_GRAPHS)
			res = fill_metagraph(r, f.bytes);
		if (res < 0)
			break;
	}
	/* Who walks it will say what is wrong with it, and where. */
	return res == -EBADMSG ? 0 : res;
}

/* Reads what is wanted into memory that takes no more than that. */
static int read_wanted(int fd, const char *name, struct saved_model_file *f, struct error *err)
{
	struct reader reader = {.fd = fd, .n = (size_t)f->id.size, .left = WANTED_MAX};
	void *map;
	int r;

	if (!reader.n)
		return 0;
	map = mmap(NULL, reader.n, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	reader.p = map;
	f->bytes = span_of(map, reader.n);
	r = fill_file(&reader);
	f->crc = reader.crc;
	if (r == -EFBIG)
		return error_set(err, r, "%s: what is to be read of it takes more than %d MiB",
				 name, WANTED_MAX >> 20);
	return r < 0 ? error_set(err, r, "%s: %s", name, strerror(-r))
		     : file_unchanged(fd, &f->id, name, err);
}

int saved_model_file_read(int dirfd, const char *name, struct saved_model_file *ret,
			  struct error *err)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cleanup_saved_model_file struct saved_model_file f = {0};
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "%s", name);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", name);
	f.id = file_id_of(&st);
	if (f.id.size > file_max)
		return error_set(err, -EFBIG, "%s: %llu bytes, more than the %llu that are handled",
				 name, (unsigned long long)f.id.size, (unsigned long long)file_max);
	r = read_wanted(fd, name, &f, err);
	if (r < 0)
		return r;
	*ret = f;
	f = (struct saved_model_file){0};
	return 0;
}

void saved_model_file_release(struct saved_model_file *f)
{
	if (f->bytes.n)
		munmap((void *)(uintptr_t)f->bytes.p, f->bytes.n);
	*f = (struct saved_model_file){0};
}
