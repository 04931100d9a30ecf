#include "fs/view/paths.h"

/*
 * Only the way from a key to its path is written with care for every case. The way back just
 * spells out what it sees, and then asks whether the key that came out has this very path; so
 * whatever it accepts by mistake is refused in the end.
 *
 * That no two keys share a path: each escape, and each suffix, stands for one string of bytes,
 * and none of them can come from a plain byte, for a plain % is escaped, and so is the dot of a
 * plain suffix. So a path can be spelled out in one way only.
 */

enum { PIECE_MAX = 240 };

#define ATTRIBUTES "/.ATTRIBUTES"
#define VALUE	   ATTRIBUTES "/VARIABLE_VALUE"
#define SLOT	   ".OPTIMIZER_SLOT"

/* How the key of an object-based bundle ends; PLAIN in all others. */
enum ending { PLAIN, IS_VALUE, IS_ATTRIBUTE, IS_NEITHER };

/* Bytes before the first '/', or all. */
static size_t component_length(struct span s)
{
	const uint8_t *slash = s.n ? memchr(s.p, '/', s.n) : NULL;

	return slash ? (size_t)(slash - s.p) : s.n;
}

/* Takes the end off, if it is there. */
static bool drop_end(struct span *s, const char *end)
{
	if (!span_ends(*s, span_str(end)))
		return false;
	s->n -= strlen(end);
	return true;
}

static bool is_dots(struct span s)
{
	return span_is(s, ".") || span_is(s, "..");
}

/* Where the dot stands that would make a component look as if it had a suffix; or its end. */
static size_t suffix_dot(struct span component)
{
	static const char *const suffixes[] = {".d", ".slots", ".attrs", ".npy", ".txt"};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (span_ends(component, span_str(suffixes[i])))
			return component.n - strlen(suffixes[i]);
	return component.n;
}

/* The escape of byte i, or NULL where it stays. */
static const char *escape_at(struct span component, size_t i, size_t suffix)
{
	switch (component.p[i]) {
	case 0: return "%00";
	case '%': return "%25";
	case '.': return i == suffix || is_dots(component) ? "%2E" : NULL;
	default: return NULL;
	}
}

static void add_escaped(struct buf *out, struct span component)
{
	size_t suffix = suffix_dot(component), plain = 0;

	if (component.n == 0) {
		buf_add_str(out, "%.");
		return;
	}
	for (size_t i = 0; i < component.n; i++) {
		const char *escape = escape_at(component, i, suffix);

		if (!escape)
			continue;
		buf_add(out, span_first(span_skip(component, plain), i - plain));
		buf_add_str(out, escape);
		plain = i + 1;
	}
	buf_add(out, span_skip(component, plain));
}

/* How much of an escaped component, which is longer than that, makes a piece. */
static size_t piece_length(struct span s)
{
	for (size_t n = PIECE_MAX - 2; n < PIECE_MAX; n++)
		if (s.p[n] == '%')
			return n;
	for (size_t n = PIECE_MAX; n >= PIECE_MAX - 3; n--) {
		if (s.p[n] >= 0xc0)
			return n;
		if (s.p[n] < 0x80)
			break;
	}
	return PIECE_MAX; /* no character lies across */
}

/* Makes pieces of the escaped component that stands in out from start on. */
static void cut_up(struct buf *out, size_t start)
{
	cleanup_buf struct buf whole = {0};
	struct span rest;

	buf_add(&whole, span_skip(buf_span(out), start));
	out->failed |= whole.failed;
	out->n = start;
	rest = buf_span(&whole);
	while (rest.n > PIECE_MAX) {
		size_t n = piece_length(rest);

		buf_add(out, span_first(rest, n));
		buf_add_str(out, "%+/");
		rest = span_skip(rest, n);
	}
	if (is_dots(rest))
		add_escaped(out, rest);
	else
		buf_add(out, rest);
}

static void add_component(struct buf *out, struct span component)
{
	size_t start = out->n;

	add_escaped(out, component);
	if (out->n - start > PIECE_MAX)
		cut_up(out, start);
}

static void add_components(struct buf *out, struct span key, bool object_based)
{
	bool suffixed = true; /* there is nothing before the first one that could get a suffix */

	for (;;) {
		struct span component = span_first(key, component_length(key));
		bool last = component.n == key.n;

		if (object_based && !suffixed && !last && span_is(component, SLOT)) {
			buf_add_str(out, ".slots");
			suffixed = true;
		} else {
			if (out->n)
				buf_add_u8(out, '/');
			add_component(out, component);
			suffixed = false;
		}
		if (last)
			return;
		key = span_skip(key, component.n + 1);
	}
}

/* Reduces an object-based key to its X (fs/view/paths.h). */
static enum ending take_ending(struct span *key, struct span *ret_attribute)
{
	const uint8_t *slash;
	struct span x;

