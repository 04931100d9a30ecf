#include "codec/tensor/stored.h"

#include "codec/base/crc32c.h"
#include "codec/base/file.h"
#include "codec/tensor/slices.h"

/* A window that moves over the stored bytes; small, so that it stays in the processor's cache. */
enum { WINDOW = 256 << 10 };

size_t tensor_runs(const struct tensor *t)
{
	switch (t->storage.type) {
	case STORED_EXTENT: return 1;
	case STORED_SLICES: return t->storage.slices->n;
	default: return 0;
	}
}

struct stored_run tensor_run(const struct tensor *t, size_t i)
{
	struct stored_run run = {.dtype = t->dtype, .big_endian = t->storage.big_endian};
	struct shape shape = t->shape;

	if (t->storage.type == STORED_SLICES) {
		run.extent = t->storage.slices->slice[i].extent;
		shape.dims = t->storage.slices->slice[i].length;
	} else {
		run.extent = t->storage.extent;
	}
	(void)shape_elements(&shape, &run.elements); /* that they can be counted is known */
	return run;
}

struct stream {
	int fd;
	uint64_t offset; /* in the file, of what is behind the window */
	uint64_t left;	 /* bytes behind the window */
	struct span window;
	uint8_t *memory;
	const struct stored_watch *watch;
	struct error *err;
};

/* Moves the window on, keeping what was not taken yet. */
static int refill(struct stream *s)
{
	size_t kept = s->window.n;
	size_t n = WINDOW - kept < s->left ? WINDOW - kept : (size_t)s->left;
	int r;

	memmove(s->memory, s->window.p, kept);
	r = read_at(s->fd, s->memory + kept, n, s->offset);
	if (r < 0)
		return error_set(s->err, -EIO, "cannot read %zu bytes at offset %llu: %s", n,
				 (unsigned long long)s->offset,
				 r == -EIO ? "the file ends before" : strerror(-r));
	s->offset += n;
	s->left -= n;
	s->window = span_of(s->memory, kept + n);
	return 0;
}

/* At least n bytes (a few) in the window, or all that are left. */
static int need(struct stream *s, size_t n)
{
	return s->window.n >= n || !s->left ? 0 : refill(s);
}

static int too_short(struct stream *s)
{
	return error_set(s->err, -EBADMSG, "inner lengths run past the end of the tensor");
}

static int take_varint(struct stream *s, uint64_t *ret)
{
	int r = need(s, 10);

	if (r < 0)
		return r;
	return span_take_varint64(&s->window, ret) < 0 ? too_short(s) : 0;
}

static int take_checksum(struct stream *s, uint32_t *crc, bool big_endian)
{
	struct span bytes;
	uint32_t stored;
	int r = need(s, 4);

	if (r < 0)
		return r;
	if (span_take(&s->window, 4, &bytes) < 0)
		return too_short(s);
	stored = le32_at(bytes.p);
	if (big_endian)
		stored = __builtin_bswap32(stored);
	if (stored != crc32c_mask(*crc))
		return error_set(s->err, -EBADMSG,
				 "inner checksum mismatch: stored %08x, calculated %08x", stored,
				 crc32c_mask(*crc));
	*crc = crc32c_extend(*crc, bytes);
	return 0;
}

/* Extends the checksum by the next n bytes. */
static int take_bytes(struct stream *s, uint64_t n, uint32_t *crc)
{
	while (n) {
		struct span part;
		int r = need(s, 1);

		if (r < 0)
			return r;
		if (!s->window.n)
			return too_short(s);
		(void)span_take(&s->window, n < s->window.n ? n : s->window.n, &part);
		*crc = crc32c_extend(*crc, part);
		if (s->watch)
			s->watch->see(s->watch->context, part);
		n -= part.n;
	}
	return 0;
}

/* A length goes into the checksum as a number in the byte order of the bundle. */
static void add_length(uint32_t *crc, uint64_t length, bool wide, bool big_endian)
{
	uint8_t bytes[8];
	size_t n = wide ? 8 : 4;

	for (size_t i = 0; i < n; i++)
		bytes[big_endian ? n - 1 - i : i] = (uint8_t)(length >> (8 * i));
	*crc = crc32c_extend(*crc, span_of(bytes, n));
}

