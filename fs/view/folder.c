#include "fs/view/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "codec/checkpoints/collection.h"
#include "codec/work/ledger.h"
#include "fs/view/log.h"
#include "fs/view/look.h"
#include "fs/view/member.h"
#include "fs/view/root.h"

/* A change that is younger than this when we look may not be the last one of that time. */
static const int64_t racy = 2000000000; /* nanoseconds */

static const char latest_name[] = "latest";

struct root_folder {
	struct siblings all;
	bool editable;
	pthread_mutex_t lock; /* looking at the folder: all below */
	struct slot **slots;  /* by the object of their nodes; read under the view's lock too */
	size_t n, capacity;
	node_id latest; /* the link; or NODE_NONE */
	struct file_id folder, state;
	bool settled;	 /* whoever changes these changes their times too */
	struct buf said; /* notes of the last look */
};

/* The slot of a member's node. */
static struct slot *slot_at(struct root_folder *f, const struct node *n)
{
	struct slot *s;

	pthread_mutex_lock(&f->all.view->lock);
	s = f->slots[n->object];
	pthread_mutex_unlock(&f->all.view->lock);
	return s;
}

/* ---- the tree ---- */

static struct slot *slot_of(const struct root_folder *f, const char *name)
{
	struct tree *t = f->all.view->tree;
	node_id id = tree_find(t, NODE_ROOT, span_str(name));
	struct node n;

	if (!id || !tree_get(t, id, &n) || n.type != NODE_FOLDER || n.kind != FOLDER_MEMBER)
		return NULL;
	return f->slots[n.object];
}

static void hide_latest(struct root_folder *f)
{
	if (f->latest)
		tree_remove(f->all.view->tree, f->latest);
	f->latest = NODE_NONE;
}

static void hide(struct root_folder *f, struct slot *s)
{
	tree_remove(f->all.view->tree, s->node);
	pthread_mutex_lock(&f->all.view->lock);
	s->gone = true;
	pthread_mutex_unlock(&f->all.view->lock);
}

static int append(struct root_folder *f, struct slot *s)
{
	struct slot **grown;

	pthread_mutex_lock(&f->all.view->lock);
	grown = vector_grow(f->slots, f->n, &f->capacity, sizeof(*grown));
	if (grown) {
		f->slots = grown;
		grown[f->n++] = s;
	}
	pthread_mutex_unlock(&f->all.view->lock);
	return grown ? 0 : -ENOMEM;
}

static int show(struct root_folder *f, const struct member *found)
{
	struct node like = {.type = NODE_FOLDER, .kind = FOLDER_MEMBER, .object = (uint32_t)f->n};
	struct slot *s = member_new(found);

	if (!s || append(f, s) < 0) {
		member_free(s);
		return -ENOMEM;
	}
	s->node = tree_add(f->all.view->tree, NODE_ROOT, span_str(found->name), &like);
	s->gone = !s->node;
	return s->node ? 0 : -ENOMEM;
}

/* ---- looking again ---- */

static int show_found(struct root_folder *f, const struct member *found)
{
	struct slot *s = slot_of(f, found->name);

	if (s && member_is_same(&f->all, s, found)) {
		s->seen = true;
		return 0;
	}
	if (s)
		hide(f, s);
	if (strcmp(found->name, latest_name) == 0)
		hide_latest(f);
	return show(f, found);
}

/*
 * A listing may miss a file that is replaced by a rename meanwhile; so who was not seen is asked
 * for by name. (Nobody replaces a V1 checkpoint but by another one.)
 */
static int show_unseen(struct root_folder *f, struct slot *s)
{
	struct member found = {.name = s->name, .v1 = s->v1};

	if (s->v1 || !collection_identify(&f->all.place, s->name, &found.id)) {
		hide(f, s);
		return 0;
	}
	return show_found(f, &found);
}

static int show_latest(struct root_folder *f, const struct collection *c)
{
	struct slot *s = c->latest ? slot_of(f, c->latest) : NULL;
	struct node like = {.type = NODE_LINK, .object = s ? s->node : NODE_NONE}, now;

	if (f->latest && tree_get(f->all.view->tree, f->latest, &now) && now.object == like.object)
		return 0;
	hide_latest(f);
	if (!s || slot_of(f, latest_name)) /* a checkpoint may be called that */
		return 0;
	f->latest = tree_add(f->all.view->tree, NODE_ROOT, span_str(latest_name), &like);
	return f->latest ? 0 : -ENOMEM;
}

