/*
 * JSON that other people wrote, with its spelling kept.
 *
 * Numbers stay the characters they are (1.0, 1e-07, 2^63, NaN, Infinity: Python's dialect), and
 * strings keep their escapes, so what is copied from one text to another is copied to the byte.
 * What we write ourselves is built by codec/base/json_write.h.
 */
#ifndef CODEC_BASE_JSON_H
#define CODEC_BASE_JSON_H

#include "codec/base/buf.h"
#include "codec/base/error.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Index of a value in its document. 0 is the outermost one; a child is never 0. */
typedef uint32_t json_ref;

struct json_value {
	enum json_type type;
	struct span text; /* as spelled; a string with its quotes, an array with its brackets */
	struct span key;  /* in an object: the key with its quotes */
	json_ref next;	  /* in the same array or object, 0 after the last */
	json_ref child;	  /* first element or member, 0 if there is none */
};

struct json {
	struct json_value *values;
	size_t n;
	size_t capacity;
};

/*
 * Parses text, which must outlive the document. -EINVAL, with line and column in err: not JSON,
 * nested deeper than 512, or over 16 million values. A zeroed struct json is an empty one.
 */
int json_parse(struct json *json, struct span text, struct error *err);
void json_release(struct json *json);
#define cleanup_json __attribute__((cleanup(json_release)))

/* Where a part of a text stands, counted from 1, for messages. */
struct json_position {
	size_t line, column;
};

struct json_position json_position(struct span text, struct span part);

/* Member `key` of an object, the last one of that name; 0 if there is none or it is no object. */
json_ref json_get(const struct json *json, json_ref object, const char *key);
/* True if the value is the string s (compared as characters, whatever its escapes). */
bool json_is(const struct json *json, json_ref value, const char *s);

/*
 * What a string says: its escapes undone, as UTF-8 (a lone surrogate becomes three bytes, as
 * Python's surrogatepass does). Added to out. text is a string with its quotes, from a parsed
 * document.
 */
void json_unescape(struct span text, struct buf *out);
/*
 * A string with its quotes, as Python's json.dumps spells it: ASCII only. Bytes that are no
 * UTF-8 become U+FFFD.
 */
void json_add_string(struct buf *out, struct span utf8);
/* A string with its quotes, for people: as json_add_string(), but beyond ASCII it is UTF-8. */
void json_add_text(struct buf *out, struct span utf8);

#endif
