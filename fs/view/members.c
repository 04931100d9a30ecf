#include "fs/view/members.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "codec/checkpoints/collection.h"
#include "codec/model/place.h"
#include "fs/view/grow.h"
#include "fs/view/log.h"
#include "fs/view/look.h"
#include "fs/view/root.h"

/* A change that is younger than this when we look may not be the last one of that time. */
static const int64_t racy = 2000000000; /* nanoseconds */

static const char latest_name[] = "latest";

/* A member that is shown, or was. */
struct slot {
	char *name;
	node_id node;
	bool v1;
	/* Under the view's lock: */
	struct file_id id;     /* as it was seen last */
	struct branch *branch; /* NULL: not loaded */
	bool gone;	       /* it is not in the tree any more */
	/* Of who loads: */
	int failed;		  /* why it cannot be loaded ... */
	struct file_id failed_id; /* ... in that state */
	/* Of who looks: */
	bool seen;   /* at the look that is under way */
	bool let_go; /* it is gone, and nothing of it is mapped */
	bool stale;  /* replaced, but there are edits: this was said */
};

struct members {
	struct view *view;
	struct place place;
	struct open_options options;
	bool editable;
	pthread_mutex_t loading; /* one at a time, which may take long */
	pthread_mutex_t lock;	 /* looking at the folder: all below */
	struct slot **slots;	 /* by the object of their nodes; read under the view's lock too */
	size_t n, capacity;
	node_id latest; /* the link; or NODE_NONE */
	struct file_id folder, state;
	bool settled;	 /* whoever changes these changes their times too */
	struct buf said; /* notes of the last look */
};

/* The slot of a member's node, its branch, and if it is gone. */
static struct slot *look_up(struct members *m, const struct node *n, struct branch **ret_branch,
			    bool *ret_gone)
{
	struct slot *s;

	pthread_mutex_lock(&m->view->lock);
	s = m->slots[n->object];
	*ret_branch = s->branch;
	*ret_gone = s->gone;
	pthread_mutex_unlock(&m->view->lock);
	return s;
}

static struct model *model_of(struct members *m, const struct slot *s)
{
	struct branch *b;

	pthread_mutex_lock(&m->view->lock);
	b = s->branch;
	pthread_mutex_unlock(&m->view->lock);
	return b ? b->model : NULL;
}

/* ---- the tree ---- */

static struct slot *slot_of(const struct members *m, const char *name)
{
	struct tree *t = m->view->tree;
	node_id id = tree_find(t, NODE_ROOT, span_str(name));
	struct node n;

	if (!id || !tree_get(t, id, &n) || n.type != NODE_FOLDER || n.kind != FOLDER_MEMBER)
		return NULL;
	return m->slots[n.object];
}

static void hide_latest(struct members *m)
{
	if (m->latest)
		tree_remove(m->view->tree, m->latest);
	m->latest = NODE_NONE;
}

static void hide(struct members *m, struct slot *s)
{
	tree_remove(m->view->tree, s->node);
	pthread_mutex_lock(&m->view->lock);
	s->gone = true;
	pthread_mutex_unlock(&m->view->lock);
}

static int append(struct members *m, struct slot *s)
{
	struct slot **grown;

	pthread_mutex_lock(&m->view->lock);
	grown = vector_grow(m->slots, m->n, &m->capacity, sizeof(*grown));
	if (grown) {
		m->slots = grown;
		grown[m->n++] = s;
	}
	pthread_mutex_unlock(&m->view->lock);
	return grown ? 0 : -ENOMEM;
}

static void slot_free(struct slot *s)
{
	free(s->name);
	free(s);
}

static int show(struct members *m, const struct member *found)
{
	struct slot *s = calloc(1, sizeof(*s));
	struct node like = {.type = NODE_FOLDER, .kind = FOLDER_MEMBER, .object = (uint32_t)m->n};

	if (!s)
		return -ENOMEM;
	*s = (struct slot){
		.name = strdup(found->name), .v1 = found->v1, .id = found->id, .seen = true};
	if (!s->name || append(m, s) < 0) {
		slot_free(s);
		return -ENOMEM;
	}
	s->node = tree_add(m->view->tree, NODE_ROOT, span_str(found->name), &like);
	s->gone = !s->node;
	return s->node ? 0 : -ENOMEM;
}

