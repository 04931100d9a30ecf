#include "fs/view/draft.h"

#include "fs/view/kind.h"

static int failed(int r, struct error *err)
{
	return error_set(err, r, "work folder: %s", strerror(-r));
}

/* Copies the first n bytes of the pieces. */
static int copy_pieces(const struct pieces *p, int fd, uint64_t n, struct error *err)
{
	enum { PART = 1 << 20 };
	cleanup_free uint8_t *part = n ? malloc(PART) : NULL;
	int r = part || !n ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < n && r == 0;) {
		size_t some = n - at < PART ? (size_t)(n - at) : PART;

		pieces_hold(p, at, some);
		r = pieces_copy(p, at, some, part, err);
		pieces_unhold(p, at, some);
		if (r < 0)
			return r;
		r = write_at(fd, part, some, at);
		if (r < 0)
			failed(r, err);
		at += some;
	}
	return r;
}

int draft_begin(struct draft_file *d, struct model *m, struct object of,
		const struct pieces *pieces, uint64_t keep, struct error *err)
{
	struct scratch *scratch;
	int r = scratch_new_file(m, of, &scratch, err);

	if (r < 0)
		return r;
	keep = keep < pieces->size ? keep : pieces->size;
	r = copy_pieces(pieces, scratch->fd, keep, err);
	if (r < 0)
		scratch_free(m, scratch);
	else
		*d = (struct draft_file){.scratch = scratch, .size = keep};
	return r;
}

int draft_write(struct draft_file *d, const void *bytes, size_t n, uint64_t offset,
		struct error *err)
{
	int r = write_at(d->scratch->fd, bytes, n, offset);

	if (r < 0) {
		d->failed = r;
		return failed(r, err);
	}
	d->written = true;
	if (d->size < offset + n)
		d->size = offset + n;
	return 0;
}

int draft_truncate(struct draft_file *d, uint64_t size, struct error *err)
{
	if (ftruncate(d->scratch->fd, (off_t)size) < 0)
		return error_errno(err, "work folder");
	d->size = size;
	d->written |= size > 0;
	d->failed = 0;
	return 0;
}

int draft_copy(const struct draft_file *d, uint64_t offset, size_t n, void *to, struct error *err)
{
	int r = read_at(d->scratch->fd, to, n, offset);

	return r < 0 ? failed(r, err) : 0;
}

void draft_drop(struct draft_file *d, struct model *m)
{
	scratch_free(m, steal_pointer(d->scratch));
}

int draft_read(const struct draft *d, struct buf *out, struct error *err)
{
	uint8_t *p = buf_extend(out, (size_t)d->size);
	int r = p ? read_at(d->fd, p, (size_t)d->size, 0) : -ENOMEM;

	return r < 0 ? failed(r, err) : 0;
}
