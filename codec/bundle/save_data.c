/* Tensors from where they lie, and from their edits, into a new data file. */
#include "codec/bundle/save_state.h"

#include "codec/content/content.h"
#include "codec/work/ledger.h"
#include "codec/base/crc32c.h"
#include "codec/work/region.h"
#include "codec/tensor/slices.h"
#include "codec/tensor/stored.h"

enum { PART = SAVER_PART };

bool saver_has_run(const struct saver_entry *e)
{
	return e->own || e->tensor->storage.type == STORED_EXTENT;
}

struct stored_run saver_run(const struct saver_entry *e)
{
	if (e->own)
		return e->own->run;
	return saver_has_run(e) ? tensor_run(e->tensor, 0) : (struct stored_run){0};
}

int saver_entry_error(struct saver *s, const struct saver_entry *e, int r)
{
	if (r < 0 && e->own && e->own->whole.n)
		return error_prefix(s->err, r, "slice %u of '%s'", e->own->slice,
				    quote(e->own->whole));
	return r < 0 ? error_prefix(s->err, r, "'%s'", quote(e->own ? e->own->key : e->tensor->key))
		     : 0;
}

void saver_progress(struct saver *s, uint64_t bytes)
{
	const struct commit_options *o = s->stage->options;

	s->done += bytes;
	if (o && o->progress)
		o->progress(o->context, s->done < s->all ? s->done : s->all, s->all);
}

/* ---- reading what is there ---- */

int saver_old_shard(struct saver *s, uint32_t shard)
{
	if (s->fd >= 0 && s->shard == shard)
		return s->fd;
	close_pointer(&s->fd);
	s->fd = shard_open(&s->m->shards[shard], s->m->place.rootfd, s->err);
	s->shard = shard;
	return s->fd;
}

/* The stored bytes are what the index says. Whatever is copied is verified: damage is never
 * sealed with a fresh checksum. */
int saver_verify_base(struct saver *s, const struct saver_entry *e)
{
	struct stored_run run = saver_run(e);
	int fd = saver_old_shard(s, run.extent.shard);
	int r = fd < 0 ? fd : stored_verify(fd, &run, s->err);

	if (fd < 0 || (r != -EBADMSG && r != -EIO))
		return r;
	return error_add(s->err, -EIO,
			 "; the save would have to copy these bytes: write all of it anew, as with "
			 "cp, or drop the edits with 'weightctl discard'");
}

static int copy_base(struct saver *s, struct extent from, int to, uint64_t offset)
{
	int fd = saver_old_shard(s, from.shard), r = fd < 0 ? fd : 0;

	for (uint64_t done = 0; done < from.size && r == 0;) {
		uint64_t left = from.size - done;
		size_t n = left < PART ? (size_t)left : PART;

		r = read_at(fd, s->part, n, from.offset + done);
		if (r == 0)
			r = write_at(to, s->part, n, offset + done);
		done += n;
	}
	return r;
}

/* The edits of the variable that the entry is, or is a slice of; NULL: there are none. */
static struct region *overlay_of(const struct saver *s, const struct saver_entry *e)
{
	return e->tensor && saver_has_run(e) ? ledger_region(s->m, e->tensor->id) : NULL;
}

bool saver_is_edited(const struct saver *s, const struct saver_entry *e)
{
	return overlay_of(s, e) != NULL;
}

/* ---- a fresh shard ---- */

/* Where the bytes of a tensor are being written, with their checksum so far. */
struct output {
	int fd;
	uint64_t offset;
	uint32_t crc;
};

static int put_bytes(struct output *o, struct span bytes)
{
	int r = write_at(o->fd, bytes.p, bytes.n, o->offset);

	o->offset += bytes.n;
	o->crc = crc32c_extend(o->crc, bytes);
	return r;
}

/* Writes an edited tensor as it is now. */
static int put_whole(struct saver *s, struct content *c, uint64_t size, struct output *o)
{
	int r = 0;

	for (uint64_t done = 0; done < size && r == 0;) {
		size_t n = size - done < PART ? (size_t)(size - done) : PART;

		r = content_accepted(c, done, n, s->part, s->err);
		if (r == 0)
			r = put_bytes(o, span_of(s->part, n));
		done += n;
	}
	return r;
}

