/*
 * Does what a daemon does to a model, in one thread and without FUSE: one scenario of the table
 * in scenarios.h. Faults are injected into it from outside (shim.c); it takes every error as a user
 *would who goes on with the next thing, and exits with what a program would have said.
 *
 *	driver --list			the table: NAME MODEL WORKDIR AFTER, a line each
 *	driver SCENARIO MODEL NOTES [--workdir DIR] [--output PATH] [ROLE=KEY ...]
 *
 * What it is about to do and what the product answered goes to the file NOTES, one write a line:
 *
 *	begin N write|draft|commit|sync|discard|reopen [ROLE OFFSET SIZE FILL]
 *	begin N text ROLE SIZE FILL
 *	ok N | fail N ERRNO SENTENCE
 *
 * so after a kill NOTES tells which edits were acknowledged. What the tensors seem to hold at the
 * end goes to NOTES.ROLE. expect.py knows what must follow from these lines.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/save/commit.h"
#include "codec/save/settle.h"
#include "codec/content/content.h"
#include "codec/save/recover.h"
#include "codec/work/edits.h"
#include "codec/work/scratch.h"
#include "codec/base/file.h"
#include "codec/base/mem.h"
#include "codec/content/string_text.h"
#include "codec/content/text_edit.h"
#include "codec/open.h"
#include "fs/view/exit.h"
#include "fs/view/open_model.h"
#include "tests/faults/scenarios.h"

enum { ROLES = 8 };

/* ---- the state ---- */

static struct {
	const char *argument, *workdir, *output, *notes;
	struct {
		const char *name, *key;
		struct content *draft; /* open */
		struct scratch *text;  /* likewise, of a string */
	} roles[ROLES];
	size_t n_roles;
	struct model *m; /* NULL: it could not be opened */
	int fd;		 /* of the notes */
	unsigned serial;
	int worst; /* exit code */
} d = {.fd = -1};

static __attribute__((format(printf, 1, 2))) void note(const char *format, ...)
{
	char line[2048];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(line) || write(d.fd, line, (size_t)n) != n)
		exit(99);
}

static int exit_code(int r)
{
	return r == -ESTALE ? EXIT_CHANGED : r == -EBUSY ? EXIT_BUSY : EXIT_SAVE_FAILED;
}

static void answer(int r, const struct error *err)
{
	if (r >= 0) {
		note("ok %u\n", d.serial);
		return;
	}
	note("fail %u %d %s\n", d.serial, -r, err->text);
	fprintf(stderr, "%s (%s)\n", err->text, strerror(-r));
	if (!d.worst)
		d.worst = exit_code(r);
}

static struct tensor *tensor_of(size_t role)
{
	return d.m ? model_find(d.m, span_str(d.roles[role].key)) : NULL;
}

static size_t find_role(const char *name)
{
	for (size_t i = 0; i < d.n_roles; i++)
		if (strcmp(d.roles[i].name, name) == 0)
			return i;
	fprintf(stderr, "driver: the model has no %s\n", name);
	exit(EXIT_USAGE);
}

/* ---- the operations ---- */

/* The bytes that edit number `fill` writes at offset; never zero. expect.py knows them too. */
static void fill_bytes(uint8_t *p, size_t n, uint64_t offset, unsigned fill)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t at = offset + i;

		p[i] = (uint8_t)(1 + (at * 7 + at / 251 + fill * 41) % 255);
	}
}

static int put(struct content *c, uint64_t offset, uint64_t n, unsigned fill, struct error *err)
{
	cleanup_free uint8_t *bytes = malloc(n);
	ssize_t r;

	if (!bytes)
		return -ENOMEM;
	fill_bytes(bytes, n, offset, fill);
	r = content_write(c, bytes, n, offset, err);
	if (r < 0)
		return (int)r;
	return (uint64_t)r == n ? 0 : -EIO;
}

static int do_write(const struct op *op, struct tensor *t, struct error *err)
{
	uint64_t n = op->size == whole ? tensor_size(t) : op->size;
	struct content *c;
	int r;

	note("begin %u write %s %" PRIu64 " %" PRIu64 " %u\n", d.serial, op->role, op->offset, n,
	     d.serial);
	r = content_open(d.m, t, true, &c, err);
	if (r < 0)
		return r;
	r = put(c, op->offset, n, d.serial, err);
	if (r == 0)
		r = content_flush(c, err);
	content_close(c, true, NULL);
	return r;
}