/* ---- looking again ---- */

static void set_id(struct members *m, struct slot *s, const struct file_id *id)
{
	pthread_mutex_lock(&m->view->lock);
	s->id = *id;
	pthread_mutex_unlock(&m->view->lock);
}

static bool is_base(struct model *m, const struct file_id *id)
{
	bool found = false;

	pthread_rwlock_rdlock(&m->layout);
	for (size_t i = 0; i < m->n_base; i++)
		found |= file_id_equal(&m->base[i].id, id);
	pthread_rwlock_unlock(&m->layout);
	return found;
}

/*
 * True if what was found is what was loaded. Our own save replaces files, too: while it goes on
 * nothing can be said, and what was found may be older than its end.
 */
static bool is_loaded(const struct members *m, const struct slot *s, struct model *model,
		      struct file_id *id)
{
	if (edits_saving(model) || is_base(model, id))
		return true;
	return !s->v1 && collection_identify(&m->place, s->name, id) &&
	       (is_base(model, id) || edits_saving(model));
}

/* True if the slot still is, or is to stay, what shows the member that was found. */
static bool is_same(struct members *m, struct slot *s, const struct member *found)
{
	struct model *model = model_of(m, s);
	struct file_id id = found->id;

	if (model && !is_loaded(m, s, model, &id)) {
		if (!edits_unsaved(model))
			return false;
		if (!s->stale)
			log_line("%s: replaced on disk, while there are edits of what it was",
				 quote(span_str(s->name)));
		s->stale = true;
		return true;
	}
	set_id(m, s, &id);
	s->stale = false;
	return true;
}

static int show_found(struct members *m, const struct member *found)
{
	struct slot *s = slot_of(m, found->name);

	if (s && is_same(m, s, found)) {
		s->seen = true;
		return 0;
	}
	if (s)
		hide(m, s);
	if (strcmp(found->name, latest_name) == 0)
		hide_latest(m);
	return show(m, found);
}

/*
 * A listing may miss a file that is replaced by a rename meanwhile; so who was not seen is asked
 * for by name. (Nobody replaces a V1 checkpoint but by another one.)
 */
static int show_unseen(struct members *m, struct slot *s)
{
	struct member found = {.name = s->name, .v1 = s->v1};

	if (s->v1 || !collection_identify(&m->place, s->name, &found.id)) {
		hide(m, s);
		return 0;
	}
	return show_found(m, &found);
}

static int show_latest(struct members *m, const struct collection *c)
{
	struct slot *s = c->latest ? slot_of(m, c->latest) : NULL;
	struct node like = {.type = NODE_LINK, .object = s ? s->node : NODE_NONE}, now;

	if (m->latest && tree_get(m->view->tree, m->latest, &now) && now.object == like.object)
		return 0;
	hide_latest(m);
	if (!s || slot_of(m, latest_name)) /* a checkpoint may be called that */
		return 0;
	m->latest = tree_add(m->view->tree, NODE_ROOT, span_str(latest_name), &like);
	return m->latest ? 0 : -ENOMEM;
}

static void say_notes(struct members *m, const struct collection *c)
{
	if (span_equal(buf_span(&m->said), buf_span(&c->notes)))
		return;
	buf_reset(&m->said);
	buf_add(&m->said, buf_span(&c->notes));
	if (c->notes.n)
		log_line("%.*s", (int)c->notes.n, c->notes.p);
}

/* Makes the tree show what was found. */
static int apply(struct members *m, const struct collection *c)
{
	int r = 0;

	for (size_t i = 0; i < m->n; i++)
		m->slots[i]->seen = false;
	for (size_t i = 0; i < c->n && r == 0; i++)
		r = show_found(m, &c->members[i]);
	for (size_t i = 0; i < m->n && r == 0; i++) {
		struct slot *s = m->slots[i];
		struct model *model;

		if (!s->seen && !s->gone)
			r = show_unseen(m, s);
		model = s->gone && !s->let_go ? model_of(m, s) : NULL;
		if (model)
			s->let_go = model_let_go(model);
	}
	if (r == 0)
		r = show_latest(m, c);
	say_notes(m, c);
	return r;
}