/*
 * Writes one slice of an edited variable. Its runs may be short, so the whole is read in windows,
 * and what is in a window is collected.
 */
static int put_slice(struct saver *s, struct content *c, const struct own_entry *e,
		     struct output *o)
{
	const struct tensor *whole = c->tensor;
	uint64_t window = 0, window_n = 0, size = tensor_size(whole), all = e->run.extent.size;
	cleanup_buf struct buf collected = {0};
	int r = 0;

	for (uint64_t done = 0; done < all && r == 0;) {
		struct slice_run run = slices_reverse(whole->storage.slices, &whole->shape,
						      dtype_size(whole->dtype), e->slice, done);
		uint64_t n;

		if (run.offset < window || run.offset >= window + window_n) {
			window = run.offset;
			window_n = size - window < PART ? size - window : PART;
			r = content_accepted(c, window, (size_t)window_n, s->part, s->err);
		}
		n = window + window_n - run.offset;
		n = run.size < n ? run.size : n;
		buf_add(&collected, span_of(s->part + (run.offset - window), (size_t)n));
		done += n;
		if (r == 0 && (collected.n >= PART || done == all)) {
			r = collected.failed ? -ENOMEM : put_bytes(o, buf_span(&collected));
			buf_reset(&collected);
		}
	}
	return r;
}

static int write_edited(struct saver *s, struct saver_entry *e, int to)
{
	struct content *c = content_get(s->m, e->tensor);
	struct output o = {to, e->to.offset, 0};
	struct stored_run run = saver_run(e);
	int r = -ENOMEM;

	if (c) {
		r = e->own ? put_slice(s, c, e->own, &o) : put_whole(s, c, e->to.size, &o);
		content_put(c);
	}
	e->to.crc = crc32c_mask(o.crc);
	run.extent = e->to;
	if (r == 0 && run.dtype == DTYPE_STRING) /* its checksum is not just over these bytes */
		r = stored_checksum(to, &run, &e->to.crc, s->err);
	return r;
}

uint64_t saver_size(const struct saver *s, const struct saver_entry *e)
{
	const struct region *overlay = e->own ? NULL : overlay_of(s, e);

	return overlay ? overlay->size : saver_run(e).extent.size;
}

int saver_write_entry(struct saver *s, struct saver_entry *e, int to)
{
	const struct region *overlay = overlay_of(s, e);
	int r = 0;

	if (!overlay || overlay->present) /* the base shows, all of it or in part */
		r = saver_verify_base(s, e);
	if (r == 0)
		r = overlay ? write_edited(s, e, to)
			    : copy_base(s, saver_run(e).extent, to, e->to.offset);
	if (r < 0 && !s->err->text[0])
		error_set(s->err, r, "writing the new data file: %s", strerror(-r));
	return saver_entry_error(s, e, r);
}

/* What was written is read again and checked. */
static int verify_new(struct saver *s, const struct saver_entry *e, int fd)
{
	struct stored_run run = saver_run(e);
	int r;

	run.extent = e->to;
	r = stored_verify(fd, &run, s->err);
	return saver_entry_error(s, e, r == -EBADMSG ? -EIO : r);
}

int saver_write_all(struct saver *s, int to)
{
	uint64_t end = 0;
	int r = 0;

	for (size_t i = 0; i < s->n; i++)
		if (saver_has_run(&s->entries[i]))
			s->all += 2 * saver_size(s, &s->entries[i]);

	for (size_t i = 0; i < s->n && r == 0; i++) {
		struct saver_entry *e = &s->entries[s->order[i]];

		if (!saver_has_run(e))
			continue;
		e->to = (struct extent){0, saver_run(e).extent.crc, end, saver_size(s, e)};
		e->moved = true;
		r = saver_write_entry(s, e, to);
		end += e->to.size;
		saver_progress(s, e->to.size);
	}
	if (r == 0 && fsync(to) < 0)
		r = error_errno(s->err, "writing the new data file");
	for (size_t i = 0; i < s->n && r == 0; i++) {
		if (!s->entries[i].moved)
			continue;
		r = verify_new(s, &s->entries[i], to);
		saver_progress(s, s->entries[i].to.size);
	}
	return r;
}