static int fill_draft(struct content *c, uint64_t from, uint64_t to, unsigned fill,
		      struct error *err)
{
	uint64_t middle = from + (to - from) / 3;
	int r = middle > from ? put(c, from, middle - from, fill, err) : 0;

	return r < 0 || to == middle ? r : put(c, middle, to - middle, fill, err);
}

static void note_draft(const char *role, const struct tensor *t)
{
	note("begin %u draft %s 0 %" PRIu64 " %u\n", d.serial, role, tensor_size(t), d.serial);
}

static int do_draft(const struct op *op, struct tensor *t, struct error *err)
{
	struct content *c;
	int r;

	note_draft(op->role, t);
	r = content_open(d.m, t, true, &c, err);
	if (r < 0)
		return r;
	r = content_truncate(c, 0, err);
	if (r == 0)
		r = fill_draft(c, 0, tensor_size(t), d.serial, err);
	if (r == 0)
		r = content_flush(c, err);
	content_close(c, true, NULL);
	return r;
}

static int fill_from(void *context, uint8_t *to, size_t n, uint64_t at)
{
	fill_bytes(to, n, at, *(const unsigned *)context);
	return 0;
}

static int do_whole(const struct op *op, struct tensor *t, struct error *err)
{
	note_draft(op->role, t);
	return content_overwrite(d.m, t, fill_from, &d.serial, err);
}

struct text {
	const struct tensor *tensor;
	const uint8_t *elements;
	struct buf bytes;
};

static int copy_elements(void *context, uint64_t first, size_t count, uint8_t *to,
			 struct error *err)
{
	const struct text *text = context;
	uint32_t size = dtype_size(text->tensor->dtype);

	(void)err;
	memcpy(to, text->elements + first * size, count * size);
	return 0;
}

static int copy_text(void *context, uint64_t offset, size_t n, uint8_t *to, struct error *err)
{
	(void)err;
	memcpy(to, ((const struct text *)context)->bytes.p + offset, n);
	return 0;
}

static int take_text(struct tensor *t, const uint8_t *elements, struct error *err)
{
	struct text text = {t, elements, {0}};
	struct text_source source = {.copy = copy_text, .context = &text};
	struct text_layout l;
	int r = text_layout_init(t->dtype, &t->shape, &l);
	uint8_t *to = r == 0 ? buf_extend(&text.bytes, (size_t)l.size) : NULL;

	if (!to)
		return -ENOMEM;
	source.size = l.size;
	r = text_generate(&l, 0, (size_t)l.size, to, copy_elements, &text, err);
	if (r == 0)
		r = content_take_text(d.m, t, &l, &source, err);
	buf_release(&text.bytes);
	return r;
}

/* The text of all numbers, as a program has read and changed it. */
static int do_numbers(const struct op *op, struct tensor *t, struct error *err)
{
	size_t n = tensor_size(t);
	cleanup_free uint8_t *elements = malloc(n);
	struct content *c;
	int r;

	note("begin %u draft %s %" PRIu64 " %" PRIu64 " %u\n", d.serial, op->role, op->offset,
	     op->size, d.serial);
	if (!elements)
		return -ENOMEM;
	r = content_open(d.m, t, false, &c, err);
	if (r < 0)
		return r;
	r = content_copy(c, 0, n, elements, err);
	content_close(c, false, NULL);
	fill_bytes(elements + op->offset, op->size, op->offset, d.serial);
	return r < 0 ? r : take_text(t, elements, err);
}

static int do_begin(struct tensor *t, struct content **ret, struct error *err)
{
	int r;

	note("begin %u open\n", d.serial);
	r = content_open(d.m, t, true, ret, err);
	if (r < 0)
		return r;
	r = content_truncate(*ret, 0, err);
	if (r == 0)
		r = fill_draft(*ret, 0, tensor_size(t) / 2, 0, err);
	if (r < 0) {
		content_close(*ret, true, NULL);
		*ret = NULL;
	}
	return r;
}

