/*
 * JSON that we write ourselves: one object, built member by member, printed at its end. (Messages
 * of TensorFlow that are shown as JSON are printed as they are walked: codec/container/pbjson.h,
 * codec/graph/object_graph.h.)
 */
#ifndef CODEC_BASE_JSON_WRITE_H
#define CODEC_BASE_JSON_WRITE_H

#include "codec/base/buf.h"

enum { JSON_WRITE_DEPTH = 4 };

struct cJSON;

struct json_write {
	struct cJSON *open[JSON_WRITE_DEPTH]; /* arrays and objects, each within the one before */
	int depth;
	bool failed; /* no memory: nothing more is added */
};

/* Begins the outermost object. */
void json_write_begin(struct json_write *w);
/* Arrays and objects within: what is added until json_write_close() is in there. */
void json_write_array(struct json_write *w, const char *key);
void json_write_object(struct json_write *w, const char *key);
void json_write_close(struct json_write *w);
/* Members of an object; in an array, elements, and key is NULL. A text is as json_add_string(). */
void json_write_text(struct json_write *w, const char *key, struct span text);
void json_write_number(struct json_write *w, const char *key, uint64_t number);
void json_write_bool(struct json_write *w, const char *key, bool value);
void json_write_null(struct json_write *w, const char *key);

enum json_layout {
	JSON_BY_TABS,  /* members on lines of their own, behind tabs; arrays of texts on one line */
	JSON_BY_LINES, /* likewise, behind two spaces, but each element of an array on one line */
};

/* Ends what json_write_begin() began: adds it to out, with a newline behind. -ENOMEM. */
int json_write_end(struct json_write *w, enum json_layout layout, struct buf *out);

#endif
