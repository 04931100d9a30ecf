#include "codec/work/edits_state.h"

#include <fcntl.h>
#include <stdio.h>

#include "codec/base/folder.h"
#include "codec/work/lock.h"
#include "codec/container/pbwire.h"
#include "codec/work/work.h"

enum {
	LOCK_WAIT = 1500, /* milliseconds */
	LOCK_PAUSE = 20,
};

/* The original is not even locked if saves go elsewhere: what must be ours is the work folder. */
static int lock_work(struct model *m, struct error *err)
{
	cleanup_fd int fd = work_create(m, err);
	int r = fd < 0 ? fd : lock_file(fd);

	if (r == -EBUSY)
		return error_set(err, r, "%s: in use by another process", m->work_path);
	return r < 0 ? r : steal_fd(&fd);
}

static int lock_any(struct model *m, struct error *err)
{
	return m->output ? lock_work(m, err) : lock_model(m, err);
}

/* A daemon that was unmounted a moment ago may be saving still. */
static int lock_patiently(struct model *m, struct error *err)
{
	int fd = lock_any(m, err);

	for (unsigned waited = 0; fd == -EBUSY && waited < LOCK_WAIT; waited += LOCK_PAUSE) {
		usleep(LOCK_PAUSE * 1000);
		fd = lock_any(m, err);
	}
	if (fd >= 0)
		m->edits->lockfd = fd;
	return fd < 0 ? fd : 0;
}

int edits_open(struct model *m, enum edits_mode mode, struct error *err)
{
	struct edits *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	*e = (struct edits){
		.model = m, .workfd = -1, .stagefd = -1, .next_number = 1, .lockfd = -1};
	pthread_mutex_init(&e->lock, NULL);
	m->edits = e;
	e->late = mode == EDITS_LOCK_LATER && m->n_base;
	return mode == EDITS_LOCK && m->n_base ? lock_patiently(m, err) : 0;
}

/* The edits that somebody left behind meanwhile are not in what was loaded. */
static int check_alone(struct model *m, struct error *err)
{
	int r = work_check_place(m, err);

	if (r < 0 || !edits_exist(m))
		return r;
	return error_set(err, -ESTALE,
			 "edits by another process are in %s: mount again to take them up",
			 m->work_path);
}

/* The lock is held (that of the edits). */
static int lock_late(struct edits *e, struct error *err)
{
	cleanup_fd int fd = -1;
	int r;

	if (!e->late || e->lockfd >= 0)
		return 0;
	fd = lock_model(e->model, err);
	if (fd < 0)
		return fd;
	r = check_alone(e->model, err);
	if (r == 0)
		e->lockfd = steal_fd(&fd);
	return r;
}

int edits_lock(struct model *m, struct error *err)
{
	int r;

	if (!m->edits)
		return 0;
	pthread_mutex_lock(&m->edits->lock);
	r = lock_late(m->edits, err);
	pthread_mutex_unlock(&m->edits->lock);
	return r;
}

void edits_touch(struct model *m)
{
	m->edits->unsaved = true;
}

bool edits_unsaved(const struct model *m)
{
	return m->edits && m->edits->unsaved;
}

bool edits_saving(const struct model *m)
{
	return m->edits && m->edits->saving;
}

struct edits *edits_free(struct edits *e)
{
	if (!e)
		return NULL;
	scratch_release(e);
	ledger_release(&e->ledger);
	data_file_unref(e->data);
	journal_close(&e->journal);
	close_pointer(&e->workfd);
	close_pointer(&e->stagefd);
	close_pointer(&e->lockfd);
	if (e->lingers)
		(void)work_remove_folder(e->model);
	if (e->model->output)
		rmdir(e->model->workdir); /* made for the lock alone, if it is empty */
	pthread_mutex_destroy(&e->lock);
	free(e);
	return NULL;
}

bool edits_exist(const struct model *m)
{
	return work_has_journal(m, m->workdir != NULL);
}

/* What the work folder holds is not ours any more. The lock is held. */
static void forget_folder(struct edits *e)
{
	data_file_unref(e->data);
	e->data = NULL;
	journal_close(&e->journal);
	close_pointer(&e->workfd);
	close_pointer(&e->stagefd);
	e->next_number = 1;
	e->placed = false;
	ledger_unbind(e);
	scratch_unbind(e);
}

/* Removes the work folder. The lock is held. */
static void stop(struct edits *e)
{
	int workfd = e->workfd, stagefd = e->stagefd;

	if (workfd < 0)
		return;
	e->workfd = e->stagefd = -1;
	/* What is removed while it is open does not go at once, in some file systems. */
	forget_folder(e);
	e->lingers = !work_remove(e->model, workfd, stagefd);
	close_pointer(&workfd);
	close_pointer(&stagefd);
}