/* Who the folder and its file `checkpoint` are now. */
static void identify(const struct members *m, struct file_id *ret_folder, struct file_id *ret_state)
{
	struct stat st;

	*ret_folder = fstat(m->place.rootfd, &st) == 0 ? file_id_of(&st) : (struct file_id){0};
	*ret_state = collection_state(&m->place);
}

static int64_t age_of(const struct file_id *id)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - id->mtime;
}

/* The lock is held. */
static int look_again(struct members *m)
{
	struct file_id folder, state;
	struct collection found;
	struct error err = {""};
	int r;

	identify(m, &folder, &state);
	if (m->settled && file_id_equal(&folder, &m->folder) && file_id_equal(&state, &m->state))
		return 0;
	m->folder = folder;
	m->state = state;
	m->settled = age_of(&folder) > racy && age_of(&state) > racy;
	r = collection_scan(&m->place, &found, &err);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_line("%s", err.text);
		return 0;
	}
	r = apply(m, &found);
	m->settled &= r == 0;
	collection_release(&found);
	return r;
}

/* ---- loading ---- */

static int show_branch(struct members *m, struct slot *s, struct model *model, struct error *err)
{
	struct branch *b;
	int r = view_add_branch(m->view, model, s->node, &b);

	if (r == -EMFILE)
		error_set(err, r, "%d checkpoints were looked at, as many as one mount can show",
			  BRANCHES_MAX);
	if (r < 0)
		return r;
	view_note_lost_drafts(m->view, b);
	pthread_mutex_lock(&m->view->lock);
	s->branch = b;
	pthread_mutex_unlock(&m->view->lock);
	return 0;
}

