/*
 * A parser without recursion: the open arrays and objects are a stack of references. Values are
 * appended as they begin, so that a parent stands before its children.
 */
#include "codec/base/json.h"

#include "codec/base/utf8.h"

enum { DEPTH_MAX = 512, VALUES_MAX = 16 << 20 };

struct parser {
	struct json *json;
	struct span text, rest;
	struct span key; /* of the value to come, where an object is open */
	json_ref open[DEPTH_MAX];
	json_ref last[DEPTH_MAX]; /* newest child of each open one, 0 at first */
	size_t depth;
};

void json_release(struct json *json)
{
	free(json->values);
	*json = (struct json){0};
}

struct json_position json_position(struct span text, struct span part)
{
	struct json_position place = {1, 1};

	for (const uint8_t *p = text.p; p < part.p; p++) {
		place.column++;
		if (*p == '\n') {
			place.line++;
			place.column = 1;
		}
	}
	return place;
}

static int complain(const struct parser *p, const char *what, struct error *err)
{
	struct json_position at = json_position(p->text, p->rest);

	return error_set(err, -EINVAL, "JSON, line %zu, column %zu: %s", at.line, at.column, what);
}

static void skip_space(struct parser *p)
{
	while (p->rest.n && strchr(" \t\r\n", p->rest.p[0]) && p->rest.p[0])
		p->rest = span_skip(p->rest, 1);
}

static bool take_char(struct parser *p, char c)
{
	if (!p->rest.n || p->rest.p[0] != (uint8_t)c)
		return false;
	p->rest = span_skip(p->rest, 1);
	return true;
}

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int take_string(struct parser *p, struct span *ret, struct error *err)
{
	struct span start = p->rest, s = span_skip(p->rest, 1);

	while (s.n && s.p[0] != '"') {
		size_t n = 1;

		if (s.p[0] < 0x20)
			break;
		if (s.p[0] == '\\') {
			n = s.n > 1 && s.p[1] == 'u' ? 6 : 2;
			if (s.n < n || !strchr("\"\\/bfnrtu", s.p[1]) || !s.p[1])
				break;
			for (size_t i = 2; i < n; i++)
				if (!is_hex(s.p[i]))
					n = 0;
			if (!n)
				break;
		}
		s = span_skip(s, n);
	}
	p->rest = s;
	if (!s.n || s.p[0] != '"')
		return complain(
			p, s.n ? "bad character or escape in a string" : "a string without end",
			err);
	p->rest = span_skip(s, 1);
	*ret = span_first(start, start.n - p->rest.n);
	return 0;
}

static size_t digits(struct span s, size_t i)
{
	size_t start = i;

	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	return i - start;
}

/* How many characters of s are a number; 0 if it begins with none. */
static size_t number_length(struct span s)
{
	size_t i = s.n && s.p[0] == '-', n = digits(s, i);

	if (!n || (n > 1 && s.p[i] == '0'))
		return 0;
	i += n;
	if (i < s.n && s.p[i] == '.') {
		n = digits(s, i + 1);
		if (!n)
			return 0;
		i += 1 + n;
	}
	if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
		i++;
		i += i < s.n && (s.p[i] == '+' || s.p[i] == '-');
		n = digits(s, i);
		if (!n)
			return 0;
		i += n;
	}
	return i;
}

static int take_scalar(struct parser *p, struct json_value *v, struct error *err)
{
	static const struct {
		const char *word;
		enum json_type type;
	} words[] = {
		{"null", JSON_NULL},  {"true", JSON_BOOL},	 {"false", JSON_BOOL},
		{"NaN", JSON_NUMBER}, {"Infinity", JSON_NUMBER}, {"-Infinity", JSON_NUMBER},
	};
	size_t n = number_length(p->rest);

	v->type = JSON_NUMBER;
	for (size_t i = 0; !n && i < ARRAY_SIZE(words); i++) {
		if (span_starts(p->rest, span_str(words[i].word))) {
			v->type = words[i].type;
			n = strlen(words[i].word);
		}
	}
	if (!n)
		return complain(p, p->rest.n ? "expected a value" : "unexpected end", err);
	v->text = span_first(p->rest, n);
	p->rest = span_skip(p->rest, n);
	return 0;
}