static void say_notes(struct root_folder *f, const struct collection *c)
{
	if (span_equal(buf_span(&f->said), buf_span(&c->notes)))
		return;
	buf_reset(&f->said);
	buf_add(&f->said, buf_span(&c->notes));
	if (c->notes.n)
		log_line("%.*s", (int)c->notes.n, c->notes.p);
}

/* Makes the tree show what was found. */
static int apply(struct root_folder *f, const struct collection *c)
{
	int r = 0;

	for (size_t i = 0; i < f->n; i++)
		f->slots[i]->seen = false;
	for (size_t i = 0; i < c->n && r == 0; i++)
		r = show_found(f, &c->members[i]);
	for (size_t i = 0; i < f->n && r == 0; i++) {
		struct slot *s = f->slots[i];
		struct model *model;

		if (!s->seen && !s->gone)
			r = show_unseen(f, s);
		model = s->gone && !s->let_go ? member_model(&f->all, s) : NULL;
		if (model && ledger_empty(model))
			s->let_go = model_unmap(model);
	}
	if (r == 0)
		r = show_latest(f, c);
	say_notes(f, c);
	return r;
}

/* Who the folder and its file `checkpoint` are now. */
static void identify(const struct root_folder *f, struct file_id *ret_folder,
		     struct file_id *ret_state)
{
	struct stat st;

	*ret_folder = fstat(f->all.place.rootfd, &st) == 0 ? file_id_of(&st) : (struct file_id){0};
	*ret_state = collection_state(&f->all.place);
}

static int64_t age_of(const struct file_id *id)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - id->mtime;
}

/* The lock is held. */
static int look_again(struct root_folder *f)
{
	struct file_id folder, state;
	struct collection found;
	struct error err = {""};
	int r;

	identify(f, &folder, &state);
	if (f->settled && file_id_equal(&folder, &f->folder) && file_id_equal(&state, &f->state))
		return 0;
	f->folder = folder;
	f->state = state;
	f->settled = age_of(&folder) > racy && age_of(&state) > racy;
	r = collection_scan(&f->all.place, &found, &err);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_line("%s", err.text);
		return 0;
	}
	r = apply(f, &found);
	f->settled &= r == 0;
	collection_release(&found);
	return r;
}

/* ---- the root ---- */

static int folder_look(struct view *v, node_id id, const struct node *n)
{
	struct root_folder *f = v->folder;
	int r;

	if (id != NODE_ROOT && n->kind != FOLDER_MEMBER)
		return 0;
	if (id != NODE_ROOT) {
		r = member_load(&f->all, slot_at(f, n));
		return r < 0 ? r : 1;
	}
	pthread_mutex_lock(&f->lock);
	r = look_again(f);
	pthread_mutex_unlock(&f->lock);
	return r < 0 ? r : 1;
}

static bool folder_is_shared(const struct view *v, node_id folder)
{
	(void)v;
	return folder == NODE_ROOT;
}

static int64_t folder_mtime(const struct view *v, const struct node *n)
{
	struct root_folder *f = v->folder;
	int64_t mtime;

	pthread_mutex_lock(&f->all.view->lock);
	mtime = f->slots[n->object]->id.mtime;
	pthread_mutex_unlock(&f->all.view->lock);
	return mtime;
}

static bool folder_can_be_edited(const struct view *v)
{
	return v->folder->editable;
}

/* A name begins with that of a checkpoint, or with latest. */
static node_id folder_choose(struct view *v, struct span *name, struct error *err)
{
	const uint8_t *slash = memchr(name->p, '/', name->n);
	size_t n = slash ? (size_t)(slash - name->p) : 0;
	node_id id = n ? view_walk(v, span_first(*name, n)) : NODE_NONE;

	if (!id)
		error_set(err, -ENOENT,
			  "'%s' does not begin with the name of a checkpoint, as 'latest/NAME' "
			  "does",
			  quote(*name));
	if (!id || view_look(v, id) < 0)
		return NODE_NONE;
	*name = span_skip(*name, n + 1);
	return id;
}

