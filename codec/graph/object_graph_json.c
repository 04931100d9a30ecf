/*
 * The object graph as JSON, from its bytes: the graph of a large model has hundreds of thousands
 * of nodes, and is printed whenever somebody asks for the size of its file.
 */
#include "codec/base/json.h"
#include "codec/graph/object_graph.h"
#include "codec/container/pbwire.h"

/* How a field is shown, by the official mapping: one that is zero or empty is left out. */
enum form {
	TEXT,
	NUMBER,	 /* int32 */
	MESSAGE, /* the last one counts */
	LIST,	 /* of messages */
	WRAPPED, /* a google.protobuf.BoolValue */
};

struct field {
	uint32_t number;
	enum form form;
	const char *key;
	const struct field *fields; /* of MESSAGE and LIST */
};

/* trackable_object_graph.proto */
static const struct field reference[] = {
	{1, NUMBER, "\"nodeId\": ", NULL}, {2, TEXT, "\"localName\": ", NULL}, {0}};
static const struct field attribute[] = {{1, TEXT, "\"name\": ", NULL},
					 {2, TEXT, "\"fullName\": ", NULL},
					 {3, TEXT, "\"checkpointKey\": ", NULL},
					 {0}};
static const struct field slot[] = {{1, NUMBER, "\"originalVariableNodeId\": ", NULL},
				    {2, TEXT, "\"slotName\": ", NULL},
				    {3, NUMBER, "\"slotVariableNodeId\": ", NULL},
				    {0}};
static const struct field saver[] = {
	{1, TEXT, "\"name\": ", NULL}, {2, TEXT, "\"objectName\": ", NULL}, {0}};
static const struct field node[] = {{1, LIST, "\"children\": ", reference},
				    {2, LIST, "\"attributes\": ", attribute},
				    {3, LIST, "\"slotVariables\": ", slot},
				    {4, MESSAGE, "\"registeredSaver\": ", saver},
				    {5, WRAPPED, "\"hasCheckpointValues\": ", NULL},
				    {0}};

static int print_message(struct span message, const struct field *fields, struct buf *out);

/* The last field of that number and wire type: 1; 0 if there is none. */
static int find_last(struct span message, uint32_t number, enum pb_type type, struct pb_field *ret)
{
	struct pb_field f;
	int r, found = 0;

	while ((r = pb_next(&message, &f)) > 0) {
		if (f.number != number || f.type != type)
			continue;
		*ret = f;
		found = 1;
	}
	return r < 0 ? r : found;
}

static int print_list(struct span message, const struct field *field, struct buf *out)
{
	const char *separator = "[";
	struct span element;
	int r;

	while ((r = pb_next_bytes(&message, field->number, &element)) > 0) {
		buf_add_str(out, separator);
		r = print_message(element, field->fields, out);
		if (r < 0)
			return r;
		separator = ", ";
	}
	buf_add_str(out, "]");
	return r;
}

/* A value of the field that was found: for a list, that of its last element. */
static int print_value(struct span message, const struct field *field, const struct pb_field *found,
		       struct buf *out)
{
	struct pb_field value = {0};
	int r = 0;

	buf_add_str(out, field->key);
	switch (field->form) {
	case TEXT: json_add_string(out, found->bytes); break;
	case NUMBER: buf_printf(out, "%d", (int32_t)found->value); break;
	case MESSAGE: r = print_message(found->bytes, field->fields, out); break;
	case LIST: r = print_list(message, field, out); break;
	case WRAPPED:
		r = find_last(found->bytes, 1, PB_VARINT, &value);
		buf_add_str(out, value.value ? "true" : "false");
	}
	return r < 0 ? r : 0;
}

static int print_message(struct span message, const struct field *fields, struct buf *out)
{
	const char *separator = "";

	buf_add_u8(out, '{');
	for (const struct field *field = fields; field->number; field++) {
		enum pb_type type = field->form == NUMBER ? PB_VARINT : PB_BYTES;
		struct pb_field found;
		int r = find_last(message, field->number, type, &found);

		if (r < 0)
			return r;
		if (r == 0 || (field->form == NUMBER && !(uint32_t)found.value) ||
		    (field->form == TEXT && !found.bytes.n))
			continue;
		buf_add_str(out, separator);
		r = print_value(message, field, &found, out);
		if (r < 0)
			return r;
		separator = ", ";
	}
	buf_add_u8(out, '}');
	return 0;
}

int object_graph_print(struct span graph, struct buf *out, struct error *err)
{
	enum { GRAPH_NODES = 1 };
	const char *separator = "\n";
	struct span one;
	int r;

	buf_add_str(out, "{\"nodes\": [");
	while ((r = pb_next_bytes(&graph, GRAPH_NODES, &one)) > 0) {
		buf_add_str(out, separator);
		r = print_message(one, node, out);
		if (r < 0)
			break;
		separator = ",\n";
	}
	if (r < 0)
		return error_set(err, r, "the object graph is no message");
	buf_add_str(out, "\n]}\n");
	return buf_error(out);
}
