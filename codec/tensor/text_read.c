#include "codec/tensor/text_read.h"

#include <stdio.h>

#include "codec/tensor/number_text.h"

enum { WINDOW = 64 << 10 };

/*
 * The text is seen through a window that is moved on; a word lies in the window as a whole, for
 * what is begun is moved to the front before the rest follows.
 */
struct reader {
	const struct text_layout *l;
	const struct text_source *source;
	text_sink *sink;
	void *context;
	struct error *err;
	uint8_t *window;
	size_t at, n;	     /* the next byte; the bytes that the window has */
	uint64_t offset;     /* of the window in the text */
	uint64_t line;	     /* the current one, from 1, */
	uint64_t line_start; /* and where it begins in the text */
	uint8_t *part;	     /* elements that were not handed on yet, */
	size_t count, most;  /* so many; so many have room */
	uint64_t done;	     /* elements that were handed on */
};

/* ---- the window ---- */

/* Drops what was read and fills the window up. 0: it has no more than it had. */
static int fill(struct reader *r)
{
	uint64_t left;
	size_t more;
	int res;

	memmove(r->window, r->window + r->at, r->n - r->at);
	r->offset += r->at;
	r->n -= r->at;
	r->at = 0;
	left = r->source->size - r->offset - r->n;
	more = left < WINDOW - r->n ? (size_t)left : WINDOW - r->n;
	if (!more)
		return 0;
	res = r->source->copy(r->source->context, r->offset + r->n, more, r->window + r->n, r->err);
	r->n += more;
	return res < 0 ? res : 1;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool ends_word(uint8_t c)
{
	return is_space(c) || c == ',' || c == '#';
}

static void next_line(struct reader *r)
{
	r->line++;
	r->line_start = r->offset + r->at;
}

static int skip_comment(struct reader *r)
{
	int res = 1;

	while (res > 0) {
		const uint8_t *end = memchr(r->window + r->at, '\n', r->n - r->at);

		r->at = end ? (size_t)(end - r->window) : r->n;
		if (end)
			return 1;
		res = fill(r);
	}
	return res;
}

/* Goes to the first byte of the next word: 1. 0: there is none. */
static int find_word(struct reader *r)
{
	int res = 1;

	while (res > 0) {
		if (r->at == r->n) {
			res = fill(r);
		} else if (r->window[r->at] == '#') {
			res = skip_comment(r);
		} else if (!ends_word(r->window[r->at])) {
			return 1;
		} else if (r->window[r->at++] == '\n') {
			next_line(r);
		}
	}
	return res;
}

/* The word that begins here, as far as TEXT_WORD_MAX bytes and one. */
static int take_word(struct reader *r, struct span *ret)
{
	size_t n = 0;
	int res = 1;

	while (res > 0 && n <= TEXT_WORD_MAX) {
		while (r->at + n < r->n && n <= TEXT_WORD_MAX && !ends_word(r->window[r->at + n]))
			n++;
		if (r->at + n < r->n)
			break;
		res = fill(r);
	}
	*ret = span_of(r->window + r->at, n);
	return res < 0 ? res : 0;
}

/* ---- the first line ---- */

static void add_compact(struct span line, struct buf *out)
{
	for (size_t i = 0; i < line.n; i++)
		if (!is_space(line.p[i]))
			buf_add_u8(out, line.p[i]);
}

/* True of a comment without its spaces that begins as ours: "#float32[". */
static bool says_dtype(const struct buf *comment)
{
	const uint8_t *end = memchr(comment->p, '[', comment->n);
	struct dtype_name name = {0};
	size_t n = end ? (size_t)(end - comment->p) - 1 : sizeof(name.text);

	if (n >= sizeof(name.text))
		return false;
	memcpy(name.text, comment->p + 1, n);
	return dtype_from_name(name.text) >= 0;
}

/* The window is at the beginning of the text. */
static int check_first_line(const struct reader *r)
{
	const uint8_t *end = r->n ? memchr(r->window, '\n', r->n) : NULL;
	struct span line = span_of(r->window, end ? (size_t)(end - r->window) : r->n);
	cleanup_buf struct buf said = {0}, ours = {0}, expected = {0};

	if (!line.n || line.p[0] != '#')
		return 0;
	buf_printf(&ours, "# %s ", dtype_name(r->l->dtype).text);
	shape_print(&r->l->shape, &ours);
	add_compact(buf_span(&ours), &expected);
	add_compact(line, &said);
	if (said.failed || buf_error(&expected) < 0)
		return -ENOMEM;
	if (!says_dtype(&said) || span_equal(buf_span(&said), buf_span(&expected)))
		return 0;
	return error_set(r->err, -EINVAL,
			 "line 1: the text is \"%s\", the tensor \"%s\"; a text cannot change its "
			 "dtype or shape",
			 quote(line), quote(buf_span(&ours)));
}

/* ---- numbers ---- */

/* With the place of the word that begins here. */
static int refuse(const struct reader *r, struct span word, const char *what)
{
	return error_set(r->err, -EINVAL, "line %llu, column %llu: \"%s\" %s",
			 (unsigned long long)r->line,
			 (unsigned long long)(r->offset + r->at - r->line_start + 1), quote(word),
			 what);
}

static int refuse_number(const struct reader *r, struct span word, enum number_text_fault fault)
{
	struct dtype_name name = dtype_name(r->l->dtype);
	char what[80];

	switch (fault) {
	case NUMBER_TEXT_RANGE:
		snprintf(what, sizeof(what), "is out of the range of %s", name.text);
		return refuse(r, word, what);
	case NUMBER_TEXT_FRACTION:
		snprintf(what, sizeof(what), "has a fraction, and %s is of integers", name.text);
		return refuse(r, word, what);
	case NUMBER_TEXT_SPECIAL:
		snprintf(what, sizeof(what), "is nothing that %s has", name.text);
		return refuse(r, word, what);
	default: return refuse(r, word, "is no number");
	}
}

static int hand_on(struct reader *r)
{
	int res = r->count ? r->sink(r->context, r->done, r->count, r->part, r->err) : 0;

	r->done += r->count;
	r->count = 0;
	return res;
}

static int read_number(struct reader *r)
{
	uint32_t dtype = r->l->dtype;
	enum number_text_fault fault = NUMBER_TEXT_NONE;
	char what[80];
	struct span word;
	int res = take_word(r, &word);

	if (res < 0)
		return res;
	if (r->done + r->count == r->l->elements) {
		snprintf(what, sizeof(what), "is one too many: the tensor has %llu number%s",
			 (unsigned long long)r->l->elements, r->l->elements == 1 ? "" : "s");
		return refuse(r, word, what);
	}
	if (word.n <= TEXT_WORD_MAX)
		fault = number_text_parse(dtype, (const char *)word.p, word.n,
					  r->part + r->count * dtype_size(dtype));
	if (fault != NUMBER_TEXT_GOOD)
		return refuse_number(r, word, fault);
	r->at += word.n;
	r->count++;
	return r->count == r->most ? hand_on(r) : 0;
}

static int read_all(struct reader *r)
{
	int res = fill(r);

	if (res >= 0)
		res = check_first_line(r);
	while (res == 0 && (res = find_word(r)) > 0)
		res = read_number(r);
	if (res == 0)
		res = hand_on(r);
	if (res == 0 && r->done < r->l->elements)
		res = error_set(r->err, -EINVAL,
				"line %llu: the text ends after %llu number%s, the tensor has %llu",
				(unsigned long long)r->line, (unsigned long long)r->done,
				r->done == 1 ? "" : "s", (unsigned long long)r->l->elements);
	return res;
}

int text_read(const struct text_layout *l, const struct text_source *source, text_sink *sink,
	      void *context, struct error *err)
{
	cleanup_free uint8_t *window = malloc(WINDOW), *part = malloc(TEXT_PART);
	struct reader r = {
		.l = l,
		.source = source,
		.sink = sink,
		.context = context,
		.err = err,
		.window = window,
		.line = 1,
		.part = part,
		.most = TEXT_PART / dtype_size(l->dtype),
	};

	return window && part ? read_all(&r) : -ENOMEM;
}
