#include "codec/save/intent.h"

#include <fcntl.h>

#include "codec/base/folder.h"
#include "codec/container/pbwire.h"
#include "codec/model/format.h"
#include "codec/work/work.h"

int intent_append_stage(struct journal *j, const struct stage *s, struct error *err)
{
	cleanup_free Weightfs__Stage__Name *names = calloc(s->n_names + 1, sizeof(*names));
	cleanup_free Weightfs__Stage__Name **list = calloc(s->n_names + 1, sizeof(*list));
	Weightfs__Stage body = WEIGHTFS__STAGE__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;

	if (!names || !list)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_names; i++) {
		weightfs__stage__name__init(&names[i]);
		names[i].name = pb_data(span_str(s->names[i].name));
		names[i].inode = s->names[i].inode;
		list[i] = &names[i];
	}
	body.n_names = s->n_names;
	body.names = list;
	record.kind_case = WEIGHTFS__RECORD__KIND_STAGE;
	record.stage = &body;
	return journal_append(j, &record, err);
}

/* The record of one step, with what it points to. */
struct step_record {
	Weightfs__Intent__Step step;
	Weightfs__Content before, after;
};

static void fill_step(const struct step *from, struct step_record *to)
{
	weightfs__intent__step__init(&to->step);
	to->step.kind = (Weightfs__Intent__Step__Kind)from->kind;
	to->step.name = pb_data(span_str(from->name));
	to->step.staged = pb_data(span_str(from->staged));
	to->step.inode = from->inode;
	to->step.was = from->was;
	if (from->kind != STEP_REPLACE)
		return;
	weightfs__content__init(&to->before);
	weightfs__content__init(&to->after);
	to->before.size = from->before.size;
	to->before.crc32c = from->before.crc;
	to->after.size = from->after.size;
	to->after.crc32c = from->after.crc;
	to->step.before = &to->before;
	to->step.after = &to->after;
}

int intent_append(struct journal *j, const struct stage *s, struct error *err)
{
	cleanup_free struct step_record *steps = calloc(s->n_steps + 1, sizeof(*steps));
	cleanup_free Weightfs__Intent__Step **list = calloc(s->n_steps + 1, sizeof(*list));
	Weightfs__Intent body = WEIGHTFS__INTENT__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;

	if (!steps || !list)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_steps; i++) {
		fill_step(&s->steps[i], &steps[i]);
		list[i] = &steps[i].step;
	}
	body.n_steps = s->n_steps;
	body.steps = list;
	record.kind_case = WEIGHTFS__RECORD__KIND_INTENT;
	record.intent = &body;
	return journal_append(j, &record, err);
}

int intent_append_abort(struct journal *j, bool swept, struct error *err)
{
	Weightfs__Abort body = WEIGHTFS__ABORT__INIT;
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;

	body.swept = swept;
	record.kind_case = WEIGHTFS__RECORD__KIND_ABORT;
	record.abort = &body;
	return journal_append(j, &record, err);
}

/*
 * A name that commits of this model make, replace or remove. Any other path may lead anywhere: by
 * "..", or through a link that came with the model.
 */
static bool is_of_model(const struct model *m, const char *name)
{
	for (size_t i = 0; i < m->n_base; i++)
		if (strcmp(name, m->base[i].name) == 0)
			return true;
	return m->format->owns && m->format->owns(m->stem, name);
}

/* The name of a record, to be freed; NULL if it is none of the model's, or without memory. */
static char *take_name(const struct model *m, ProtobufCBinaryData name)
{
	cleanup_free char *path = name.len ? strndup((const char *)name.data, name.len) : NULL;

	return path && strlen(path) == name.len && is_of_model(m, path) ? steal_pointer(path)
									: NULL;
}

static int read_step(const Weightfs__Intent__Step *from, struct stage *s)
{
	cleanup_free char *name = take_name(s->model, from->name);
	struct span staged = pb_span(from->staged);
	struct step step = {
		.kind = (enum step_kind)from->kind, .inode = from->inode, .was = from->was};
	char staged_name[STAGE_NAME] = "";

	if (!name || from->kind > WEIGHTFS__INTENT__STEP__KIND__REMOVE || !work_is_staged(staged))
		return -EBADMSG;
	memcpy(staged_name, staged.p, staged.n);
	if (step.kind == STEP_REPLACE && (!from->before || !from->after))
		return -EBADMSG;
	if (step.kind == STEP_REPLACE) {
		step.before = (struct content_id){from->before->size, from->before->crc32c};
		step.after = (struct content_id){from->after->size, from->after->crc32c};
	}
	return stage_add_step(s, step, name, staged_name);
}

int intent_read(const Weightfs__Intent *intent, struct stage *ret, struct error *err)
{
	for (size_t i = 0; i < intent->n_steps; i++) {
		int r = read_step(intent->steps[i], ret);

		if (r < 0)
			return error_set(err, r, "journal: step %zu of a commit makes no sense", i);
	}
	return 0;
}

/* By a commit that was decided and not carried through, and put its index in place. */
static bool is_in_use(const struct model *m, const char *name)
{
	for (uint32_t i = 0; i < m->n_shards; i++)
		if (strcmp(m->shards[i].name, name) == 0)
			return true;
	return false;
}

/* All names of a stage are in one folder. */
static bool sync_names(const struct model *m, const char *name)
{
	char folder[4096];

	return sync_folder(m->place.rootfd, folder_of(name, folder, sizeof(folder)), NULL) == 0;
}

/* The work folder is swept already: nothing else is in the way there. */
static bool sweep(const struct model *m, int workfd, const char *name, uint64_t inode)
{
	return file_remove_inode(m->place.rootfd, name, inode, workfd, "stage.0") == 0;
}

bool intent_sweep_names(const struct model *m, int workfd, const struct stage_name *names, size_t n)
{
	bool all = true;

	for (size_t i = 0; i < n; i++)
		all &= sweep(m, workfd, names[i].name, names[i].inode);
	return all && (!n || sync_names(m, names[0].name));
}

bool intent_sweep_record(const struct model *m, int workfd, const Weightfs__Stage *stage)
{
	bool all = true;

	for (size_t i = 0; i < stage->n_names && all; i++) {
		cleanup_free char *name = take_name(m, stage->names[i]->name);

		if (name && !is_in_use(m, name))
			all = sweep(m, workfd, name, stage->names[i]->inode) && sync_names(m, name);
	}
	return all;
}
