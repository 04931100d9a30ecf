/*
 * cJSON's own strings end at a NUL and may be no UTF-8, and its numbers are doubles: texts and
 * numbers go in as JSON already ("raw").
 */
#include "codec/base/json_write.h"

#include <assert.h>
#include <cjson/cJSON.h>

#include "codec/base/json.h"

void json_write_begin(struct json_write *w)
{
	*w = (struct json_write){.open = {cJSON_CreateObject()}};
	w->failed = !w->open[0];
}

/* item is NULL without memory; it is the writer's now. */
static bool add(struct json_write *w, const char *key, cJSON *item)
{
	cJSON *to = w->open[w->depth];
	bool added = !w->failed && item &&
		     (key ? cJSON_AddItemToObject(to, key, item) : cJSON_AddItemToArray(to, item));

	if (!added)
		cJSON_Delete(item);
	w->failed |= !added;
	return added;
}

/* Whatever fails, each json_write_close() ends what it is to end. */
static void open_within(struct json_write *w, const char *key, cJSON *item)
{
	assert(w->depth + 1 < JSON_WRITE_DEPTH);
	if (!add(w, key, item))
		item = NULL;
	w->open[++w->depth] = item;
}

void json_write_array(struct json_write *w, const char *key)
{
	open_within(w, key, cJSON_CreateArray());
}

void json_write_object(struct json_write *w, const char *key)
{
	open_within(w, key, cJSON_CreateObject());
}

void json_write_close(struct json_write *w)
{
	w->depth--;
}

static void add_raw(struct json_write *w, const char *key, struct buf *json)
{
	buf_add_u8(json, '\0');
	add(w, key, json->failed ? NULL : cJSON_CreateRaw((const char *)json->p));
}

void json_write_text(struct json_write *w, const char *key, struct span text)
{
	cleanup_buf struct buf json = {0};

	json_add_string(&json, text);
	add_raw(w, key, &json);
}

void json_write_number(struct json_write *w, const char *key, uint64_t number)
{
	cleanup_buf struct buf json = {0};

	buf_printf(&json, "%llu", (unsigned long long)number);
	add_raw(w, key, &json);
}

void json_write_bool(struct json_write *w, const char *key, bool value)
{
	add(w, key, cJSON_CreateBool(value));
}

void json_write_null(struct json_write *w, const char *key)
{
	add(w, key, cJSON_CreateNull());
}

/* ---- printing ---- */

static void print_one_line(const cJSON *item, struct buf *out)
{
	bool object = cJSON_IsObject(item);
	char *text;

	if (!object && !cJSON_IsArray(item)) {
		text = cJSON_PrintUnformatted(item);
		out->failed |= !text;
		buf_add_str(out, text ? text : "");
		cJSON_free(text);
		return;
	}
	buf_add_u8(out, object ? '{' : '[');
	for (const cJSON *c = item->child; c; c = c->next) {
		if (object)
			buf_printf(out, "\"%s\": ", c->string);
		print_one_line(c, out);
		buf_add_str(out, c->next ? ", " : "");
	}
	buf_add_u8(out, object ? '}' : ']');
}

static void print_array(const cJSON *array, struct buf *out)
{
	buf_add_str(out, array->child ? "[\n" : "[");
	for (const cJSON *c = array->child; c; c = c->next) {
		buf_add_str(out, "    ");
		print_one_line(c, out);
		buf_add_str(out, c->next ? ",\n" : "\n  ");
	}
	buf_add_u8(out, ']');
}

static void print_lines(const cJSON *object, struct buf *out)
{
	buf_add_str(out, "{\n");
	for (const cJSON *c = object->child; c; c = c->next) {
		buf_printf(out, "  \"%s\": ", c->string);
		if (cJSON_IsArray(c))
			print_array(c, out);
		else
			print_one_line(c, out);
		buf_add_str(out, c->next ? ",\n" : "\n");
	}
	buf_add_u8(out, '}');
}

static void print_tabs(const cJSON *object, struct buf *out)
{
	char *text = cJSON_Print(object);

	out->failed |= !text;
	buf_add_str(out, text ? text : "");
	cJSON_free(text);
}

int json_write_end(struct json_write *w, enum json_layout layout, struct buf *out)
{
	bool failed = w->failed;

	assert(!w->depth);
	if (!failed && layout == JSON_BY_TABS)
		print_tabs(w->open[0], out);
	else if (!failed)
		print_lines(w->open[0], out);
	cJSON_Delete(w->open[0]);
	buf_add_u8(out, '\n');
	return failed ? -ENOMEM : buf_error(out);
}