/* What the text's file holds becomes the string. */
static int accept_text(struct tensor *t, const struct scratch *s, uint64_t n, struct error *err)
{
	cleanup_buf struct buf text = {0}, stored = {0};
	uint8_t *p = buf_extend(&text, n);
	int r;

	if (!p)
		return -ENOMEM;
	fill_bytes(p, n, 0, d.serial);
	r = write_at(s->fd, p, n, 0);
	if (r < 0)
		return error_set(err, r, "the draft: %s", strerror(-r));
	r = read_at(s->fd, p, n, 0);
	if (r == 0)
		r = string_parse(t, buf_span(&text), &stored, err);
	if (r < 0)
		return r;
	pthread_rwlock_rdlock(&d.m->layout);
	r = content_replace(d.m, t, buf_span(&stored), err);
	pthread_rwlock_unlock(&d.m->layout);
	return r;
}

static int do_text(const struct op *op, struct tensor *t, struct scratch **open, struct error *err)
{
	struct scratch *s = steal_pointer(*open);
	int r = 0;

	note("begin %u text %s %" PRIu64 " %u\n", d.serial, op->role, op->size, d.serial);
	if (!s)
		r = scratch_new_file(d.m, object_tensor(t->id), &s, err);
	if (r < 0)
		return r;
	r = accept_text(t, s, op->size, err);
	scratch_free(d.m, s);
	return r;
}

static int do_to_string(const struct op *op, struct tensor *t, struct scratch **open,
			struct error *err)
{
	if (op->what == TEXT || op->what == FINISH)
		return do_text(op, t, open, err);
	note("begin %u open\n", d.serial);
	if (op->what == BEGIN)
		return scratch_new_file(d.m, object_tensor(t->id), open, err);
	scratch_free(d.m, steal_pointer(*open));
	return 0;
}

/* All of it anew: the draft may have been given up meanwhile. */
static int do_finish(const char *role, struct tensor *t, struct content **draft, struct error *err)
{
	struct content *c = steal_pointer(*draft);
	int r;

	note_draft(role, t);
	if (!c)
		return error_set(err, -EBADF, "was not opened");
	r = fill_draft(c, 0, tensor_size(t), d.serial, err);
	if (r == 0)
		r = content_flush(c, err);
	content_close(c, true, NULL);
	return r;
}

static int do_abandon(struct content **draft)
{
	note("begin %u close\n", d.serial);
	if (*draft)
		(void)content_close(*draft, true, &(struct error){""});
	*draft = NULL;
	return 0;
}

static int do_commit(enum what what, struct error *err)
{
	const struct commit_options options = {
		.compact = what == COMPACT, .always = what == COMPACT, .backup = what == BACKUP};
	struct commit_report report;

	note("begin %u commit\n", d.serial);
	return commit_model(d.m, &options, &report, err);
}

static int do_sync(struct error *err)
{
	note("begin %u sync\n", d.serial);
	return edits_sync(d.m, err);
}

static void ignore(void *context, struct object o)
{
	(void)context;
	(void)o;
}

/* As discard_all() of fs/view/saving.c. */
static int do_discard(struct error *err)
{
	int r;

	note("begin %u discard\n", d.serial);
	r = edits_remove(d.m, err);
	if (r == 0)
		settle_dropped(d.m, ignore, NULL);
	return r;
}

static int do_reopen(struct error *err)
{
	struct recovery found;

	note("begin %u reopen\n", d.serial);
	d.m = model_close(d.m);
	return open_model(d.argument,
			  &(struct open_options){.workdir = d.workdir, .output = d.output}, &d.m,
			  &found, err);
}

/* ---- a scenario ---- */

static int do_to_tensor(const struct op *op, struct error *err)
{
	size_t role = find_role(op->role);
	struct tensor *t = tensor_of(role);
	struct content **draft = &d.roles[role].draft;

	if (!t) {
		fprintf(stderr, "driver: the model has no tensor %s\n", d.roles[role].key);
		exit(EXIT_USAGE);
	}
	if (t->dtype == DTYPE_STRING)
		return do_to_string(op, t, &d.roles[role].text, err);
	switch (op->what) {
	case WRITE: return do_write(op, t, err);
	case DRAFT: return do_draft(op, t, err);
	case WHOLE: return do_whole(op, t, err);
	case NUMBERS: return do_numbers(op, t, err);
	case BEGIN: return do_begin(t, draft, err);
	case FINISH: return do_finish(op->role, t, draft, err);
	default: return do_abandon(draft);
	}
}

