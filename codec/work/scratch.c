#include "codec/work/scratch.h"

#include <fcntl.h>

#include "codec/container/pbwire.h"
#include "codec/work/edits_state.h"

/* An unlinked file; where the file system makes none, one whose name goes at once. */
static int make_file(const struct edits *e, struct error *err)
{
	int fd = openat(e->workfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	fd = openat(e->workfd, "stage.draft", O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return error_errno(err, "%s", e->model->work_path);
	(void)unlinkat(e->workfd, "stage.draft", 0);
	return fd;
}

static int append_draft(struct edits *e, struct scratch *s, struct error *err)
{
	Weightfs__Draft body = WEIGHTFS__DRAFT__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	int r = ledger_bind(e, s->object, &body.object, err);

	body.id = e->next_number;
	record.kind_case = WEIGHTFS__RECORD__KIND_DRAFT;
	record.draft = &body;
	if (r == 0)
		r = edits_append(e, &record, err);
	if (r == 0)
		s->number = e->next_number++;
	return r;
}

static int begin_file(struct edits *e, struct scratch *s, struct error *err)
{
	int r = edits_begin_locked(e, err);

	if (r == 0) {
		s->fd = make_file(e, err);
		r = s->fd < 0 ? s->fd : append_draft(e, s, err);
	}
	if (r < 0)
		close_pointer(&s->fd);
	return r;
}

static int begin_region(struct edits *e, struct scratch *s, uint64_t size, struct error *err)
{
	int r = edits_new_region(e, size, &s->region, err);

	if (r == 0)
		r = edits_append_region(e, s->object, s->region, true, err);
	if (r < 0)
		s->region = region_free(s->region);
	return r;
}

static int begin_scratch(struct model *m, struct scratch like, const uint64_t *size,
			 struct scratch **ret, struct error *err)
{
	struct scratch *s = malloc(sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	*s = like;
	pthread_mutex_lock(&m->edits->lock);
	r = size ? begin_region(m->edits, s, *size, err) : begin_file(m->edits, s, err);
	if (r == 0)
		LIST_INSERT_HEAD(&m->edits->scratches, s, in_edits);
	pthread_mutex_unlock(&m->edits->lock);
	if (r < 0)
		free(s);
	else
		*ret = s;
	return r;
}

int scratch_new_region(struct model *m, struct object o, uint64_t size, struct scratch **ret,
		       struct error *err)
{
	return begin_scratch(m, (struct scratch){.object = o, .fd = -1}, &size, ret, err);
}

int scratch_new_file(struct model *m, struct object o, struct scratch **ret, struct error *err)
{
	return begin_scratch(m, (struct scratch){.object = o, .fd = -1}, NULL, ret, err);
}

static void forget(struct model *m, struct scratch *s)
{
	pthread_mutex_lock(&m->edits->lock);
	LIST_REMOVE(s, in_edits);
	if (s->region)
		edits_drop_region(m->edits, s->region);
	else if (s->number)
		edits_append_drop(m->edits, s->number);
	pthread_mutex_unlock(&m->edits->lock);
	close_pointer(&s->fd);
	free(s);
}

void scratch_free(struct model *m, struct scratch *s)
{
	if (s)
		forget(m, s);
}

int scratch_accept(struct model *m, struct scratch *s, struct error *err)
{
	const struct change c = {s->object, CHANGE_BYTES, s->region};
	int r = ledger_apply(m, &c, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&m->edits->lock);
	LIST_REMOVE(s, in_edits);
	pthread_mutex_unlock(&m->edits->lock);
	free(s);
	return 0;
}

/* ---- all of them ---- */

static size_t count(struct edits *e)
{
	struct scratch *s;
	size_t n = 0;

	LIST_FOREACH(s, &e->scratches, in_edits)
		n++;
	return n;
}

size_t scratch_count(struct model *m)
{
	size_t n;

	pthread_mutex_lock(&m->edits->lock);
	n = count(m->edits);
	pthread_mutex_unlock(&m->edits->lock);
	return n;
}

int scratch_objects(struct model *m, struct object **ret, size_t *ret_n)
{
	struct object *objects;
	struct scratch *s;
	size_t n = 0;

	pthread_mutex_lock(&m->edits->lock);
	objects = calloc(count(m->edits) + 1, sizeof(*objects));
	LIST_FOREACH(s, &m->edits->scratches, in_edits)
		if (objects && s->region)
			objects[n++] = s->object;
	pthread_mutex_unlock(&m->edits->lock);
	*ret = objects;
	*ret_n = n;
	return objects ? 0 : -ENOMEM;
}

size_t scratch_places(struct model *m, const struct data_file *d, struct extent *ret, size_t max)
{
	struct scratch *s;
	size_t n = 0;

	pthread_mutex_lock(&m->edits->lock);
	LIST_FOREACH(s, &m->edits->scratches, in_edits)
		if (s->region && s->region->data == d && n < max)
			ret[n++] = (struct extent){.offset = s->region->offset,
						   .size = s->region->size};
	pthread_mutex_unlock(&m->edits->lock);
	return n;
}

int scratch_append_files(struct edits *e, struct error *err)
{
	struct scratch *s;
	int r = 0;

	LIST_FOREACH(s, &e->scratches, in_edits)
		if (!s->region && r == 0)
			r = append_draft(e, s, err);
	return r;
}

void scratch_unbind(struct edits *e)
{
	struct scratch *s;

	LIST_FOREACH(s, &e->scratches, in_edits)
		s->number = 0;
}

void scratch_release(struct edits *e)
{
	struct scratch *s;

	while ((s = LIST_FIRST(&e->scratches))) {
		LIST_REMOVE(s, in_edits);
		region_free(s->region);
		close_pointer(&s->fd);
		free(s);
	}
}
