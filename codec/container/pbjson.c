#include "codec/container/pbjson.h"

#include <math.h>
#include <stdio.h>

#include "codec/base/base64.h"
#include "codec/base/json.h"
#include "codec/base/number.h"

struct printer {
	struct buf *out;
	const char *const *bytes_fields;
	int indent;
};

static void print_message(struct printer *p, const ProtobufCMessage *m);

static void new_line(struct printer *p)
{
	buf_add_u8(p->out, '\n');
	for (int i = 0; i < p->indent; i++)
		buf_add_str(p->out, "  ");
}

static void open_bracket(struct printer *p, char bracket)
{
	buf_add_u8(p->out, (uint8_t)bracket);
	p->indent++;
}

static void close_bracket(struct printer *p, char bracket, bool empty)
{
	p->indent--;
	if (!empty)
		new_line(p);
	buf_add_u8(p->out, (uint8_t)bracket);
}

/* tensor_shape -> "tensorShape": */
static void print_name(struct printer *p, const char *name)
{
	buf_add_u8(p->out, '"');
	for (; *name; name++) {
		bool upper = name[0] == '_' && name[1];

		name += upper;
		buf_add_u8(p->out,
			   (uint8_t)(upper && *name >= 'a' && *name <= 'z' ? *name - 32 : *name));
	}
	buf_add_str(p->out, "\": ");
}

static void print_bytes(struct printer *p, const ProtobufCFieldDescriptor *f, struct span bytes)
{
	for (const char *const *name = p->bytes_fields; *name; name++) {
		if (strcmp(*name, f->name) == 0) {
			buf_add_u8(p->out, '"');
			base64_encode(bytes, p->out);
			buf_add_u8(p->out, '"');
			return;
		}
	}
	json_add_string(p->out, bytes);
}

static void print_enum(struct printer *p, const ProtobufCFieldDescriptor *f, int value)
{
	const ProtobufCEnumValue *known =
		protobuf_c_enum_descriptor_get_value(f->descriptor, value);

	if (known)
		buf_printf(p->out, "\"%s\"", known->name);
	else
		buf_printf(p->out, "%d", value);
}

static void print_double(struct printer *p, double v, bool single)
{
	if (isnan(v))
		buf_add_str(p->out, "\"NaN\"");
	else if (isinf(v))
		buf_add_str(p->out, v < 0 ? "\"-Infinity\"" : "\"Infinity\"");
	else
		number_add_shortest(p->out, v, single);
}

/* One value of field f; at points to it. */
static void print_value(struct printer *p, const ProtobufCFieldDescriptor *f, const void *at)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32: buf_printf(p->out, "%d", *(const int32_t *)at); break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32: buf_printf(p->out, "%u", *(const uint32_t *)at); break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		buf_printf(p->out, "\"%lld\"", (long long)*(const int64_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		buf_printf(p->out, "\"%llu\"", (unsigned long long)*(const uint64_t *)at);
		break;
	case PROTOBUF_C_TYPE_FLOAT: print_double(p, (double)*(const float *)at, true); break;
	case PROTOBUF_C_TYPE_DOUBLE: print_double(p, *(const double *)at, false); break;
	case PROTOBUF_C_TYPE_BOOL:
		buf_add_str(p->out, *(const protobuf_c_boolean *)at ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_ENUM: print_enum(p, f, *(const int *)at); break;
	case PROTOBUF_C_TYPE_STRING: json_add_string(p->out, span_str(*(char *const *)at)); break;
	case PROTOBUF_C_TYPE_BYTES:
		print_bytes(p, f, pb_span(*(const ProtobufCBinaryData *)at));
		break;
	case PROTOBUF_C_TYPE_MESSAGE: print_message(p, *(ProtobufCMessage *const *)at); break;
	}
}

static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE: return 8;
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	default: return 4;
	}
}

static bool is_map(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;

	return f->type == PROTOBUF_C_TYPE_MESSAGE && d->n_fields == 2 &&
	       span_ends(span_str(d->short_name), span_str("Entry"));
}