static int do_one(const struct op *op, struct error *err)
{
	switch (op->what) {
	case SYNC: return do_sync(err);
	case COMMIT:
	case COMPACT:
	case BACKUP: return do_commit(op->what, err);
	case DISCARD: return do_discard(err);
	case REOPEN: return do_reopen(err);
	default: return do_to_tensor(op, err);
	}
}

static void do_all(const struct op *ops)
{
	for (size_t i = 0; i < OPS_MAX && ops[i].what != END; i++) {
		struct error err = {""};

		if (!d.m && ops[i].what != REOPEN)
			return; /* nothing can be done; that has been said */
		d.serial++;
		answer(do_one(&ops[i], &err), &err);
	}
}

static int take_bytes(struct tensor *t, struct buf *ret)
{
	struct content *c;
	uint8_t *bytes;
	int r;

	if (t->dtype == DTYPE_STRING) {
		pthread_rwlock_rdlock(&d.m->layout);
		r = string_read(d.m, t, ret, NULL);
		pthread_rwlock_unlock(&d.m->layout);
		return r;
	}
	r = content_open(d.m, t, false, &c, NULL);
	if (r < 0)
		return r;
	bytes = buf_extend(ret, tensor_size(t));
	r = bytes ? content_copy(c, 0, tensor_size(t), bytes, NULL) : -ENOMEM;
	content_close(c, false, NULL);
	return r;
}

static void show(size_t role)
{
	struct tensor *t = tensor_of(role);
	cleanup_buf struct buf bytes = {0};
	cleanup_free char *name = NULL;
	FILE *f;

	if (asprintf(&name, "%s.%s", d.notes, d.roles[role].name) < 0)
		exit(99);
	if (!t || take_bytes(t, &bytes) < 0)
		return; /* the fault may have come just now */
	f = fopen(name, "we");
	if (!f || fwrite(bytes.p, bytes.n, 1, f) != 1 || fclose(f) != 0)
		exit(99);
}

static void end(void)
{
	for (size_t i = 0; i < d.n_roles; i++) {
		(void)do_abandon(&d.roles[i].draft);
		if (d.m)
			scratch_free(d.m, steal_pointer(d.roles[i].text));
	}
	for (size_t i = 0; i < d.n_roles; i++)
		show(i);
	if (d.m)
		settle_at_end(d.m);
	d.m = model_close(d.m);
}

static const struct scenario *find_scenario(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	fprintf(stderr, "driver: no scenario '%s'\n", name);
	exit(EXIT_USAGE);
}

static int list(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		printf("%s\t%s\t%s\t%s\n", table[i].name, table[i].model, table[i].workdir,
		       table[i].after);
	return EXIT_FINE;
}

static void take_arguments(int argc, char **argv)
{
	d.argument = argv[2];
	d.notes = argv[3];
	for (int i = 4; i < argc; i++) {
		char *key = strchr(argv[i], '=');

		if (strcmp(argv[i], "--workdir") == 0 && i + 1 < argc) {
			d.workdir = argv[++i];
		} else if (strcmp(argv[i], "--output") == 0 && i + 1 < argc) {
			d.output = argv[++i];
		} else if (key && d.n_roles < ROLES) {
			*key = '\0';
			d.roles[d.n_roles].name = argv[i];
			d.roles[d.n_roles++].key = key + 1;
		}
	}
}

int main(int argc, char **argv)
{
	const struct scenario *s;
	struct error err = {""};

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc < 4)
		return EXIT_USAGE;
	s = find_scenario(argv[1]);
	take_arguments(argc, argv);
	d.serial = s->after[0] ? 100 : 0; /* other bytes than those of the scenario before */
	d.fd = open(d.notes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (d.fd < 0)
		return 99;
	if (s->ops[0].what != REOPEN) /* which opens it itself */
		answer(do_reopen(&err), &err);
	if (d.m || s->ops[0].what == REOPEN)
		do_all(s->ops);
	end();
	note("end %d\n", d.worst);
	return d.worst;
}
