#include "support.h"

#include <math.h>

#include "codec/container/pbjson.h"
#include "signature.pb-c.h"
#include "texts.h"

static const char *const bytes_fields[] = {"tensor_content", "string_val", NULL};

/* expected: without white space, which is tested once and then would only be in the way. */
static void check_print(const void *message, const char *expected)
{
	cleanup_buf struct buf text = {0}, bare = {0}, json = {0};

	pbjson_print(message, bytes_fields, &text);
	assert_int_equal(buf_error(&text), 0);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != ' ' && text.p[i] != '\n')
			buf_add_u8(&bare, text.p[i]);
	add_json(&json, expected);
	assert_same(buf_span(&bare), buf_span(&json));
}

TEST(indented_by_two)
{
	Tensorflow__TensorShapeProto__Dim size = TENSORFLOW__TENSOR_SHAPE_PROTO__DIM__INIT;
	Tensorflow__TensorShapeProto__Dim zero = TENSORFLOW__TENSOR_SHAPE_PROTO__DIM__INIT;
	Tensorflow__TensorShapeProto__Dim *dims[] = {&size, &zero, &size};
	Tensorflow__TensorShapeProto shape = TENSORFLOW__TENSOR_SHAPE_PROTO__INIT;
	cleanup_buf struct buf text = {0}, expected = {0};

	size.size = -1;
	shape.dim = dims;
	shape.n_dim = 3;
	pbjson_print(&shape.base, bytes_fields, &text);
	add_json(&expected, "{\n  'dim': [\n    {\n      'size': '-1'\n    },\n    {},\n"
			    "    {\n      'size': '-1'\n    }\n  ]\n}\n");
	assert_same(buf_span(&text), buf_span(&expected));
}

TEST(numbers_by_type)
{
	Tensorflow__TensorProto t = TENSORFLOW__TENSOR_PROTO__INIT;
	int32_t ints[] = {0, -1, INT32_MIN, INT32_MAX};
	int64_t longs[] = {0, -7, INT64_MIN};
	uint32_t uints[] = {0, UINT32_MAX};
	uint64_t ulongs[] = {0, UINT64_MAX};
	protobuf_c_boolean bools[] = {0, 1};

	t.int_val = ints;
	t.n_int_val = 4;
	t.int64_val = longs;
	t.n_int64_val = 3;
	t.uint32_val = uints;
	t.n_uint32_val = 2;
	t.uint64_val = ulongs;
	t.n_uint64_val = 2;
	t.bool_val = bools;
	t.n_bool_val = 2;
	check_print(&t, "{'intVal':[0,-1,-2147483648,2147483647],"
			"'int64Val':['0','-7','-9223372036854775808'],'boolVal':[false,true],"
			"'uint32Val':[0,4294967295],'uint64Val':['0','18446744073709551615']}");
}

TEST(floats_and_doubles)
{
	Tensorflow__TensorProto t = TENSORFLOW__TENSOR_PROTO__INIT;
	float floats[] = {1.5f, 0.1f, -0.0f, NAN, INFINITY, -INFINITY, 3.4028235e38f, 1e-45f};
	double doubles[] = {1, 0.1, 1e22, 1e-7, NAN, -INFINITY, 0x1p-24, 5e-324};

	t.float_val = floats;
	t.n_float_val = ARRAY_SIZE(floats);
	t.double_val = doubles;
	t.n_double_val = ARRAY_SIZE(doubles);
	check_print(&t, "{'floatVal':[1.5,0.1,-0.0,'NaN','Infinity','-Infinity',3.4028235e+38,"
			"1.4013e-45],'doubleVal':[1.0,0.1,1e+22,1e-07,'NaN','-Infinity',"
			"5.960464477539063e-08,5e-324]}");
}

TEST(bytes_are_base64_where_the_caller_says_so)
{
	Tensorflow__TensorProto t = TENSORFLOW__TENSOR_PROTO__INIT;
	ProtobufCBinaryData strings[] = {pb_data(span_str("")), pb_data(span_of("\xff\0hi", 4))};

	t.tensor_content = pb_data(span_of("\0\1", 2));
	t.string_val = strings;
	t.n_string_val = 2;
	t.float8_val = pb_data(span_str("as text"));
	t.float8_val.len = 2;
	check_print(&t, "{'tensorContent':'AAE=','stringVal':['','/wBoaQ=='],'float8Val':'as'}");
}

