#include "codec/graph/keras.h"

#include "codec/base/json.h"
#include "codec/container/pbwire.h"

/* Field numbers upstream, of SavedMetadata and its nodes ... */
enum { METADATA_NODES = 1, NODE_ID = 2, NODE_METADATA = 5 };
/* ... and of SavedObjectGraph. */
enum { GRAPH_NODES = 1, OBJECT_USER_OBJECT = 4, USER_IDENTIFIER = 1, USER_METADATA = 3 };

int keras_next_node(struct span *file, struct keras_node *ret)
{
	struct keras_node n = {0};
	struct span node, rest;
	struct pb_field f;
	int r = pb_next_bytes(file, METADATA_NODES, &node);

	if (r <= 0)
		return r;
	rest = node;
	while ((r = pb_next(&rest, &f)) > 0) {
		if (f.number == NODE_ID && f.type == PB_VARINT)
			n.id = f.value;
		else if (f.number == NODE_METADATA && f.type == PB_BYTES)
			n.metadata = f.bytes;
	}
	if (r < 0) {
		*file = node;
		return r;
	}
	*ret = n;
	return 1;
}

int keras_root_metadata(struct span file, struct span *ret, struct error *err)
{
	struct span rest = file;
	struct keras_node n;
	int r, found = 0;

	while ((r = keras_next_node(&rest, &n)) > 0) {
		if (n.id || !n.metadata.n)
			continue;
		*ret = n.metadata;
		found = 1;
	}
	if (r < 0)
		return error_set(err, -EBADMSG, "not a message at offset %zu",
				 (size_t)(rest.p - file.p));
	return found;
}

/* The metadata of an object of Keras; empty for others. */
static int take_metadata(struct span object, struct span *ret)
{
	struct span user, identifier;
	int r = pb_find(object, OBJECT_USER_OBJECT, &user);

	*ret = (struct span){0};
	if (r > 0)
		r = pb_find(user, USER_IDENTIFIER, &identifier);
	if (r > 0 && !span_starts(identifier, span_str("_tf_keras_")))
		r = 0;
	if (r > 0)
		r = pb_find(user, USER_METADATA, ret);
	return r < 0 ? r : 0;
}

int keras_next_node_old(struct span *object_graph, struct keras_node *ret)
{
	struct span object, metadata;
	int r = pb_next_bytes(object_graph, GRAPH_NODES, &object);

	if (r > 0)
		r = take_metadata(object, &metadata) < 0 ? -EBADMSG : 1;
	if (r <= 0)
		return r;
	ret->id++;
	ret->metadata = metadata;
	return 1;
}

int keras_root_metadata_old(struct span object_graph, struct span *ret, struct error *err)
{
	struct keras_node root = {.id = KERAS_BEFORE_FIRST};
	int r = keras_next_node_old(&object_graph, &root);

	if (r < 0)
		return error_set(err, -EBADMSG, "the root of the object graph is not a message");
	if (r == 0 || !root.metadata.n)
		return 0;
	*ret = root.metadata;
	return 1;
}

static void print_value(const struct json *json, json_ref v, struct buf *out);

/* What Keras wrapped to tell it from a list: {"class_name": "__tuple__", "items": [...]}. */
static json_ref wrapped_items(const struct json *json, json_ref object)
{
	json_ref name = json_get(json, object, "class_name");

	if (!name || !(json_is(json, name, "__tuple__") || json_is(json, name, "TensorShape")))
		return 0;
	return json_get(json, object, "items");
}

static void print_members(const struct json *json, json_ref object, struct buf *out)
{
	const char *separator = "";

	buf_add_u8(out, '{');
	for (json_ref i = json->values[object].child; i; i = json->values[i].next) {
		struct span key = json->values[i].key;

		if (span_is(key, "\"shared_object_id\""))
			continue;
		buf_add_str(out, separator);
		buf_add(out, key);
		buf_add_str(out, ": ");
		print_value(json, i, out);
		separator = ", ";
	}
	buf_add_u8(out, '}');
}

