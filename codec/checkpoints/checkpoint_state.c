#include "codec/checkpoints/checkpoint_state.h"

#include <ctype.h>

#include "codec/base/utf8.h"

/* The fields are many or one, of strings or of numbers; all but the first are only passed over. */
struct field {
	const char *name;
	bool repeated, number;
};

static const struct field fields[] = {
	{"model_checkpoint_path", false, false},
	{"all_model_checkpoint_paths", true, false},
	{"all_model_checkpoint_timestamps", true, true},
	{"last_preserved_timestamp", false, true},
};

struct parser {
	struct span text, rest;
	struct buf string; /* the last one */
	struct error *err;
};

static int fault(const struct parser *p, const char *what)
{
	unsigned line = 1;

	for (const uint8_t *c = p->text.p; c < p->rest.p; c++)
		line += *c == '\n';
	return error_set(p->err, -EBADMSG, "line %u: %s", line, what);
}

/* The next byte, or -1 at the end. */
static int peek(const struct parser *p)
{
	return p->rest.n ? p->rest.p[0] : -1;
}

static void skip(struct parser *p)
{
	p->rest = span_skip(p->rest, 1);
}

static bool is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Goes to the next byte that says something: no space, no comment. */
static int next(struct parser *p)
{
	int c;

	while ((c = peek(p)) >= 0 && (is_space(c) || c == '#')) {
		if (c == '#')
			while (peek(p) >= 0 && peek(p) != '\n')
				skip(p);
		else
			skip(p);
	}
	return c;
}

/* Takes that byte, if it comes next. */
static bool take(struct parser *p, char c)
{
	if (next(p) != c)
		return false;
	skip(p);
	return true;
}

/* ---- strings ---- */

static int digit(int c, unsigned base)
{
	int v = c >= '0' && c <= '9' ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : 16;

	return v < (int)base ? v : -1;
}

/* At most max digits, of which there must be min. */
static int take_number(struct parser *p, unsigned base, int min, int max, uint32_t *ret)
{
	uint32_t v = 0;
	int n = 0, d;

	while (n < max && peek(p) >= 0 && (d = digit(peek(p), base)) >= 0) {
		v = v * base + (unsigned)d;
		skip(p);
		n++;
	}
	*ret = v;
	return n < min ? fault(p, "an escape without its digits") : 0;
}

static void add_utf8(struct buf *out, uint32_t c)
{
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};

	buf_add_u8(out, (uint8_t)(first[more] | c >> (6 * more)));
	while (more--)
		buf_add_u8(out, (uint8_t)(0x80 | (c >> (6 * more) & 0x3f)));
}

static int take_coded(struct parser *p, int c)
{
	uint32_t v;
	int r = c == 'x'   ? take_number(p, 16, 1, 2, &v)
		: c == 'u' ? take_number(p, 16, 4, 4, &v)
		: c == 'U' ? take_number(p, 16, 8, 8, &v)
			   : take_number(p, 8, 1, 3, &v);

	if (r < 0)
		return r;
	if (c != 'u' && c != 'U') {
		buf_add_u8(&p->string, (uint8_t)v);
		return v > 0xff ? fault(p, "an escape beyond \\377") : 0;
	}
	if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return fault(p, "an escape that is no character");
	add_utf8(&p->string, v);
	return 0;
}

/* What follows a backslash. One that means nothing stays as it is, as in Python. */
static int take_escape(struct parser *p)
{
	static const char plain[] = "abfnrtv\\'\"", means[] = "\a\b\f\n\r\t\v\\'\"";
	int c = peek(p);
	const char *at = c > 0 ? strchr(plain, c) : NULL;

	if (c < 0 || c == '\n')
		return fault(p, "a string without an end");
	if (c >= '0' && c <= '7')
		return take_coded(p, c);
	skip(p);
	if (c == 'x' || c == 'u' || c == 'U')
		return take_coded(p, c);
	if (!at)
		buf_add_u8(&p->string, '\\');
	buf_add_u8(&p->string, at ? (uint8_t)means[at - plain] : (uint8_t)c);
	return 0;
}

