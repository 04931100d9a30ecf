/* Tensors from where they lie, and from their edits, into a new data file. */
#include "codec/bundle/save_state.h"

#include "codec/content/content.h"
#include "codec/base/crc32c.h"
#include "codec/work/region.h"
#include "codec/tensor/slices.h"
#include "codec/tensor/stored.h"

enum { PART = SAVER_PART };

bool saver_has_extent(const struct tensor *t)
{
	return !t->slices && !t->damage;
}

int saver_tensor_error(struct saver *s, const struct tensor *t, int r)
{
	if (r < 0 && t->is_slice)
		return error_prefix(s->err, r, "slice %u of '%s'", t->part,
				    quote(s->m->tensors[t->whole].key));
	return r < 0 ? error_prefix(s->err, r, "'%s'", quote(t->key)) : 0;
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
int saver_verify_base(struct saver *s, const struct tensor *t)
{
	uint64_t elements;
	int fd = saver_old_shard(s, t->base.shard);
	int r = fd < 0 ? fd : shape_elements(&t->shape, &elements);

	if (r < 0)
		return r;
	r = stored_verify(fd, &t->base, t->dtype, elements, s->m->big_endian, s->err);
	if (r != -EBADMSG && r != -EIO)
		return r;
	return error_add(s->err, -EIO,
			 "; the save would have to copy these bytes: write all of it anew, as with "
			 "cp, or drop the edits with 'weightctl discard'");
}

static int copy_base(struct saver *s, const struct tensor *t, int to, uint64_t offset)
{
	int fd = saver_old_shard(s, t->base.shard), r = fd < 0 ? fd : 0;

	for (uint64_t done = 0; done < t->base.size && r == 0;) {
		uint64_t left = t->base.size - done;
		size_t n = left < PART ? (size_t)left : PART;

		r = read_at(fd, s->part, n, t->base.offset + done);
		if (r == 0)
			r = write_at(to, s->part, n, offset + done);
		done += n;
	}
	return r;
}

/* The content whose edits are in this entry: its own, or that of the variable it is a slice of. */
static struct content *content_of(const struct saver *s, const struct tensor *t)
{
	return t->is_slice ? s->m->tensors[t->whole].content : t->content;
}

bool saver_is_edited(const struct saver *s, const struct tensor *t)
{
	const struct tensor *whole = t->is_slice ? &s->m->tensors[t->whole] : t;

	return saver_has_extent(t) && content_overlay(s->m, whole);
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
static int put_slice(struct saver *s, struct content *c, const struct tensor *t, struct output *o)
{
	const struct tensor *whole = c->tensor;
	uint64_t window = 0, window_n = 0, size = tensor_size(whole);
	cleanup_buf struct buf collected = {0};
	int r = 0;

	for (uint64_t done = 0; done < t->base.size && r == 0;) {
		struct slice_run run = slices_place(whole->slices, &whole->shape,
						    dtype_size(whole->dtype), t->part, done);
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
		if (r == 0 && (collected.n >= PART || done == t->base.size)) {
			r = collected.failed ? -ENOMEM : put_bytes(o, buf_span(&collected));
			buf_reset(&collected);
		}
	}
	return r;
}

static int write_edited(struct saver *s, const struct tensor *t, int to, struct extent *at)
{
	struct content *c = content_of(s, t);
	struct output o = {to, at->offset, 0};
	uint64_t elements;
	int r = t->is_slice ? put_slice(s, c, t, &o) : put_whole(s, c, at->size, &o);

	at->crc = crc32c_mask(o.crc);
	if (r == 0 && t->dtype == DTYPE_STRING) /* its checksum is not just over these bytes */
		r = shape_elements(&t->shape, &elements);
	if (r == 0 && t->dtype == DTYPE_STRING)
		r = stored_checksum(to, at, t->dtype, elements, false, &at->crc, s->err);
	return r;
}

uint64_t saver_size(const struct saver *s, const struct tensor *t)
{
	const struct region *overlay = t->is_slice ? NULL : content_overlay(s->m, t);

	return overlay ? overlay->size : t->base.size;
}

int saver_write_tensor(struct saver *s, const struct tensor *t, int to, struct extent *at)
{
	bool edited = saver_is_edited(s, t);
	int r = 0;

	if (!edited ||
	    content_of(s, t)->overlay->present) /* the base shows, all of it or in part */
		r = saver_verify_base(s, t);
	if (r == 0)
		r = edited ? write_edited(s, t, to, at) : copy_base(s, t, to, at->offset);
	if (r < 0 && !s->err->text[0])
		error_set(s->err, r, "writing the new data file: %s", strerror(-r));
	return saver_tensor_error(s, t, r);
}

/* What was written is read again and checked. */
static int verify_new(struct saver *s, const struct tensor *t, int fd)
{
	const struct move *move = &s->moves[t - s->m->tensors];
	uint64_t elements;
	int r = shape_elements(&t->shape, &elements);

	if (r == 0)
		r = stored_verify(fd, &move->to, t->dtype, elements, s->m->big_endian, s->err);
	return saver_tensor_error(s, t, r == -EBADMSG ? -EIO : r);
}

int saver_write_all(struct saver *s, int to)
{
	uint64_t end = 0;
	int r = 0;

	for (size_t i = 0; i < s->m->n_ids; i++)
		if (saver_has_extent(&s->m->tensors[i]))
			s->all += 2 * saver_size(s, &s->m->tensors[i]);

	for (size_t i = 0; i < s->m->n_ids && r == 0; i++) {
		const struct tensor *t = &s->m->tensors[s->order[i]];
		struct move *move = &s->moves[s->order[i]];

		if (!saver_has_extent(t))
			continue;
		move->to = (struct extent){0, t->base.crc, end, saver_size(s, t)};
		move->moved = true;
		r = saver_write_tensor(s, t, to, &move->to);
		end += move->to.size;
		saver_progress(s, move->to.size);
	}
	if (r == 0 && fsync(to) < 0)
		r = error_errno(s->err, "writing the new data file");
	for (size_t i = 0; i < s->m->n_ids && r == 0; i++) {
		if (!s->moves[i].moved)
			continue;
		r = verify_new(s, &s->m->tensors[i], to);
		saver_progress(s, s->moves[i].to.size);
	}
	return r;
}