/* Of checkpoints that are not loaded yet the work folders count. */
static bool folder_is_hidden_by(const struct view *v, const char *mountpoint)
{
	const char *root = v->folder->all.place.root;
	size_t n = strlen(root);

	return strncmp(mountpoint, root, n) == 0 && mountpoint[n] == '/' &&
	       !strchr(mountpoint + n + 1, '/') &&
	       span_ends(span_str(mountpoint), span_str(".weightfs"));
}

static void folder_release(struct view *v)
{
	struct root_folder *f = v->folder;

	for (size_t i = 0; i < f->n; i++)
		member_free(f->slots[i]);
	free(f->slots);
	buf_release(&f->said);
	place_release(&f->all.place);
	pthread_mutex_destroy(&f->all.loading);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static const struct root_ops root_of_folder = {
	.things = "checkpoints",
	.can_be_edited = folder_can_be_edited,
	.look = folder_look,
	.is_shared = folder_is_shared,
	.mtime = folder_mtime,
	.choose = folder_choose,
	.is_hidden_by = folder_is_hidden_by,
	.release = folder_release,
};

/* ---- the beginning and the end ---- */

static void say_what_is_left(const struct root_folder *f, const struct collection *c)
{
	cleanup_buf struct buf gone = {0}, all = {0};
	size_t n_gone = collection_edited(c, true, &gone), n = collection_edited(c, false, &all);

	if (n_gone)
		log_line("edits of %zu checkpoint%s that %s gone are kept in %s: %.*s; remove "
			 "these folders if they are not needed",
			 n_gone, n_gone == 1 ? "" : "s", n_gone == 1 ? "is" : "are",
			 f->all.place.root, (int)gone.n, (const char *)gone.p);
	if (n > n_gone && !f->editable)
		log_line("edits are pending in %s: %.*s; what is shown are the checkpoints as "
			 "they are on disk",
			 f->all.place.root, (int)all.n, (const char *)all.p);
}

/* What an earlier mount left behind is taken up, or cleared away, before anything is shown. */
static int take_up(struct root_folder *f, const struct collection *c)
{
	say_what_is_left(f, c);
	for (size_t i = 0; i < c->n_work && f->editable; i++) {
		struct slot *s = slot_of(f, c->work[i].name);

		if (s && member_load(&f->all, s) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

static int show_first(struct root_folder *f, struct error *err)
{
	cleanup_collection struct collection c = {0};
	int r = collection_scan(&f->all.place, &c, err);

	if (r < 0)
		return r;
	if (!c.n)
		return error_set(err, -ENOENT,
				 "%s has a file checkpoint, but no checkpoint in it: expected "
				 "PREFIX.index",
				 f->all.place.root);
	r = apply(f, &c);
	return r < 0 ? r : take_up(f, &c);
}

/* Each one that is edited takes some: for its lock, its work folder, its journal. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int folder_open(struct view *v, struct place *place, const struct open_options *options,
		struct error *err)
{
	struct root_folder *f = calloc(1, sizeof(*f));

	if (!f) {
		place_release(place);
		return -ENOMEM;
	}
	*f = (struct root_folder){.all = {.view = v, .place = *place, .options = *options}};
	pthread_mutex_init(&f->all.loading, NULL);
	pthread_mutex_init(&f->lock, NULL);
	v->folder = f;
	v->root = &root_of_folder;
	v->place = &f->all.place;
	f->all.options.folder = &f->all.place;
	if (place->name[0]) { /* the file `checkpoint` stands for its folder */
		free(f->all.place.path);
		f->all.place.path = strdup(f->all.place.root);
		f->all.place.name[0] = '\0';
	}
	if (!f->all.place.path)
		return -ENOMEM;
	if (options->workdir || options->output)
		return error_set(err, -EINVAL,
				 "%s is a folder of checkpoints: -o workdir and -o output are for "
				 "one of them",
				 f->all.place.argument);
	raise_descriptors();
	f->editable =
		!options->read_only && faccessat(f->all.place.rootfd, ".", W_OK, AT_EACCESS) == 0;
	if (!f->editable && !options->read_only)
		log_line("read-only: %s cannot be written", f->all.place.root);
	return show_first(f, err);
}
