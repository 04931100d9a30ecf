/* JSON: each token lies in the text, and what is copied from it is JSON again. */
#include "codec/base/json.h"
#include "codec/graph/keras.h"
#include "fuzz.h"

/* What it says can be spelled, and once it is UTF-8 it says the same from then on. */
static void check_string(struct span text)
{
	cleanup_buf struct buf said = {0}, spelled = {0}, said_again = {0}, spelled_again = {0};

	json_unescape(text, &said);
	json_add_string(&spelled, buf_span(&said));
	json_unescape(buf_span(&spelled), &said_again);
	json_add_string(&spelled_again, buf_span(&said_again));
	MUST(span_equal(buf_span(&spelled), buf_span(&spelled_again)));
}

static void check_value(const struct json *json, json_ref ref, struct span text)
{
	const struct json_value *v = &json->values[ref];
	cleanup_json struct json alone = {0};

	MUST(v->text.p >= text.p && v->text.p + v->text.n <= text.p + text.n && v->text.n);
	MUST(v->next == 0 || (v->next > ref && v->next < json->n));
	MUST(v->child == 0 || v->child == ref + 1);
	if (v->type == JSON_STRING)
		check_string(v->text);
	if (v->key.n)
		check_string(v->key);
	if (v->type == JSON_OBJECT && v->child)
		(void)json_get(json, ref, "config");
	if (ref < 8) /* each value is a document too */
		MUST(json_parse(&alone, v->text, NULL) == 0);
}

static void check_config(struct span metadata)
{
	cleanup_keras struct keras_texts texts = {0};
	cleanup_buf struct buf config = {0};
	cleanup_json struct json json = {0};
	struct error err = {0};
	int r = keras_read(metadata, &texts, &err);

	if (texts.config.n)
		MUST(json_parse(&json, buf_span(&texts.config), NULL) == 0);
	if (texts.training.n)
		MUST(json_parse(&json, buf_span(&texts.training), NULL) == 0);
	MUST(r == 0 || (r == -EBADMSG && err.text[0]));
	r = keras_object_config(metadata, &config, &err);
	if (r > 0)
		MUST(json_parse(&json, buf_span(&config), NULL) == 0);
	MUST(r >= 0 || (r == -EBADMSG && err.text[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span text = span_of(bytes, n);
	cleanup_json struct json json = {0};
	struct error err = {0};
	int r = json_parse(&json, text, &err);

	MUST(r == 0 || (r == -EINVAL && err.text[0]));
	for (size_t i = 0; r == 0 && i < json.n && i < 10000; i++)
		check_value(&json, (json_ref)i, text);
	check_config(text);
	return 0;
}