/* A map's entry begins with its key, our own key fields being bytes. */
static struct span entry_key(const ProtobufCMessage *entry)
{
	const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
	const uint8_t *at = (const uint8_t *)entry + key->offset;

	return pb_span(*(const ProtobufCBinaryData *)at);
}

/* Of entries with one key the last one comes first. */
static int compare_entries(const void *a, const void *b)
{
	ProtobufCMessage *const *x = *(ProtobufCMessage *const *const *)a;
	ProtobufCMessage *const *y = *(ProtobufCMessage *const *const *)b;
	int c = span_compare(entry_key(*x), entry_key(*y));

	return c ? c : (x < y) - (x > y);
}

static void print_entry(struct printer *p, const ProtobufCMessage *entry)
{
	const ProtobufCFieldDescriptor *f = &entry->descriptor->fields[1];
	const uint8_t *at = (const uint8_t *)entry + f->offset;

	new_line(p);
	json_add_string(p->out, entry_key(entry));
	buf_add_str(p->out, ": ");
	if (*(ProtobufCMessage *const *)(const void *)at)
		print_value(p, f, at);
	else
		buf_add_str(p->out, "{}");
}

/* Sorted; where a key stands twice its last value counts. */
static void print_map(struct printer *p, ProtobufCMessage *const *entries, size_t n)
{
	cleanup_free ProtobufCMessage *const **sorted = calloc(n, sizeof(*sorted));

	if (!sorted) {
		p->out->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		sorted[i] = &entries[i];
	qsort(sorted, n, sizeof(*sorted), compare_entries);
	open_bracket(p, '{');
	for (size_t i = 0; i < n; i++) {
		if (i && span_equal(entry_key(*sorted[i]), entry_key(*sorted[i - 1])))
			continue;
		if (i)
			buf_add_u8(p->out, ',');
		print_entry(p, *sorted[i]);
	}
	close_bracket(p, '}', n == 0);
}

static void print_list(struct printer *p, const ProtobufCFieldDescriptor *f, const uint8_t *values,
		       size_t n)
{
	open_bracket(p, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_add_u8(p->out, ',');
		new_line(p);
		print_value(p, f, values + i * value_size(f->type));
	}
	close_bracket(p, ']', n == 0);
}

/* A field is shown where it is set: in a oneof whatever its value, else if it is not zero. */
static bool is_set(const ProtobufCFieldDescriptor *f, const uint8_t *m)
{
	static const uint8_t zero[sizeof(ProtobufCBinaryData)];
	const uint8_t *at = m + f->offset;

	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(const void *)(m + f->quantifier_offset) == f->id;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)(const void *)(m + f->quantifier_offset) > 0;
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)(const void *)at)->len > 0;
	return memcmp(at, zero, value_size(f->type)) != 0;
}

static void print_field(struct printer *p, const ProtobufCFieldDescriptor *f, const uint8_t *m)
{
	const uint8_t *at = m + f->offset;
	uint8_t *values;
	size_t n;

	print_name(p, f->name);
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		print_value(p, f, at);
		return;
	}
	memcpy(&values, at, sizeof(values));
	memcpy(&n, m + f->quantifier_offset, sizeof(n));
	if (is_map(f))
		print_map(p, (ProtobufCMessage *const *)(const void *)values, n);
	else
		print_list(p, f, values, n);
}

static void print_message(struct printer *p, const ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	bool empty = true;

	open_bracket(p, '{');
	for (unsigned i = 0; i < d->n_fields; i++) {
		if (!is_set(&d->fields[i], (const uint8_t *)m))
			continue;
		if (!empty)
			buf_add_u8(p->out, ',');
		empty = false;
		new_line(p);
		print_field(p, &d->fields[i], (const uint8_t *)m);
	}
	close_bracket(p, '}', empty);
}

void pbjson_print(const ProtobufCMessage *message, const char *const *bytes_fields, struct buf *out)
{
	struct printer p = {.out = out, .bytes_fields = bytes_fields};

	print_message(&p, message);
	buf_add_u8(out, '\n');
}
