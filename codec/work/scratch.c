/*
 * Drafts of texts. What they hold is in no journal, for nobody can complete them once we are gone;
 * but that there was one is.
 */
#include <fcntl.h>

#include "codec/work/edits_state.h"
#include "codec/container/pbwire.h"

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

/* The lock is held. */
static int append_draft(struct edits *e, struct scratch *s, struct error *err)
{
	Weightfs__Draft body = WEIGHTFS__DRAFT__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	int r;

	body.id = e->next_region;
	body.key = pb_data(s->tensor->key);
	record.kind_case = WEIGHTFS__RECORD__KIND_DRAFT;
	record.draft = &body;
	r = edits_append(e, &record, err);
	if (r == 0)
		s->id = e->next_region++;
	return r;
}

/* The lock is held. */
static int begin(struct edits *e, struct scratch *s, struct error *err)
{
	int r;

	s->fd = make_file(e, err);
	r = s->fd < 0 ? s->fd : append_draft(e, s, err);
	if (r < 0) {
		close_pointer(&s->fd);
		return r;
	}
	s->next = e->scratch;
	e->scratch = s;
	return 0;
}

int scratch_new(struct model *m, const struct tensor *t, struct scratch **ret, struct error *err)
{
	struct scratch *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->tensor = t;
	r = edits_begin(m, err);
	if (r == 0) {
		pthread_mutex_lock(&m->edits->lock);
		r = begin(m->edits, s, err);
		pthread_mutex_unlock(&m->edits->lock);
	}
	if (r < 0)
		free(s);
	else
		*ret = s;
	return r;
}

void scratch_free(struct model *m, struct scratch *s)
{
	struct edits *e = m->edits;
	struct scratch **at = &e->scratch;

	if (!s)
		return;
	pthread_mutex_lock(&e->lock);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (s->id)
		edits_append_drop(e, s->id);
	pthread_mutex_unlock(&e->lock);
	close_pointer(&s->fd);
	free(s);
}

bool scratch_any(struct edits *e)
{
	bool any;

	pthread_mutex_lock(&e->lock);
	any = e->scratch != NULL;
	pthread_mutex_unlock(&e->lock);
	return any;
}

int scratch_append(struct edits *e, struct error *err)
{
	int r = 0;

	for (struct scratch *s = e->scratch; s && r == 0; s = s->next)
		r = append_draft(e, s, err);
	return r;
}

void scratch_forget(struct edits *e)
{
	for (struct scratch *s = e->scratch; s; s = s->next)
		s->id = 0;
}