/* Appends v below the innermost open value. */
static int append(struct parser *p, const struct json_value *v, json_ref *ret, struct error *err)
{
	struct json *j = p->json;
	struct json_value *grown;
	json_ref ref;

	if (j->n >= VALUES_MAX)
		return complain(p, "too many values", err);
	grown = vector_grow(j->values, j->n, &j->capacity, sizeof(*v));
	if (!grown)
		return -ENOMEM;
	j->values = grown;
	ref = (json_ref)j->n++;
	j->values[ref] = *v;
	j->values[ref].key = p->key;
	p->key = (struct span){0};
	if (p->depth) {
		json_ref before = p->last[p->depth - 1];

		if (before)
			j->values[before].next = ref;
		else
			j->values[p->open[p->depth - 1]].child = ref;
		p->last[p->depth - 1] = ref;
	}
	*ret = ref;
	return 0;
}

/* The value at hand; an array or object is only opened. */
static int begin_value(struct parser *p, struct error *err)
{
	struct json_value v = {.text = p->rest};
	bool opens = false;
	json_ref ref = 0;
	int r = 0;

	if (p->rest.n && (p->rest.p[0] == '[' || p->rest.p[0] == '{')) {
		v.type = p->rest.p[0] == '[' ? JSON_ARRAY : JSON_OBJECT;
		opens = true;
	} else if (p->rest.n && p->rest.p[0] == '"') {
		v.type = JSON_STRING;
		r = take_string(p, &v.text, err);
	} else {
		r = take_scalar(p, &v, err);
	}
	r = r < 0 ? r : append(p, &v, &ref, err);
	if (r < 0 || !opens)
		return r;
	if (p->depth == DEPTH_MAX)
		return complain(p, "nested too deeply", err);
	p->rest = span_skip(p->rest, 1);
	p->open[p->depth] = ref;
	p->last[p->depth++] = 0;
	return 0;
}

static int take_key(struct parser *p, struct error *err)
{
	int r;

	if (!p->rest.n || p->rest.p[0] != '"')
		return complain(p, "expected a key in quotes", err);
	r = take_string(p, &p->key, err);
	if (r < 0)
		return r;
	skip_space(p);
	if (!take_char(p, ':'))
		return complain(p, "expected ':'", err);
	skip_space(p);
	return 0;
}

/*
 * Closes what is complete at this point. Returns 1 if another value follows (its key is taken),
 * 0 if nothing is open any more.
 */
static int after_value(struct parser *p, struct error *err)
{
	while (p->depth) {
		struct json_value *v = &p->json->values[p->open[p->depth - 1]];
		bool first = !p->last[p->depth - 1];
		bool comma, object = v->type == JSON_OBJECT;

		skip_space(p);
		if (take_char(p, object ? '}' : ']')) {
			v->text = span_first(v->text, v->text.n - p->rest.n);
			p->depth--;
			continue;
		}
		comma = p->rest.n && p->rest.p[0] == ',';
		if (comma == first)
			return complain(p, first ? "expected a value" : "expected ',' or an end",
					err);
		(void)take_char(p, ',');
		skip_space(p);
		if (object) {
			int r = take_key(p, err);

			if (r < 0)
				return r;
		}
		return 1;
	}
	return 0;
}

int json_parse(struct json *json, struct span text, struct error *err)
{
	struct parser p = {.json = json, .text = text, .rest = text};
	int r;

	json->n = 0;
	skip_space(&p);
	do {
		r = begin_value(&p, err);
		if (r == 0)
			r = after_value(&p, err);
	} while (r > 0);
	skip_space(&p);
	if (r == 0 && p.rest.n)
		r = complain(&p, "something follows the end", err);
	return r;
}

