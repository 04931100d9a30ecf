/* The message and the text were made by protobuf of Python, with the .proto files of TensorFlow. */
#include "support.h"

#include "codec/saved_model/signature.h"
#include "texts.h"

static const char everything[] =
	"0a0a0a03626164120310e7070a0b0a05656d70747912020a000a0e0a036f6c6412070a03723a3010650a"
	"740a03726167126d2a6b0a6008031248a203450a0260090a020a000a0959000000000000f03f0a038002"
	"010a026a000a0270000a0daa030a0a080a016b12039a03000a14b203110a05506f696e7412080a017812"
	"03fa01001a1052616767656454656e736f7253706563200212070a03613a3010010a140a027370120e10"
	"01220a0a03763a301203693a300a0e0a017312090a03733a3010091a000a100a0175120b0a03753a3010"
	"011a0218010a360a017812310a1373657276696e675f64656661756c745f783a3010011a181202082012"
	"1208ffffffffffffffffff01120562617463680a120a017a120d0a037a3a301a06120012020804120e0a"
	"05c3a92f227812050a03793a301a1a74656e736f72666c6f772f73657276696e672f7072656469637422"
	"560a0162125108072202000132109a9999999999b93f000000000000703e4204ff006869520af9ffffff"
	"ffffffffff015a01016a01037a060a01541201fe820105ffffffff0f8a010affffffffffffffffff0192"
	"01017f22230a0178121e08011204120208022a140000c03f0000c07f0000807fcdcccc3d01000000";

