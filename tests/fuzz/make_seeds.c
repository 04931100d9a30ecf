/*
 * Makes what the fuzz targets begin with: OUT/TARGET/FILE, from the models of tests/data (whole
 * and broken ones), and journals of edits that are made here.
 *
 *	make_seeds DATA OUT STAMP
 *
 * STAMP is a file that is made at the end.
 */
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "codec/bundle/bundle.h"
#include "codec/content/content.h"
#include "codec/work/edits.h"
#include "codec/graph/keras.h"
#include "codec/container/sstable.h"
#include "codec/tensor/stored.h"
#include "codec/tensor/text_layout.h"
#include "codec/open.h"
#include "fuzz.h"
#include "tests/codec/records.h"

/* A big seed makes for slow runs, and shows nothing that a small one does not. */
enum { SEED_MAX = 64 << 10, JSON_MAX = 16 << 10 };

static const char *data_folder, *out_folder;

static void write_seed(const char *target, const char *name, struct span content)
{
	cleanup_buf struct buf path = {0};
	size_t start;
	FILE *f;

	if (content.n > SEED_MAX)
		return;
	buf_printf(&path, "%s/%s", out_folder, target);
	buf_add_u8(&path, 0);
	MUST(mkdir((const char *)path.p, 0777) == 0 || errno == EEXIST);
	path.p[path.n - 1] = '/';
	start = path.n;
	buf_add_str(&path, name);
	buf_add_u8(&path, 0);
	for (size_t i = start; i < path.n; i++)
		if (path.p[i] == '/')
			path.p[i] = '_';
	f = fopen((const char *)path.p, "we");
	MUST(f && fwrite(content.p, 1, content.n, f) == content.n && fclose(f) == 0);
}

/* The only shard of an index; empty if there are others. */
static void read_shard(const char *path, struct file *ret)
{
	cleanup_buf struct buf name = {0};

	buf_printf(&name, "%.*s.data-00000-of-00001", (int)(strlen(path) - strlen(".index")), path);
	MUST(buf_error(&name) == 0);
	(void)file_read(AT_FDCWD, (const char *)name.p, SEED_MAX, ret, NULL);
}

/* ---- of one file ---- */

/* The object graph, where an index has one and its shard is at hand. */
static void seed_graph(const char *name, struct span index, struct span shard)
{
	static const struct bundle_header header = {.shards = BUNDLE_SHARDS_MAX};
	struct sstable_reader r;
	struct arena arena = {0};
	struct span key, value, stored, graph;
	struct bundle_entry e;
	struct strings s;
	int res = sstable_open(&r, index, NULL);

	while (res >= 0 && (res = sstable_next(&r, &key, &value, NULL)) > 0) {
		if (!span_is(key, BUNDLE_GRAPH_KEY) ||
		    bundle_decode_entry(value, &header, &arena, &e, NULL) < 0 ||
		    span_slice(shard, e.extent.offset, e.extent.size, &stored) < 0 ||
		    strings_open(&s, stored, 1, NULL) < 0)
			continue;
		if (strings_next(&s, &graph))
			write_seed("graph", name, graph);
	}
	sstable_release(&r);
	arena_release(&arena);
}

static void seed_bundle(const char *path, const char *name, struct span index)
{
	cleanup_file struct file shard = {0};
	cleanup_buf struct buf both = {0};

	read_shard(path, &shard);
	add_part(&both, index);
	buf_add(&both, buf_span(&shard.bytes));
	write_seed("bundle", name, buf_span(&both));
	write_seed("commit", name, buf_span(&both));
	seed_graph(name, index, buf_span(&shard.bytes));
}

/* saved_model.pb is mostly too big beside its metadata: each is a seed of its own. */
static void seed_saved_model(const char *name, struct span graph, struct span metadata)
{
	cleanup_buf struct buf both = {0};
	struct span root;

	add_part(&both, graph);
	buf_add(&both, metadata);
	write_seed("saved_model", name, buf_span(&both));
	if (keras_root_metadata(metadata, &root, NULL) > 0)
		write_seed("json", name, root);
}

static int seed_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	cleanup_file struct file file = {0};
	const char *name = path + strlen(data_folder) + 1;
	struct span content;

	(void)st;
	(void)ftw;
	if (type != FTW_F || file_read(AT_FDCWD, path, SEED_MAX, &file, NULL) < 0)
		return 0;
	content = buf_span(&file.bytes);
	if (sstable_magic(content))
		write_seed("sstable", name, content);
	if (sstable_magic(content) && strncmp(name, "v1/", 3) == 0)
		write_seed("v1", name, content);
	if (span_ends(span_str(path), span_str(".index")))
		seed_bundle(path, name, content);
	if (span_ends(span_str(path), span_str("/saved_model.pb")))
		seed_saved_model(name, content, (struct span){0});
	if (span_ends(span_str(path), span_str("/keras_metadata.pb")))
		seed_saved_model(name, span_of("\x08\x01\x12\x00", 4), content);
	if (span_ends(span_str(path), span_str("/checkpoint")))
		write_seed("checkpoint_state", name, content);
	if (span_ends(span_str(path), span_str(".json")) && content.n < JSON_MAX)
		write_seed("json", name, content);
	return 0;
}

/* What Keras wraps around values, and numbers as Python spells them. */
static const char wrapped[] = "{\"class_name\": \"Functional\", \"keras_version\": \"2.12.0\", "
			      "\"backend\": \"tensorflow\",\n"
			      "\"model_config\": {\"class_name\": \"Functional\", \"config\": "
			      "{\"name\": \"m\\u00fc\", \"layers\": [{\n"
			      "\"shape\": {\"class_name\": \"TensorShape\", \"items\": [null, 3]}, "
			      "\"shared_object_id\": 7,\n"
			      "\"pair\": {\"class_name\": \"__tuple__\", \"items\": [1e-07, NaN, "
			      "-Infinity, 9223372036854775808]},\n"
			      "\"any\": {\"class_name\": \"TensorShape\", \"items\": null}}]}}}";