TEST(enums_by_name_where_they_have_one)
{
	Tensorflow__TensorInfo info = TENSORFLOW__TENSOR_INFO__INIT;

	check_print(&info, "{}");
	info.dtype = TENSORFLOW__DATA_TYPE__DT_FLOAT;
	check_print(&info, "{'dtype':'DT_FLOAT'}");
	info.dtype = 999;
	check_print(&info, "{'dtype':999}");
	info.dtype = -1;
	check_print(&info, "{'dtype':-1}");
}

/* A member of a oneof is there even where it is zero; a message where it is empty. */
TEST(presence)
{
	Tensorflow__TensorShapeProto shape = TENSORFLOW__TENSOR_SHAPE_PROTO__INIT;
	Tensorflow__TensorInfo info = TENSORFLOW__TENSOR_INFO__INIT;
	Tensorflow__StructuredValue value = TENSORFLOW__STRUCTURED_VALUE__INIT;

	info.encoding_case = TENSORFLOW__TENSOR_INFO__ENCODING_NAME;
	info.tensor_shape = &shape;
	check_print(&info, "{'name':'','tensorShape':{}}");
	value.kind_case = TENSORFLOW__STRUCTURED_VALUE__KIND_INT64_VALUE;
	check_print(&value, "{'int64Value':'0'}");
	value.kind_case = TENSORFLOW__STRUCTURED_VALUE__KIND_BOOL_VALUE;
	value.bool_value = 0;
	check_print(&value, "{'boolValue':false}");
}

static void make_entries(Tensorflow__SignatureDef__InputsEntry *entries,
			 Tensorflow__SignatureDef__InputsEntry **list, const char *const *keys,
			 size_t n)
{
	for (size_t i = 0; i < n; i++) {
		tensorflow__signature_def__inputs_entry__init(&entries[i]);
		entries[i].key = pb_data(span_str(keys[i]));
		list[i] = &entries[i];
	}
}

/* Sorted by bytes, the shorter one first; the message itself keeps its order. */
TEST(maps_are_sorted)
{
	static const char *const keys[] = {"identity_1", "\xc3\xa9", "", "identity", "Z"};
	Tensorflow__SignatureDef__InputsEntry entries[5], *list[5];
	Tensorflow__SignatureDef def = TENSORFLOW__SIGNATURE_DEF__INIT;
	Tensorflow__TensorInfo info = TENSORFLOW__TENSOR_INFO__INIT;

	make_entries(entries, list, keys, 5);
	info.dtype = TENSORFLOW__DATA_TYPE__DT_INT8;
	entries[3].value = &info;
	def.inputs = list;
	def.n_inputs = 5;
	check_print(&def, "{'inputs':{'':{},'Z':{},'identity':{'dtype':'DT_INT8'},'identity_1':{},"
			  "'\\u00e9':{}}}");
	for (size_t i = 0; i < 5; i++)
		assert_ptr_equal(list[i], &entries[i]);
}

TEST(the_last_of_equal_keys_counts)
{
	static const char *const keys[] = {"b", "a", "b", "a", "b"};
	Tensorflow__SignatureDef__InputsEntry entries[5], *list[5];
	Tensorflow__SignatureDef def = TENSORFLOW__SIGNATURE_DEF__INIT;
	Tensorflow__TensorInfo infos[5];

	make_entries(entries, list, keys, 5);
	for (int i = 0; i < 5; i++) {
		tensorflow__tensor_info__init(&infos[i]);
		infos[i].dtype = 1000 + i;
		entries[i].value = &infos[i];
	}
	def.inputs = list;
	def.n_inputs = 5;
	check_print(&def, "{'inputs':{'a':{'dtype':1003},'b':{'dtype':1004}}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(indented_by_two),
		cmocka_unit_test(numbers_by_type),
		cmocka_unit_test(floats_and_doubles),
		cmocka_unit_test(bytes_are_base64_where_the_caller_says_so),
		cmocka_unit_test(enums_by_name_where_they_have_one),
		cmocka_unit_test(presence),
		cmocka_unit_test(maps_are_sorted),
		cmocka_unit_test(the_last_of_equal_keys_counts),
	};

	return RUN(tests);
}