static void print_elements(const struct json *json, json_ref array, struct buf *out)
{
	const char *separator = "";

	buf_add_u8(out, '[');
	for (json_ref i = json->values[array].child; i; i = json->values[i].next) {
		buf_add_str(out, separator);
		print_value(json, i, out);
		separator = ", ";
	}
	buf_add_u8(out, ']');
}

/* As deep as the text was nested, which the parser limits. */
static void print_value(const struct json *json, json_ref v, struct buf *out)
{
	json_ref items;

	switch (json->values[v].type) {
	case JSON_ARRAY: print_elements(json, v, out); break;
	case JSON_OBJECT:
		items = wrapped_items(json, v);
		if (items)
			print_value(json, items, out);
		else
			print_members(json, v, out);
		break;
	default: buf_add(out, json->values[v].text);
	}
}

/* Keras marks a model without one by leaving "config" out, or by a remark in its place. */
static bool has_config(const struct json *json, json_ref model)
{
	json_ref config = model ? json_get(json, model, "config") : 0;

	return config && !json_get(json, config, "layer was saved without config");
}

static void print_config(const struct json *json, json_ref model, struct buf *out)
{
	const struct {
		const char *key;
		json_ref value;
	} members[] = {
		{"class_name", json_get(json, model, "class_name")},
		{"config", json_get(json, model, "config")},
		{"keras_version", json_get(json, 0, "keras_version")},
		{"backend", json_get(json, 0, "backend")},
	};
	const char *separator = "{";

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if (!members[i].value)
			continue;
		buf_printf(out, "%s\"%s\": ", separator, members[i].key);
		print_value(json, members[i].value, out);
		separator = ", ";
	}
	buf_add_u8(out, '}');
}

/* The text of a value that is not null. */
static void add_value(const struct json *json, json_ref v, struct buf *out)
{
	if (v && json->values[v].type != JSON_NULL)
		buf_add(out, json->values[v].text);
}

int keras_read(struct span metadata, struct keras_texts *ret, struct error *err)
{
	cleanup_keras struct keras_texts texts = {0};
	cleanup_json struct json json = {0};
	json_ref model, version;
	int r = json_parse(&json, metadata, err);

	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	model = json_get(&json, 0, "model_config");
	if (has_config(&json, model))
		print_config(&json, model, &texts.config);
	add_value(&json, json_get(&json, 0, "training_config"), &texts.training);
	version = json_get(&json, 0, "keras_version");
	if (version && json.values[version].type == JSON_STRING)
		json_unescape(json.values[version].text, &texts.version);
	if (texts.config.failed || texts.training.failed || texts.version.failed)
		return -ENOMEM;
	*ret = texts;
	texts = (struct keras_texts){0};
	return 0;
}

void keras_release(struct keras_texts *texts)
{
	buf_release(&texts->config);
	buf_release(&texts->training);
	buf_release(&texts->version);
}

/* A model's config has its layers, or, of a very old Sequential, is the list of them. */
static bool has_layers(const struct json *json, json_ref config)
{
	return json->values[config].type == JSON_ARRAY || json_get(json, config, "layers");
}

int keras_object_config(struct span text, struct buf *out, struct error *err)
{
	cleanup_json struct json json = {0};
	json_ref config;
	int r;

	if (!text.n)
		return 0; /* how Keras says that get_config() gave nothing */
	r = json_parse(&json, text, err);
	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	config = json_get(&json, 0, "config");
	if (!config || !json_get(&json, 0, "class_name") || !has_layers(&json, config))
		return 0;
	print_config(&json, 0, out);
	r = buf_error(out);
	return r < 0 ? r : 1;
}

int keras_name(struct span metadata, struct buf *out)
{
	cleanup_json struct json json = {0};
	int r = json_parse(&json, metadata, NULL);
	json_ref name = r == 0 ? json_get(&json, 0, "name") : 0;

	if (r == -ENOMEM)
		return r;
	if (!name || json.values[name].type != JSON_STRING)
		return 0;
	json_unescape(json.values[name].text, out);
	return buf_error(out) < 0 ? -ENOMEM : 1;
}