static int take_quoted(struct parser *p)
{
	int quote = peek(p), c, r = 0;

	skip(p);
	while (r == 0 && (c = peek(p)) != quote) {
		if (c < 0 || c == '\n')
			return fault(p, "a string without an end");
		skip(p);
		if (c == '\\')
			r = take_escape(p);
		else
			buf_add_u8(&p->string, (uint8_t)c);
	}
	if (r == 0)
		skip(p);
	return r;
}

/* Strings that stand one behind the other are one. */
static int take_string(struct parser *p)
{
	int c = next(p), r;

	if (c != '"' && c != '\'')
		return fault(p, "expected a string");
	buf_reset(&p->string);
	do {
		r = take_quoted(p);
	} while (r == 0 && ((c = next(p)) == '"' || c == '\''));
	if (r < 0)
		return r;
	if (p->string.failed)
		return -ENOMEM;
	return utf8_valid(buf_span(&p->string)) ? 0 : fault(p, "a string that is no UTF-8");
}

/* ---- numbers ---- */

static bool is_word(const char *s)
{
	static const char *const words[] = {"inf", "infinity", "nan", "inff", "infinityf", "nanf"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	return false;
}

/* Decimal, without a zero in front; an f may stand behind. */
static bool is_number(const char *s)
{
	size_t n;
	char *end;

	s += *s == '-' || *s == '+';
	if (is_word(s))
		return true;
	if ((s[0] == '0' && isalnum((uint8_t)s[1])) || (!isdigit((uint8_t)*s) && *s != '.') ||
	    strpbrk(s, "xXpP"))
		return false;
	(void)strtod(s, &end);
	n = strlen(end);
	return end > s && (n == 0 || (n == 1 && (*end == 'f' || *end == 'F')));
}

static int take_timestamp(struct parser *p)
{
	char word[400];
	size_t n = 0;
	int c = next(p);

	for (; c >= 0 && (isalnum(c) || strchr("+-._", c)) && c; c = peek(p)) {
		if (n + 1 == sizeof(word))
			return fault(p, "a number that is too long");
		word[n++] = (char)c;
		skip(p);
	}
	word[n] = '\0';
	return is_number(word) ? 0 : fault(p, "expected a number");
}

/* ---- fields ---- */

static int take_value(struct parser *p, const struct field *f)
{
	return f->number ? take_timestamp(p) : take_string(p);
}

static int take_list(struct parser *p, const struct field *f)
{
	int r;

	if (take(p, ']'))
		return 0;
	do {
		r = take_value(p, f);
	} while (r == 0 && take(p, ','));
	if (r == 0 && !take(p, ']'))
		return fault(p, "expected , or ]");
	return r;
}

static const struct field *take_name(struct parser *p)
{
	struct span start = p->rest;

	while (peek(p) >= 0 && (isalnum(peek(p)) || peek(p) == '_'))
		skip(p);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (span_is(span_first(start, start.n - p->rest.n), fields[i].name))
			return &fields[i];
	p->rest = start;
	return NULL;
}

static int take_field(struct parser *p, struct buf *latest)
{
	const struct field *f = take_name(p);
	int r;

	if (!f)
		return fault(p, "no field of a CheckpointState");
	if (!take(p, ':'))
		return fault(p, "expected :");
	if (f->repeated && take(p, '['))
		r = take_list(p, f);
	else
		r = take_value(p, f);
	if (r == 0 && f == &fields[0]) {
		buf_reset(latest); /* the last one counts */
		buf_add(latest, buf_span(&p->string));
	}
	if (r == 0 && !take(p, ','))
		take(p, ';');
	return r;
}

int checkpoint_state_latest(struct span text, struct buf *out, struct error *err)
{
	cleanup_buf struct buf latest = {0};
	struct parser p = {.text = text, .rest = text, .err = err};
	int r = utf8_valid(text) ? 0 : error_set(err, -EBADMSG, "no UTF-8");

	while (r == 0 && next(&p) >= 0)
		r = take_field(&p, &latest);
	buf_release(&p.string);
	if (r < 0)
		return r;
	if (!latest.n)
		return latest.failed ? -ENOMEM : error_set(err, -EBADMSG, "it names no checkpoint");
	buf_add(out, buf_span(&latest));
	return buf_error(out);
}