static const char everything_text[] = "{\n"
				      "  'inputs': {\n"
				      "    'bad': {\n"
				      "      'dtype': 999\n"
				      "    },\n"
				      "    'empty': {\n"
				      "      'name': ''\n"
				      "    },\n"
				      "    'old': {\n"
				      "      'name': 'r:0',\n"
				      "      'dtype': 'DT_FLOAT_REF'\n"
				      "    },\n"
				      "    'rag': {\n"
				      "      'compositeTensor': {\n"
				      "        'typeSpec': {\n"
				      "          'typeSpecClass': 'RAGGED_TENSOR_SPEC',\n"
				      "          'typeState': {\n"
				      "            'tupleValue': {\n"
				      "              'values': [\n"
				      "                {\n"
				      "                  'int64Value': '-5'\n"
				      "                },\n"
				      "                {\n"
				      "                  'noneValue': {}\n"
				      "                },\n"
				      "                {\n"
				      "                  'float64Value': 1.0\n"
				      "                },\n"
				      "                {\n"
				      "                  'tensorDtypeValue': 'DT_FLOAT'\n"
				      "                },\n"
				      "                {\n"
				      "                  'stringValue': ''\n"
				      "                },\n"
				      "                {\n"
				      "                  'boolValue': false\n"
				      "                },\n"
				      "                {\n"
				      "                  'dictValue': {\n"
				      "                    'fields': {\n"
				      "                      'k': {\n"
				      "                        'listValue': {}\n"
				      "                      }\n"
				      "                    }\n"
				      "                  }\n"
				      "                },\n"
				      "                {\n"
				      "                  'namedTupleValue': {\n"
				      "                    'name': 'Point',\n"
				      "                    'values': [\n"
				      "                      {\n"
				      "                        'key': 'x',\n"
				      "                        'value': {\n"
				      "                          'tensorShapeValue': {}\n"
				      "                        }\n"
				      "                      }\n"
				      "                    ]\n"
				      "                  }\n"
				      "                }\n"
				      "              ]\n"
				      "            }\n"
				      "          },\n"
				      "          'typeSpecClassName': 'RaggedTensorSpec',\n"
				      "          'numFlatComponents': 2\n"
				      "        },\n"
				      "        'components': [\n"
				      "          {\n"
				      "            'name': 'a:0',\n"
				      "            'dtype': 'DT_FLOAT'\n"
				      "          }\n"
				      "        ]\n"
				      "      }\n"
				      "    },\n"
				      "    's': {\n"
				      "      'name': 's:0',\n"
				      "      'dtype': 'DT_INT64',\n"
				      "      'tensorShape': {}\n"
				      "    },\n"
				      "    'sp': {\n"
				      "      'dtype': 'DT_FLOAT',\n"
				      "      'cooSparse': {\n"
				      "        'valuesTensorName': 'v:0',\n"
				      "        'indicesTensorName': 'i:0'\n"
				      "      }\n"
				      "    },\n"
				      "    'u': {\n"
				      "      'name': 'u:0',\n"
				      "      'dtype': 'DT_FLOAT',\n"
				      "      'tensorShape': {\n"
				      "        'unknownRank': true\n"
				      "      }\n"
				      "    },\n"
				      "    'x': {\n"
				      "      'name': 'serving_default_x:0',\n"
				      "      'dtype': 'DT_FLOAT',\n"
				      "      'tensorShape': {\n"
				      "        'dim': [\n"
				      "          {\n"
				      "            'size': '32'\n"
				      "          },\n"
				      "          {\n"
				      "            'size': '-1',\n"
				      "            'name': 'batch'\n"
				      "          }\n"
				      "        ]\n"
				      "      }\n"
				      "    },\n"
				      "    'z': {\n"
				      "      'name': 'z:0',\n"
				      "      'tensorShape': {\n"
				      "        'dim': [\n"
				      "          {},\n"
				      "          {\n"
				      "            'size': '4'\n"
				      "          }\n"
				      "        ]\n"
				      "      }\n"
				      "    }\n"
				      "  },\n"
				      "  'outputs': {\n"
				      "    '\\u00e9/\\'x': {\n"
				      "      'name': 'y:0'\n"
				      "    }\n"
				      "  },\n"
				      "  'methodName': 'tensorflow/serving/predict',\n"
				      "  'defaults': {\n"
				      "    'b': {\n"
				      "      'dtype': 'DT_STRING',\n"
				      "      'tensorContent': 'AAE=',\n"
				      "      'doubleVal': [\n"
				      "        0.1,\n"
				      "        5.960464477539063e-08\n"
				      "      ],\n"
				      "      'stringVal': [\n"
				      "        '/wBoaQ=='\n"
				      "      ],\n"
				      "      'int64Val': [\n"
				      "        '-7'\n"
				      "      ],\n"
				      "      'boolVal': [\n"
				      "        true\n"
				      "      ],\n"
				      "      'halfVal': [\n"
				      "        3\n"
				      "      ],\n"
				      "      'variantVal': [\n"
				      "        {\n"
				      "          'typeName': 'T',\n"
				      "          'metadata': '/g=='\n"
				      "        }\n"
				      "      ],\n"
				      "      'uint32Val': [\n"
				      "        4294967295\n"
				      "      ],\n"
				      "      'uint64Val': [\n"
				      "        '18446744073709551615'\n"
				      "      ],\n"
				      "      'float8Val': 'fw=='\n"
				      "    },\n"
				      "    'x': {\n"
				      "      'dtype': 'DT_FLOAT',\n"
				      "      'tensorShape': {\n"
				      "        'dim': [\n"
				      "          {\n"
				      "            'size': '2'\n"
				      "          }\n"
				      "        ]\n"
				      "      },\n"
				      "      'floatVal': [\n"
				      "        1.5,\n"
				      "        'NaN',\n"
				      "        'Infinity',\n"
				      "        0.1,\n"
				      "        1.4013e-45\n"
				      "      ]\n"
				      "    }\n"
				      "  }\n"
				      "}\n";

TEST(everything_that_a_signature_can_hold)
{
	cleanup_buf struct buf def = {0}, expected = {0}, text = {0};
	struct error err = {0};

	add_hex(&def, everything);
	add_json(&expected, everything_text);
	assert_int_equal(signature_check(buf_span(&def), &err), 0);
	assert_int_equal(signature_print(buf_span(&def), &text, &err), 0);
	assert_same(buf_span(&text), buf_span(&expected));
}