/* Whatever somebody has put in its place goes, too. */
static int remove_journal(int workfd)
{
	if (unlinkat(workfd, "journal", 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	folder_remove(workfd, "journal");
	return faccessat(workfd, "journal", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? -ENOTEMPTY : 0;
}

/* Without the journal nothing in the folder means anything. The lock is held. */
static int forget(struct edits *e, struct error *err)
{
	int r;

	if (e->workfd < 0 && e->lingers)
		e->lingers = !work_remove_folder(e->model);
	if (e->workfd < 0)
		return 0;
	r = remove_journal(e->workfd);
	if (r < 0)
		return error_set(err, r, "%s/journal: %s", e->model->work_path, strerror(-r));
	/* If that is not durable the journal may be back; then it must find what it mentions. */
	if (sync_folder(e->workfd, NULL, NULL) < 0)
		forget_folder(e);
	else
		stop(e);
	return 0;
}

void edits_let_go(struct edits *e)
{
	pthread_mutex_lock(&e->lock);
	forget_folder(e);
	pthread_mutex_unlock(&e->lock);
}

int edits_remove(struct model *m, struct error *err)
{
	struct edits *e = m->edits;
	int r;

	pthread_mutex_lock(&e->lock);
	r = forget(e, err);
	pthread_mutex_unlock(&e->lock);
	return r;
}

int edits_append(struct edits *e, const Weightfs__Record *record, struct error *err)
{
	int r = journal_append(&e->journal, record, err);

	return r < 0 ? error_prefix(err, r, "%s", e->model->work_path) : 0;
}

/* The first record: which model the edits are for. */
static int append_begin(struct edits *e, struct error *err)
{
	struct model *m = e->model;
	struct boot_id boot = boot_id();
	cleanup_free Weightfs__Begin__File *files = calloc(m->n_base, sizeof(*files));
	cleanup_free Weightfs__Content *contents = calloc(m->n_base, sizeof(*contents));
	cleanup_free Weightfs__Begin__File **list = calloc(m->n_base, sizeof(*list));
	Weightfs__Begin begin = WEIGHTFS__BEGIN__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;

	if (!files || !contents || !list)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_base; i++) {
		weightfs__begin__file__init(&files[i]);
		weightfs__content__init(&contents[i]);
		contents[i].size = m->base[i].id.size;
		contents[i].crc32c = m->base[i].crc;
		files[i].name = pb_data(span_str(m->base[i].name));
		files[i].content = &contents[i];
		list[i] = &files[i];
	}
	begin.boot_id = pb_data(span_str(boot.text));
	begin.n_files = m->n_base;
	begin.files = list;
	record.kind_case = WEIGHTFS__RECORD__KIND_BEGIN;
	record.begin = &begin;
	return edits_append(e, &record, err);
}

/* Fills a new work folder: data.0, then the journal, which makes it count. */
static int fill_folder(struct edits *e, struct error *err)
{
	int r = data_file_create(e->workfd, 0, &e->data, err);

	if (r == 0)
		r = journal_create(e->workfd, "journal", &e->journal, err);
	if (r == 0)
		return append_begin(e, err);
	return error_prefix(err, r, "%s", e->model->work_path);
}

/* Makes the work folder with an empty journal and data.0. */
int edits_begin_locked(struct edits *e, struct error *err)
{
	int r;

	if (e->workfd >= 0)
		return 0;
	r = lock_late(e, err);
	if (r < 0)
		return r;
	e->workfd = work_create(e->model, err);
	if (e->workfd < 0)
		return e->workfd;
	work_clean(e->model, e->workfd);
	e->stagefd = work_stage(e->model, e->workfd, err);
	r = e->stagefd < 0 ? e->stagefd : fill_folder(e, err);
	/* What is there already is not ours to remove: two models were given one folder. */
	if (r == -EEXIST)
		forget_folder(e);
	else if (r < 0)
		stop(e);
	return r;
}

int edits_begin(struct model *m, struct error *err)
{
	int r;

	pthread_mutex_lock(&m->edits->lock);
	r = edits_begin_locked(m->edits, err);
	pthread_mutex_unlock(&m->edits->lock);
	return r;
}

/* ---- regions ---- */

int edits_new_region(struct edits *e, uint64_t size, struct region **ret, struct error *err)
{
	struct region *region;
	uint64_t offset;
	int r = edits_begin_locked(e, err);

	if (r < 0)
		return r;
	r = data_file_allocate(e->data, size, &offset);
	if (r < 0)
		return error_set(err, r, "%s/data.%u: %s", e->model->work_path, e->data->number,
				 strerror(-r));
	region = region_new(0, data_file_ref(e->data), offset, size);
	if (!region) {
		data_file_unref(e->data);
		return -ENOMEM;
	}
	*ret = region;
	return 0;
}

int edits_append_region(struct edits *e, struct object o, struct region *region, bool draft,
			struct error *err)
{
	Weightfs__Region body = WEIGHTFS__REGION__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	int r = ledger_bind(e, o, &body.object, err);

	body.id = e->next_number;
	body.data = region->data->number;
	body.offset = region->offset;
	body.size = region->size;
	body.draft = draft;
	record.kind_case = WEIGHTFS__RECORD__KIND_REGION;
	record.region = &body;
	if (r == 0)
		r = edits_append(e, &record, err);
	if (r == 0)
		region->number = e->next_number++;
	return r;
}

int edits_add_blocks(struct model *m, struct region *region, uint64_t first, uint64_t count,
		     struct error *err)
{
	Weightfs__Blocks body = WEIGHTFS__BLOCKS__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	int r;

	body.id = region->number;
	body.first = first;
	body.count = count;
	record.kind_case = WEIGHTFS__RECORD__KIND_BLOCKS;
	record.blocks = &body;
	pthread_mutex_lock(&m->edits->lock);
	r = edits_append(m->edits, &record, err);
	pthread_mutex_unlock(&m->edits->lock);
	if (r == 0)
		region_set(region, first, count);
	return r;
}

void edits_append_drop(struct edits *e, uint32_t number)
{
	Weightfs__Drop body = WEIGHTFS__DROP__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;

	body.id = number;
	record.kind_case = WEIGHTFS__RECORD__KIND_DROP;
	record.drop = &body;
	(void)edits_append(e, &record, NULL);
}

void edits_drop_region(struct edits *e, struct region *region)
{
	/* Without the record a replay finds an unaccepted draft, or an edit that another one
	 * replaced: either is dropped there too. */
	if (region && region->number && region->data == e->data)
		edits_append_drop(e, region->number);
	region_free(region);
}

int edits_sync_journal(struct edits *e, struct error *err)
{
	int r = journal_sync(&e->journal, err);

	if (r < 0 || e->placed)
		return r;
	r = work_sync(e->model, err);
	e->placed = r == 0;
	return r;
}

static int sync_locked(struct edits *e, struct error *err)
{
	Weightfs__Synced body = WEIGHTFS__SYNCED__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	int r;

	if (e->workfd < 0)
		return 0;
	r = file_sync(e->data->fd, &e->data->adrift);
	if (r < 0)
		return error_set(err, r, "%s/data.%u: %s", e->model->work_path, e->data->number,
				 strerror(-r));
	/* The record may be on disk before it is synced: then what it speaks of must be. */
	if (!e->placed)
		r = edits_sync_journal(e, err);
	if (r < 0)
		return r;
	record.kind_case = WEIGHTFS__RECORD__KIND_SYNCED;
	record.synced = &body;
	r = edits_append(e, &record, err);
	return r < 0 ? r : edits_sync_journal(e, err);
}

static bool data_is_adrift(struct edits *e)
{
	bool adrift;

	pthread_mutex_lock(&e->lock);
	adrift = e->workfd >= 0 && e->data && e->data->adrift;
	pthread_mutex_unlock(&e->lock);
	return adrift;
}

int edits_sync(struct model *m, struct error *err)
{
	bool alone;
	int r;

	if (!m->edits)
		return 0;
	alone = data_is_adrift(m->edits);
	if (alone)
		pthread_rwlock_wrlock(&m->layout); /* nobody writes while all is written again */
	pthread_mutex_lock(&m->edits->lock);
	if (!alone && m->edits->data && m->edits->data->adrift)
		r = error_set(err, -EIO, "%s: an earlier sync failed", m->work_path);
	else
		r = sync_locked(m->edits, err);
	pthread_mutex_unlock(&m->edits->lock);
	if (alone)
		pthread_rwlock_unlock(&m->layout);
	return r;
}

/* ---- after a commit ---- */

/* A new journal takes the place of the old one in one step. */
static int replace_journal(struct edits *e, struct error *err)
{
	struct journal fresh;
	int r = journal_create(e->workfd, "journal.new", &fresh, err);

	if (r < 0)
		return r;
	journal_close(&e->journal);
	e->journal = fresh;
	r = append_begin(e, err);
	if (r == 0)
		r = scratch_append_files(e, err);
	if (r == 0)
		r = journal_sync(&e->journal, err);
	if (r == 0 && renameat(e->workfd, "journal.new", e->workfd, "journal") < 0)
		r = error_errno(err, "%s/journal", e->model->work_path);
	return r < 0 ? r : journal_sync(&e->journal, err);
}

/* Begins anew beside what the commit has used up. */
static int renew(struct edits *e, struct error *err)
{
	struct data_file *old = e->data, *fresh;
	int r = data_file_create(e->workfd, old->number + 1, &fresh, err);

	if (r < 0)
		return r;
	e->data = fresh;
	e->next_number = 1;
	ledger_unbind(e);
	r = replace_journal(e, err);
	data_file_remove(e->workfd, old);
	return r;
}

bool edits_renew(struct edits *e)
{
	bool renewed;

	pthread_mutex_lock(&e->lock);
	renewed = !LIST_EMPTY(&e->scratches) && e->workfd >= 0 && renew(e, NULL) == 0;
	if (renewed)
		work_sweep_staged(e->stagefd);
	else
		stop(e);
	pthread_mutex_unlock(&e->lock);
	return renewed;
}