/* True if a string with its quotes says s, whatever its escapes. */
static bool string_is(struct span text, const char *s)
{
	cleanup_buf struct buf said = {0};

	if (!memchr(text.p, '\\', text.n))
		return span_is(span_of(text.p + 1, text.n - 2), s);
	json_unescape(text, &said);
	return span_is(buf_span(&said), s);
}

json_ref json_get(const struct json *json, json_ref object, const char *key)
{
	json_ref found = 0;

	if (object >= json->n || json->values[object].type != JSON_OBJECT)
		return 0;
	for (json_ref i = json->values[object].child; i; i = json->values[i].next)
		if (string_is(json->values[i].key, key))
			found = i;
	return found;
}

bool json_is(const struct json *json, json_ref value, const char *s)
{
	return value < json->n && json->values[value].type == JSON_STRING &&
	       string_is(json->values[value].text, s);
}

static uint32_t hex4(const uint8_t *p)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (p[i] <= '9' ? p[i] - 0x30u : (p[i] | 0x20u) - 0x57u);
	return v;
}

/* The character that the escape at the front of s stands for; s moves behind it. */
static uint32_t take_escape(struct span *s)
{
	static const char names[] = "\"\\/bfnrt", chars[] = "\"\\/\b\f\n\r\t";
	uint32_t c, low;

	if (s->p[1] != 'u') {
		c = (uint8_t)chars[strchr(names, s->p[1]) - names];
		*s = span_skip(*s, 2);
		return c;
	}
	c = hex4(s->p + 2);
	*s = span_skip(*s, 6);
	if (c >= 0xd800 && c < 0xdc00 && s->n >= 6 && s->p[0] == '\\' && s->p[1] == 'u') {
		low = hex4(s->p + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			*s = span_skip(*s, 6);
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return c;
}

void json_unescape(struct span text, struct buf *out)
{
	struct span s = span_of(text.p + 1, text.n - 2);

	while (s.n) {
		uint8_t utf8[4];

		if (s.p[0] == '\\') {
			buf_add(out, span_of(utf8, utf8_put(utf8, take_escape(&s))));
		} else {
			buf_add_u8(out, s.p[0]);
			s = span_skip(s, 1);
		}
	}
}

/* The short escape of a character, or 0. */
static char short_escape(uint32_t c)
{
	static const char plain[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
	const char *found = c && c < 0x80 ? strchr(plain, (int)c) : NULL;

	return found ? letters[found - plain] : 0;
}

static void add_character(struct buf *out, uint32_t c, bool ascii)
{
	uint8_t utf8[4];

	if (short_escape(c))
		buf_printf(out, "\\%c", short_escape(c));
	else if (c >= 0x20 && c != 0x7f && (c < 0x7f || !ascii))
		buf_add(out, span_of(utf8, utf8_put(utf8, c)));
	else if (c < 0x10000)
		buf_printf(out, "\\u%04x", c);
	else
		buf_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
			   0xdc00 + (c & 0x3ff));
}

/* How many characters at the front stand for themselves. */
static size_t plain_run(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

static void add_quoted(struct buf *out, struct span utf8, bool ascii)
{
	buf_add_u8(out, '"');
	while (utf8.n) {
		size_t n = plain_run(utf8);
		uint32_t c;

		if (n) {
			buf_add(out, span_first(utf8, n));
			utf8 = span_skip(utf8, n);
			continue;
		}
		if (!utf8_take(&utf8, &c))
			c = 0xfffd;
		add_character(out, c, ascii);
	}
	buf_add_u8(out, '"');
}

void json_add_string(struct buf *out, struct span utf8)
{
	add_quoted(out, utf8, true);
}

void json_add_text(struct buf *out, struct span utf8)
{
	add_quoted(out, utf8, false);
}
