#include "fs/view/pieces.h"

enum piece_type { PIECE_BYTES, PIECE_CONTENT, PIECE_FILE, PIECE_GENERATED };

struct piece {
	enum piece_type type;
	uint64_t start, size; /* in the file that is shown */
	size_t offset;	      /* of bytes: where in the buffer */
	struct content *content;
	int fd;
	piece_generator *generate;
	void *context;
};

/* ---- composing ---- */

static int add(struct pieces *p, const struct piece *piece)
{
	struct piece *grown = vector_grow(p->list, p->n, &p->capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	p->list = grown;
	p->list[p->n] = *piece;
	p->list[p->n++].start = p->size;
	p->size += piece->size;
	return 0;
}

int pieces_end(struct pieces *p)
{
	struct piece piece = {.type = PIECE_BYTES, .offset = p->bytes_done, .fd = -1};

	piece.size = p->bytes.n - p->bytes_done;
	p->bytes_done = p->bytes.n;
	if (p->bytes.failed)
		return -ENOMEM;
	return piece.size ? add(p, &piece) : 0;
}

static int add_behind_bytes(struct pieces *p, const struct piece *piece)
{
	int r = pieces_end(p);

	return r < 0 ? r : add(p, piece);
}

int pieces_open_content(struct pieces *p, struct model *m, struct tensor *t, struct content **ret,
			struct error *err)
{
	struct content **grown = vector_grow(p->contents, p->n_contents, &p->contents_capacity,
					     sizeof(struct content *));
	int r;

	if (!grown)
		return -ENOMEM;
	p->contents = grown;
	r = content_open_within(m, t, ret, err);
	if (r < 0)
		p->lacks = true;
	else
		p->contents[p->n_contents++] = *ret;
	return r;
}

int pieces_add_content(struct pieces *p, struct model *m, struct tensor *t, struct error *err)
{
	struct piece piece = {.type = PIECE_CONTENT, .size = tensor_size(t), .fd = -1};
	int r = pieces_open_content(p, m, t, &piece.content, err);

	return r < 0 ? r : add_behind_bytes(p, &piece);
}

int pieces_add_file(struct pieces *p, int fd, uint64_t size)
{
	struct piece piece = {.type = PIECE_FILE, .size = size, .fd = fd};
	int r = add_behind_bytes(p, &piece);

	if (r < 0)
		close(fd);
	return r;
}

int pieces_add_generated(struct pieces *p, uint64_t size, piece_generator *generate, void *context)
{
	struct piece piece = {
		.type = PIECE_GENERATED,
		.size = size,
		.fd = -1,
		.generate = generate,
		.context = context,
	};
	int r = add_behind_bytes(p, &piece);

	if (r < 0)
		free(context);
	return r;
}

void pieces_release(struct pieces *p)
{
	for (size_t i = 0; i < p->n; i++) {
		close_pointer(&p->list[i].fd);
		free(p->list[i].context);
	}
	for (size_t i = 0; i < p->n_contents; i++)
		content_close(p->contents[i], false, NULL);
	free(p->contents);
	free(p->list);
	buf_release(&p->bytes);
	*p = (struct pieces){0};
}

/* ---- looking ---- */

struct content *pieces_whole_content(const struct pieces *p)
{
	return p->n == 1 ? p->list[0].content : NULL;
}

bool pieces_in_place(const struct pieces *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->list[i].content)
			return true;
	return false;
}

int pieces_verify(const struct pieces *p, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < p->n_contents && r == 0; i++)
		r = content_verify(p->contents[i], err);
	return r;
}

/* The first piece that ends behind offset; p->n if there is none. */
static size_t find(const struct pieces *p, uint64_t offset)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->list[middle].start + p->list[middle].size <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- holding ---- */

static void visit_contents(const struct pieces *p, uint64_t offset, size_t n,
			   void (*visit)(struct content *c))
{
	if (pieces_whole_content(p)) {
		visit(p->list[0].content);
		return;
	}
	for (size_t i = find(p, offset); i < p->n && p->list[i].start < offset + n; i++)
		if (p->list[i].content)
			visit(p->list[i].content);
}

void pieces_hold(const struct pieces *p, uint64_t offset, size_t n)
{
	visit_contents(p, offset, n, content_lock);
}

void pieces_unhold(const struct pieces *p, uint64_t offset, size_t n)
{
	visit_contents(p, offset, n, content_unlock);
}

uint64_t pieces_seen(const struct pieces *p)
{
	const struct content *whole = pieces_whole_content(p);

	return whole ? content_seen(whole) : p->size;
}

/* ---- reading ---- */