static int take_strings(struct stream *s, uint64_t elements, bool big_endian, uint32_t *crc)
{
	uint64_t length = 0, sum = 0;
	int r;

	if (!elements && !s->left)
		return 0; /* what older writers left of no strings at all */
	for (uint64_t i = 0; i < elements; i++) {
		r = take_varint(s, &length);
		if (r < 0)
			return r;
		if (add_overflows(sum, length, &sum))
			return too_short(s);
		add_length(crc, length, length > UINT32_MAX, big_endian);
	}
	r = take_checksum(s, crc, big_endian);
	return r < 0 ? r : take_bytes(s, sum, crc);
}

static int take_variants(struct stream *s, uint64_t elements, bool big_endian, uint32_t *crc)
{
	uint64_t length = 0;

	for (uint64_t i = 0; i < elements; i++) {
		int r = take_varint(s, &length);

		if (r < 0)
			return r;
		add_length(crc, length, true, big_endian);
		r = take_bytes(s, length, crc);
		if (r == 0)
			r = take_checksum(s, crc, big_endian);
		if (r < 0)
			return r;
	}
	return 0;
}

static int checksum(int fd, const struct stored_run *run, const struct stored_watch *watch,
		    uint32_t *ret, struct error *err)
{
	cleanup_free uint8_t *memory = malloc(WINDOW);
	struct stream s = {fd, run->extent.offset, run->extent.size, {0}, memory, watch, err};
	uint32_t crc = 0;
	int r;

	if (!memory)
		return -ENOMEM;
	s.window = span_of(memory, 0);
	if (run->dtype == DTYPE_STRING)
		r = take_strings(&s, run->elements, run->big_endian, &crc);
	else if (run->dtype == DTYPE_VARIANT)
		r = take_variants(&s, run->elements, run->big_endian, &crc);
	else
		r = take_bytes(&s, run->extent.size, &crc);
	if (r == 0)
		*ret = crc32c_mask(crc);
	return r;
}

int stored_checksum(int fd, const struct stored_run *run, uint32_t *ret, struct error *err)
{
	return checksum(fd, run, NULL, ret, err);
}

int stored_verify_watched(int fd, const struct stored_run *run, const struct stored_watch *watch,
			  struct error *err)
{
	uint32_t crc;
	int r = checksum(fd, run, watch, &crc, err);

	if (r == 0 && crc != run->extent.crc)
		r = error_set(err, -EIO, "checksum mismatch: stored %08x, calculated %08x",
			      run->extent.crc, crc);
	return r;
}

int stored_verify(int fd, const struct stored_run *run, struct error *err)
{
	return stored_verify_watched(fd, run, NULL, err);
}

int strings_open(struct strings *s, struct span stored, uint64_t elements, struct error *err)
{
	struct span lengths = stored, checksum;
	uint64_t sum = 0, length;

	*s = (struct strings){0};
	if (!elements)
		return 0;
	for (uint64_t i = 0; i < elements; i++)
		if (span_take_varint64(&stored, &length) < 0 || add_overflows(sum, length, &sum))
			return error_set(err, -EBADMSG, "string %llu has no length",
					 (unsigned long long)i);
	lengths = span_first(lengths, lengths.n - stored.n);
	if (span_take(&stored, 4, &checksum) < 0 || sum > stored.n)
		return error_set(err, -EBADMSG,
				 "%llu strings of %llu bytes in all, but %zu bytes are stored",
				 (unsigned long long)elements, (unsigned long long)sum, stored.n);
	/* Bytes behind the last string belong to nothing; TensorFlow passes over them too. */
	*s = (struct strings){lengths, span_first(stored, (size_t)sum), elements};
	return 0;
}

bool strings_next(struct strings *s, struct span *ret)
{
	uint64_t length;

	if (!s->left)
		return false;
	s->left--;
	return span_take_varint64(&s->lengths, &length) == 0 &&
	       span_take(&s->bytes, length, ret) == 0;
}

int strings_store(struct span lengths, struct span bytes, uint64_t elements, struct buf *out)
{
	struct span rest = lengths;
	uint32_t crc = 0;

	for (uint64_t i = 0; i < elements; i++) {
		uint64_t length;

		if (span_take_varint64(&rest, &length) < 0)
			return -EINVAL;
		add_length(&crc, length, length > UINT32_MAX, false);
	}
	buf_add(out, lengths);
	buf_add_le32(out, crc32c_mask(crc));
	buf_add(out, bytes);
	return buf_error(out);
}