/* True if the checkpoint may be loaded another time, though its files stay as they are. */
static bool may_pass(int r)
{
	return r == -EACCES || r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* The lock for loading is held. */
static int load(struct members *m, struct slot *s)
{
	struct file_id now = {0};
	struct recovery found;
	struct error err = {""};
	struct model *model;
	int r;

	/* A V1 checkpoint may be many files: it is not tried again. */
	if (!s->v1)
		collection_identify(&m->place, s->name, &now);
	if (s->failed && file_id_equal(&now, &s->failed_id))
		return s->failed;
	r = open_model(s->name, &m->options, &model, &found, &err);
	if (r == 0) {
		open_model_report(model, s->name, &found);
		r = show_branch(m, s, model, &err);
	}
	if (r == 0 || r == -ENOENT)
		return r;
	log_line("%s: %s", quote(span_str(s->name)), err.text[0] ? err.text : strerror(-r));
	if (may_pass(r))
		return r;
	s->failed = -EIO;
	s->failed_id = now;
	return s->failed;
}

static int look_into(struct members *m, const struct node *n)
{
	struct branch *b;
	bool gone;
	struct slot *s = look_up(m, n, &b, &gone);
	int r;

	if (b)
		return 0;
	pthread_mutex_lock(&m->loading);
	look_up(m, n, &b, &gone);
	r = b ? 0 : gone ? -ENOENT : load(m, s);
	pthread_mutex_unlock(&m->loading);
	return r;
}

/* ---- the root ---- */

static int members_look(struct view *v, node_id id, const struct node *n)
{
	struct members *m = v->members;
	int r;

	if (id != NODE_ROOT && n->kind != FOLDER_MEMBER)
		return 0;
	if (id != NODE_ROOT) {
		r = look_into(m, n);
		return r < 0 ? r : 1;
	}
	pthread_mutex_lock(&m->lock);
	r = look_again(m);
	pthread_mutex_unlock(&m->lock);
	return r < 0 ? r : 1;
}

static bool members_are_shared(const struct view *v, node_id folder)
{
	(void)v;
	return folder == NODE_ROOT;
}

static int64_t members_mtime(const struct view *v, const struct node *n)
{
	struct members *m = v->members;
	int64_t mtime;

	pthread_mutex_lock(&m->view->lock);
	mtime = m->slots[n->object]->id.mtime;
	pthread_mutex_unlock(&m->view->lock);
	return mtime;
}

static bool members_can_be_edited(const struct view *v)
{
	return v->members->editable;
}

/* A name begins with that of a checkpoint, or with latest. */
static node_id members_choose(struct view *v, struct span *name, struct error *err)
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
static bool members_are_hidden_by(const struct view *v, const char *mountpoint)
{
	const char *root = v->members->place.root;
	size_t n = strlen(root);

	return strncmp(mountpoint, root, n) == 0 && mountpoint[n] == '/' &&
	       !strchr(mountpoint + n + 1, '/') &&
	       span_ends(span_str(mountpoint), span_str(".weightfs"));
}

static void members_release(struct view *v)
{
	struct members *m = v->members;

	for (size_t i = 0; i < m->n; i++)
		slot_free(m->slots[i]);
	free(m->slots);
	buf_release(&m->said);
	place_release(&m->place);
	pthread_mutex_destroy(&m->loading);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct root_ops root_of_members = {
	.things = "checkpoints",
	.can_be_edited = members_can_be_edited,
	.look = members_look,
	.is_shared = members_are_shared,
	.mtime = members_mtime,
	.choose = members_choose,
	.is_hidden_by = members_are_hidden_by,
	.release = members_release,
};

/* ---- the beginning and the end ---- */

static void say_what_is_left(const struct members *m, const struct collection *c)
{
	cleanup_buf struct buf gone = {0}, all = {0};
	size_t n_gone = collection_edited(c, true, &gone), n = collection_edited(c, false, &all);

	if (n_gone)
		log_line("edits of %zu checkpoint%s that %s gone are kept in %s: %.*s; remove "
			 "these folders if they are not needed",
			 n_gone, n_gone == 1 ? "" : "s", n_gone == 1 ? "is" : "are", m->place.root,
			 (int)gone.n, (const char *)gone.p);
	if (n > n_gone && !m->editable)
		log_line("edits are pending in %s: %.*s; what is shown are the checkpoints as "
			 "they are on disk",
			 m->place.root, (int)all.n, (const char *)all.p);
}

/* What an earlier mount left behind is taken up, or cleared away, before anything is shown. */
static int take_up(struct members *m, const struct collection *c)
{
	say_what_is_left(m, c);
	for (size_t i = 0; i < c->n_work && m->editable; i++) {
		struct slot *s = slot_of(m, c->work[i].name);

		if (s && load(m, s) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

static int show_first(struct members *m, struct error *err)
{
	cleanup_collection struct collection c = {0};
	int r = collection_scan(&m->place, &c, err);

	if (r < 0)
		return r;
	if (!c.n)
		return error_set(err, -ENOENT,
				 "%s has a file checkpoint, but no checkpoint in it: expected "
				 "PREFIX.index",
				 m->place.root);
	r = apply(m, &c);
	return r < 0 ? r : take_up(m, &c);
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

int members_open(struct view *v, struct place *place, const struct open_options *options,
		 struct error *err)
{
	struct members *m = calloc(1, sizeof(*m));

	if (!m) {
		place_release(place);
		return -ENOMEM;
	}
	*m = (struct members){.view = v, .place = *place, .options = *options};
	pthread_mutex_init(&m->loading, NULL);
	pthread_mutex_init(&m->lock, NULL);
	v->members = m;
	v->root = &root_of_members;
	v->place = &m->place;
	m->options.folder = &m->place;
	if (place->name[0]) { /* the file `checkpoint` stands for its folder */
		free(m->place.path);
		m->place.path = strdup(m->place.root);
		m->place.name[0] = '\0';
	}
	if (!m->place.path)
		return -ENOMEM;
	if (options->workdir || options->output)
		return error_set(err, -EINVAL,
				 "%s is a folder of checkpoints: -o workdir and -o output are for "
				 "one of them",
				 m->place.argument);
	raise_descriptors();
	m->editable = !options->read_only && faccessat(m->place.rootfd, ".", W_OK, AT_EACCESS) == 0;
	if (!m->editable && !options->read_only)
		log_line("read-only: %s cannot be written", m->place.root);
	return show_first(m, err);
}