/* Calls visit() for the part of each piece that lies in [offset, offset + n). */
static int walk(const struct pieces *p, uint64_t offset, size_t n,
		int (*visit)(void *context, const struct piece *piece, uint64_t at, size_t n),
		void *context)
{
	int r = 0;

	for (size_t i = find(p, offset); i < p->n && n && r == 0; i++) {
		const struct piece *piece = &p->list[i];
		uint64_t at = offset - piece->start, left = piece->size - at;
		size_t part = n < left ? n : (size_t)left;

		if (part)
			r = visit(context, piece, at, part);
		offset += part;
		n -= part;
	}
	return r;
}

struct gathering {
	const struct pieces *pieces;
	struct iovec *iov;
	int n, max;
};

/* -E2BIG: it lies nowhere, or in too many places. */
static int gather(void *context, const struct piece *piece, uint64_t at, size_t n)
{
	struct gathering *g = context;
	struct iovec *iov = g->iov + g->n;
	int r, max = g->max - g->n;

	if (piece->type == PIECE_BYTES && max) {
		*iov = (struct iovec){g->pieces->bytes.p + piece->offset + at, n};
		r = 1;
	} else if (piece->type != PIECE_CONTENT) {
		r = -E2BIG;
	} else if (pieces_whole_content(g->pieces)) {
		r = content_read(piece->content, at, n, iov, max);
	} else {
		r = content_read_accepted(piece->content, at, n, iov, max);
	}
	g->n += r > 0 ? r : 0;
	return r < 0 ? r : 0;
}

struct copying {
	const struct pieces *pieces;
	uint8_t *to;
	struct error *err;
};

static int read_file(const struct copying *c, const struct piece *piece, uint64_t at, size_t n)
{
	int r = read_at(piece->fd, c->to, n, at);

	return r < 0 ? error_set(c->err, r, "%zu bytes at offset %llu: %s", n,
				 (unsigned long long)at, strerror(-r))
		     : 0;
}

static int copy(void *context, const struct piece *piece, uint64_t at, size_t n)
{
	struct copying *c = context;
	int r = 0;

	switch (piece->type) {
	case PIECE_BYTES: memcpy(c->to, c->pieces->bytes.p + piece->offset + at, n); break;
	case PIECE_FILE: r = read_file(c, piece, at, n); break;
	case PIECE_GENERATED: r = piece->generate(piece->context, at, n, c->to, c->err); break;
	case PIECE_CONTENT:
		r = pieces_whole_content(c->pieces)
			    ? content_copy_locked(piece->content, at, n, c->to, c->err)
			    : content_accepted(piece->content, at, n, c->to, c->err);
	}
	c->to += n;
	return r;
}

int pieces_read(const struct pieces *p, uint64_t offset, size_t n, uint8_t *buffer,
		struct iovec *iov, int max, struct error *err)
{
	struct gathering g = {p, iov, 0, max};
	struct copying c = {p, buffer, err};
	int r = walk(p, offset, n, gather, &g);

	if (r == 0)
		return g.n;
	if (r == -E2BIG)
		r = walk(p, offset, n, copy, &c);
	*iov = (struct iovec){buffer, n};
	return r < 0 ? r : 1;
}

int pieces_copy(const struct pieces *p, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	struct copying c = {p, to, err};

	return walk(p, offset, n, copy, &c);
}

/* ---- writing in place ---- */

struct writing {
	const struct pieces *pieces;
	const uint8_t *from;
	size_t done;
	struct error *err;
};

static int write_piece(void *context, const struct piece *piece, uint64_t at, size_t n)
{
	struct writing *w = context;
	const uint8_t *from = w->from + w->done;
	ssize_t r = (ssize_t)n;

	if (piece->type == PIECE_CONTENT)
		r = content_write(piece->content, from, n, at, w->err);
	else if (piece->type != PIECE_BYTES ||
		 memcmp(w->pieces->bytes.p + piece->offset + at, from, n) != 0)
		r = error_set(w->err, -EINVAL,
			      "what stands before the bytes of the tensor cannot be changed in "
			      "place; write the file anew");
	if (r > 0)
		w->done += (size_t)r;
	return r < 0 ? (int)r : 0;
}

ssize_t pieces_write(const struct pieces *p, const uint8_t *bytes, size_t n, uint64_t offset,
		     struct error *err)
{
	struct writing w = {p, bytes, 0, err};
	int r;

	if (n && offset >= p->size)
		return error_set(err, -EFBIG, "the file has %llu bytes",
				 (unsigned long long)p->size);
	r = walk(p, offset, n, write_piece, &w);
	return r < 0 ? r : (ssize_t)w.done;
}