TEST(empty_signature)
{
	cleanup_buf struct buf text = {0};
	struct error err = {0};

	assert_int_equal(signature_check((struct span){0}, &err), 0);
	assert_int_equal(signature_print((struct span){0}, &text, &err), 0);
	assert_says(buf_span(&text), "{}\n");
}

/* Maps, whose order on disk means nothing, are sorted; fields are in the order of numbers. */
TEST(order_on_disk_does_not_matter)
{
	cleanup_buf struct buf def = {0}, expected = {0}, text = {0};
	struct error err = {0};

	add_hex(&def, "1a0170 0a08 0a026232 12020a00 0a07 0a0162 12020a00 0a07 12020a00 0a0161");
	add_json(&expected, "{\n  'inputs': {\n    'a': {\n      'name': ''\n    },\n"
			    "    'b': {\n      'name': ''\n    },\n"
			    "    'b2': {\n      'name': ''\n    }\n  },\n  'methodName': 'p'\n}\n");
	assert_int_equal(signature_print(buf_span(&def), &text, &err), 0);
	assert_same(buf_span(&text), buf_span(&expected));
}

TEST(names_that_are_no_text)
{
	cleanup_buf struct buf def = {0}, text = {0};
	struct error err = {0};

	add_hex(&def, "1a06 61 00 ff c3a9 0a");
	assert_int_equal(signature_print(buf_span(&def), &text, &err), 0);
	assert_says(buf_span(&text), "{\n  \"methodName\": \"a\\u0000\\ufffd\\u00e9\\n\"\n}\n");
}

static void nest(struct buf *message, int levels)
{
	for (int i = 0; i < levels; i++) {
		struct buf values = {0}, list = {0};

		pb_add_bytes(&values, 1, buf_span(message)); /* ListValue.values */
		pb_add_bytes(&list, 51, buf_span(&values));  /* StructuredValue.list_value */
		buf_release(&values);
		buf_release(message);
		*message = list;
	}
}

/* A signature whose only input is a list of lists ..., that deep. */
static void nested_signature(struct buf *def, int levels)
{
	struct buf value = {0}, spec = {0}, composite = {0}, info = {0}, entry = {0};

	nest(&value, levels);
	add_field(&spec, 2, &value);	 /* TypeSpecProto.type_state */
	add_field(&composite, 1, &spec); /* CompositeTensor.type_spec */
	add_field(&info, 5, &composite); /* TensorInfo.composite_tensor */
	add_field(&entry, 2, &info);	 /* InputsEntry.value */
	add_field(def, 1, &entry);
}

TEST(nested_as_deep_as_upstream_goes_and_deeper)
{
	static const struct {
		int levels;
		bool fine;
	} cases[] = {{0, true}, {40, true}, {60, false}, {10000, false}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buf struct buf def = {0}, text = {0};
		struct error err = {0};
		int r;

		nested_signature(&def, cases[i].levels);
		r = signature_check(buf_span(&def), &err);
		assert_int_equal(r, cases[i].fine ? 0 : -EBADMSG);
		assert_int_equal(signature_print(buf_span(&def), &text, &err), r);
		assert_true(cases[i].fine ? text.n > 0 : text.n == 0);
	}
}

/* Every beginning of a message either is one or is refused. */
TEST(cut_anywhere)
{
	cleanup_buf struct buf def = {0};
	int whole = 0;

	add_hex(&def, everything);
	for (size_t n = 0; n <= def.n; n++) {
		cleanup_buf struct buf text = {0};
		struct error err = {0};
		int r = signature_print(span_first(buf_span(&def), n), &text, &err);

		assert_true(r == 0 || r == -EBADMSG);
		whole += r == 0;
	}
	assert_int_equal(whole, 14); /* behind each of the 13 fields, and before the first */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_that_a_signature_can_hold),
		cmocka_unit_test(empty_signature),
		cmocka_unit_test(order_on_disk_does_not_matter),
		cmocka_unit_test(names_that_are_no_text),
		cmocka_unit_test(nested_as_deep_as_upstream_goes_and_deeper),
		cmocka_unit_test(cut_anywhere),
	};

	return RUN(tests);
}