	if (drop_end(key, VALUE))
		return IS_VALUE;
	slash = key->n ? memrchr(key->p, '/', key->n) : NULL;
	if (!slash)
		return IS_NEITHER;
	x = span_first(*key, (size_t)(slash - key->p));
	*ret_attribute = span_skip(*key, x.n + 1);
	if (!drop_end(&x, ATTRIBUTES))
		return IS_NEITHER;
	*key = x;
	return IS_ATTRIBUTE;
}

/* Puts the uncounted NUL behind. */
static int finish(struct buf *out)
{
	buf_add_u8(out, 0);
	if (buf_error(out))
		return -ENOMEM;
	out->n--;
	return 0;
}

static bool too_long(struct span path)
{
	size_t folders = 0;

	for (size_t i = 0; i < path.n; i++)
		folders += path.p[i] == '/';
	return path.n > PATH_BYTES_MAX || folders > PATH_FOLDERS_MAX;
}

int path_from_key(struct span key, bool object_based, struct buf *out)
{
	struct span attribute = {0};
	enum ending ending = object_based ? take_ending(&key, &attribute) : PLAIN;

	buf_reset(out);
	add_components(out, key, object_based);
	if (ending == IS_ATTRIBUTE) {
		buf_add_str(out, ".attrs/");
		add_component(out, attribute);
	}
	if (ending == IS_NEITHER)
		buf_add_u8(out, '%');
	if (too_long(buf_span(out)))
		return -ENAMETOOLONG;
	return finish(out);
}

/* The path with every folder w.d as w. */
static void drop_folder_marks(struct span path, struct buf *out)
{
	for (;;) {
		struct span component = span_first(path, component_length(path));

		path = span_skip(path, component.n);
		if (path.n)
			drop_end(&component, ".d");
		buf_add(out, component);
		if (!path.n)
			return;
		buf_add_u8(out, '/');
		path = span_skip(path, 1);
	}
}

static int take_escape(struct span *s, struct buf *out)
{
	static const struct {
		const char *escape;
		uint8_t byte;
	} escapes[] = {{"%00", 0}, {"%25", '%'}, {"%2E", '.'}};

	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++) {
		if (!span_starts(*s, span_str(escapes[i].escape)))
			continue;
		buf_add_u8(out, escapes[i].byte);
		*s = span_skip(*s, 3);
		return 0;
	}
	return -EINVAL;
}

static int add_unescaped(struct buf *out, struct span s)
{
	if (span_is(s, "%."))
		return 0;
	while (s.n) {
		const uint8_t *percent = memchr(s.p, '%', s.n);
		size_t plain = percent ? (size_t)(percent - s.p) : s.n;

		buf_add(out, span_first(s, plain));
		s = span_skip(s, plain);
		if (s.n && take_escape(&s, out) < 0)
			return -EINVAL;
	}
	return 0;
}

/*
 * Adds what a folder of a path stands for, with the '/' behind, where it is the end of a
 * component. *ret_attribute: what comes next is the A of X.attrs/A.
 */
static int add_folder(struct buf *key, struct span folder, bool object_based, bool *ret_attribute)
{
	bool piece = drop_end(&folder, "%+");
	bool slots = object_based && !piece && drop_end(&folder, ".slots");
	bool attributes = object_based && !piece && !slots && drop_end(&folder, ".attrs");

	if (add_unescaped(key, folder) < 0)
		return -EINVAL;
	if (piece)
		return 0;
	if (slots)
		buf_add_str(key, "/" SLOT);
	if (attributes)
		buf_add_str(key, ATTRIBUTES);
	buf_add_u8(key, '/');
	*ret_attribute = attributes;
	return 0;
}

/* The one key that the path can be that of, if it is that of any. */
static int spell_out(struct span path, bool object_based, struct buf *key)
{
	bool attribute = false, neither;

	for (;;) {
		struct span folder = span_first(path, component_length(path));

		if (folder.n == path.n)
			break;
		if (add_folder(key, folder, object_based, &attribute) < 0)
			return -EINVAL;
		path = span_skip(path, folder.n + 1);
	}
	neither = object_based && drop_end(&path, "%");
	if (add_unescaped(key, path) < 0)
		return -EINVAL;
	if (object_based && !neither && !attribute)
		buf_add_str(key, VALUE);
	return 0;
}

int key_from_path(struct span path, bool object_based, struct buf *out)
{
	cleanup_buf struct buf plain = {0}, again = {0};
	int r = path.n ? 0 : -EINVAL;

	buf_reset(out);
	if (r == 0) {
		drop_folder_marks(path, &plain);
		r = buf_error(&plain);
	}
	if (r == 0)
		r = spell_out(buf_span(&plain), object_based, out);
	if (r == 0)
		r = finish(out);
	if (r == 0)
		r = path_from_key(buf_span(out), object_based, &again);
	if (r == 0 && !span_equal(buf_span(&plain), buf_span(&again)))
		r = -EINVAL;
	return r;
}