/* ---- journals ---- */

/* What the journal is now, with more frames behind it. */
static void seed_journal(const char *name, struct span more)
{
	cleanup_file struct file journal = {0};
	cleanup_buf struct buf frames = {0};

	MUST(file_read(scratch_fd(), "small.weightfs/journal", SEED_MAX, &journal, NULL) == 0);
	buf_add(&frames, span_skip(buf_span(&journal.bytes), 8));
	buf_add(&frames, more);
	write_seed("journal", name, buf_span(&frames));
}

static void seed_commits(void)
{
	static const char shard[] = "small.data-00000-of-00001";
	cleanup_buf struct buf more = {0}, index = {0}, staged = {0};

	small_model_index(0, &index);
	small_model_index(1, &staged);
	record_boot(&more, "00000000-0000-0000-0000-000000000000");
	seed_journal("other_boot", buf_span(&more));
	buf_reset(&more);
	record_stage(&more, "small.data-00000-of-00002", 42);
	seed_journal("staged", buf_span(&more));
	record_intent(&more, "small.index", buf_span(&index), buf_span(&staged), shard);
	seed_journal("decided", buf_span(&more));
	record_abort(&more, false);
	seed_journal("taken_back", buf_span(&more));
	record_intent(&more, "bystander", span_str("bystander"), buf_span(&staged), shard);
	seed_journal("of_another_file", buf_span(&more));
}

static struct content *open_tensor(struct model *m, const char *key)
{
	struct content *c;

	MUST(content_open(m, model_find(m, span_str(key)), true, &c, NULL) == 0);
	return c;
}

/* Edits as people make them, the journal looked at after each. */
static void edit(struct model *m)
{
	uint8_t bytes[5000];
	struct content *big = open_tensor(m, "big"), *z = open_tensor(m, "z");

	memset(bytes, 0xa5, sizeof(bytes));
	MUST(content_write(big, bytes, 10, 100, NULL) == 10);
	seed_journal("written", (struct span){0});
	MUST(content_write(big, bytes, sizeof(bytes), 8000, NULL) == sizeof(bytes));
	MUST(content_truncate(z, 0, NULL) == 0);
	MUST(content_write(z, bytes, 4, 0, NULL) == 4);
	seed_journal("draft", (struct span){0});
	MUST(content_write(z, bytes, 6, 4, NULL) == 6);
	MUST(content_flush(z, NULL) == CONTENT_ACCEPTED);
	seed_journal("accepted", (struct span){0});
	MUST(edits_sync(m, NULL) == 0);
	seed_journal("synced", (struct span){0});
	seed_commits();
	(void)content_close(big, true, NULL);
	(void)content_close(z, true, NULL);
}

static void seed_journals(void)
{
	cleanup_open_model struct model *m = NULL;
	struct error err = {0};
	char prefix[96];

	small_model_write();
	snprintf(prefix, sizeof(prefix), "%s/small", scratch_path());
	MUST(model_open(prefix, &m, &err) == 0);
	look_at_model(m);
	MUST(edits_open(m, EDITS_LOCK, &err) == 0);
	edit(m);
}

static int any_elements(void *layout, uint64_t first, size_t count, uint8_t *to, struct error *err)
{
	const struct text_layout *l = layout;

	(void)err;
	for (size_t i = 0; i < count * dtype_size(l->dtype); i++)
		to[i] = (uint8_t)(77 * (first + i));
	return 0;
}

/* Numbers as text, of each dtype: what the target takes, a dtype, a rank, dims, and a text. */
static void seed_texts(void)
{
	static const int64_t dims[] = {2, 1, 2};
	static const struct shape shape = {3, dims};
	uint8_t text[1024];
	struct text_layout l;

	for (uint32_t dtype = 1; dtype <= DTYPE_LAST; dtype++) {
		const uint8_t head[] = {(uint8_t)dtype, 3, 2, 1, 2};
		cleanup_buf struct buf seed = {0};

		if (text_layout_init(dtype, &shape, &l) < 0)
			continue;
		MUST(l.size <= sizeof(text));
		MUST(text_generate(&l, 0, (size_t)l.size, text, any_elements, &l, NULL) == 0);
		buf_add(&seed, span_of(head, sizeof(head)));
		buf_add(&seed, span_of(text, (size_t)l.size));
		write_seed("text", dtype_name(dtype).text, buf_span(&seed));
	}
}

/* All that the text form has, of which TensorFlow writes a part only. */
static const char state[] = "# saved\nmodel_checkpoint_path: '\\x61\\101\\u00e9\\n' \"b\";\n"
			    "all_model_checkpoint_paths: [\"a\", 'b']\n"
			    "all_model_checkpoint_timestamps: [1.5e3, -inf, 2f], "
			    "last_preserved_timestamp: 1700000000.25\n";

int main(int argc, char **argv)
{
	FILE *stamp;

	if (argc != 4) {
		fprintf(stderr, "usage: %s DATA OUT STAMP\n", argv[0]);
		return 2;
	}
	data_folder = argv[1];
	out_folder = argv[2];
	MUST(mkdir(out_folder, 0777) == 0 || errno == EEXIST);
	write_seed("json", "wrapped", span_str(wrapped));
	write_seed("checkpoint_state", "state", span_str(state));
	seed_texts();
	MUST(nftw(data_folder, seed_file, 16, FTW_PHYS) == 0);
	seed_journals();
	stamp = fopen(argv[3], "we");
	MUST(stamp && fclose(stamp) == 0);
	return 0;
}
