#include "fs/view/view.h"

#include <time.h>

#include "codec/content/content.h"
#include "codec/tensor/npy.h"
#include "fs/view/grow.h"
#include "fs/view/log.h"
#include "fs/view/members.h"
#include "fs/view/text.h"

struct view *view_new(void)
{
	struct view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->growing, NULL);
	v->uid = geteuid();
	v->gid = getegid();
	v->umask = umask(0);
	umask(v->umask);
	clock_gettime(CLOCK_REALTIME, &v->mounted);
	v->tree = tree_new();
	v->branches = calloc(BRANCHES_MAX, sizeof(*v->branches));
	return v->tree && v->branches ? v : view_free(v);
}

static void branch_free(struct branch *b)
{
	model_free(b->model);
	for (size_t i = 0; i < b->n_files; i++)
		free(b->files[i]);
	free(b->files);
	free(b->tensor_nodes);
	free(b->npy_nodes);
	free(b->sizes);
	free(b);
}

struct view *view_free(struct view *v)
{
	if (!v)
		return NULL;
	for (size_t i = 0; i < v->n_branches; i++)
		branch_free(v->branches[i]);
	free(v->branches);
	members_free(v->members);
	tree_free(v->tree);
	buf_release(&v->dropped);
	buf_release(&v->last_commit);
	pthread_mutex_destroy(&v->lock);
	pthread_mutex_destroy(&v->growing);
	free(v);
	return NULL;
}

int view_add_branch(struct view *v, struct model *model, node_id root, struct branch **ret)
{
	size_t n = v->n_branches;
	struct branch *b = n < BRANCHES_MAX ? calloc(1, sizeof(*b)) : NULL;
	int r;

	if (!b) {
		model_free(model);
		return n < BRANCHES_MAX ? -ENOMEM : -EMFILE;
	}
	b->model = model;
	b->number = (uint16_t)n;
	b->root = root;
	b->first = (node_id)tree_count(v->tree) + 1;
	v->branches[n] = b;
	v->n_branches = n + 1;
	r = grow_branch(v, b);
	if (r < 0)
		return r;
	b->shown = true;
	*ret = b;
	return 0;
}

int view_add_model(struct view *v, struct model *model)
{
	struct branch *b;

	v->place = &model->place;
	return view_add_branch(v, model, NODE_ROOT, &b);
}

struct branch *view_next_branch(const struct view *v, size_t *i)
{
	while (*i < v->n_branches) {
		struct branch *b = v->branches[(*i)++];

		if (b->shown)
			return b;
	}
	return NULL;
}

bool view_can_be_edited(const struct view *v)
{
	struct branch *b;

	if (v->members)
		return members_can_be_edited(v->members);
	for (size_t i = 0; (b = view_next_branch(v, &i));)
		if (b->model->edits && !b->model->read_only)
			return true;
	return false;
}

int view_add_control(struct view *v)
{
	return grow_mount(v);
}

static int grow(struct view *v, node_id folder)
{
	int r;

	pthread_mutex_lock(&v->growing);
	r = grow_folder(v, folder);
	pthread_mutex_unlock(&v->growing);
	if (r < 0)
		log_line("no memory to show what is in a folder");
	return r;
}

int view_look(struct view *v, node_id folder)
{
	struct node n;

	if (!tree_get(v->tree, folder, &n) || n.type != NODE_FOLDER)
		return 0;
	if (v->members && (folder == NODE_ROOT || n.kind == FOLDER_MEMBER))
		return members_look(v->members, folder, &n);
	return n.object ? grow(v, folder) : 0;
}

bool view_is_fleeting(const struct view *v, node_id id, const struct node *n)
{
	return v->members && id != NODE_ROOT && n->parent == NODE_ROOT &&
	       (n->type == NODE_LINK || n->kind == FOLDER_MEMBER);
}

/* What a link leads to; any other node is what it is. */
static node_id view_follow(struct view *v, node_id id)
{
	struct node n;

	return id && tree_get(v->tree, id, &n) && n.type == NODE_LINK ? n.object : id;
}

node_id view_walk(struct view *v, struct span path)
{
	node_id id = NODE_ROOT;

	while (path.n && id) {
		const uint8_t *slash = memchr(path.p, '/', path.n);
		size_t n = slash ? (size_t)(slash - path.p) : path.n;

		if (view_look(v, id) < 0)
			return NODE_NONE;
		id = view_follow(v, tree_find(v->tree, id, span_first(path, n)));
		path = span_skip(path, slash ? n + 1 : n);
	}
	return id;
}

node_id view_twin(struct view *v, node_id id, int64_t *ret_shift)
{
	cleanup_buf struct buf header = {0};
	struct branch *b;
	struct node n;
	bool npy;

	if (!tree_get(v->tree, id, &n) || n.type != NODE_FILE || kinds[n.kind]->of != THING_TENSOR)
		return NODE_NONE;
	b = view_branch(v, &n);
	npy = kinds[n.kind]->tail;
	if (!b->npy_nodes[n.object])
		return NODE_NONE;
	npy_header(b->model->tensors[n.object].dtype, &b->model->tensors[n.object].shape, &header);
	*ret_shift = npy ? -(int64_t)header.n : (int64_t)header.n;
	return npy ? b->tensor_nodes[n.object] : b->npy_nodes[n.object];
}

struct branch *view_branch(const struct view *v, const struct node *n)
{
	return n->branch < v->n_branches ? v->branches[n->branch] : NULL;
}

struct tensor *view_tensor(const struct view *v, const struct node *n)
{
	if (n->type != NODE_FILE || kinds[n->kind]->of != THING_TENSOR)
		return NULL;
	return &view_branch(v, n)->model->tensors[n->object];
}

void view_path(const struct view *v, node_id id, struct buf *out)
{
	tree_path(v->tree, NODE_ROOT, id, out);
	buf_add_u8(out, 0);
	if (!out->failed)
		out->n--;
}

int view_render(struct view *v, const struct node *n, struct buf *out, struct error *err)
{
	struct showing s = {v, view_branch(v, n), n->object};
	struct model *m = kinds[n->kind]->of == THING_VIEW ? NULL : s.branch->model;
	int r;

	if (m)
		pthread_rwlock_rdlock(&m->layout);
	r = kinds[n->kind]->render(&s, out, err);
	if (m)
		pthread_rwlock_unlock(&m->layout);
	return r;
}

void view_note_dropped(struct view *v, node_id id, const char *why)
{
	cleanup_buf struct buf path = {0};

	view_path(v, id, &path);
	if (path.failed)
		return;
	log_line("%s: not accepted, the old content is back: %s", quote(buf_span(&path)), why);
	pthread_mutex_lock(&v->lock);
	buf_add(&v->dropped, buf_span(&path));
	buf_printf(&v->dropped, "%c%s%c", 0, why, 0);
	pthread_mutex_unlock(&v->lock);
}

void view_note_lost_drafts(struct view *v, const struct branch *b)
{
	for (size_t i = 0; i < b->model->n_tensors; i++) {
		if (!b->model->tensors[i].draft_lost)
			continue;
		view_note_dropped(v, b->tensor_nodes[i], "the daemon died before it was complete");
		v->lost_drafts = true;
	}
}

void view_drop_drafts(struct view *v)
{
	struct branch *b;

	for (size_t i = 0; (b = view_next_branch(v, &i));) {
		for (size_t k = 0; k < b->model->n_tensors; k++) {
			struct error why = {""};

			if (content_give_up(b->model, &b->model->tensors[k], &why))
				view_note_dropped(v, b->tensor_nodes[k], why.text);
		}
	}
}

/* ---- stat ---- */

/* Where the size of a node's text is kept; NULL: nowhere. The lock is held. */
static uint64_t *size_slot(struct view *v, node_id id, const struct node *n)
{
	struct branch *b = view_branch(v, n);

	if (!b || kinds[n->kind]->live || id < b->first)
		return NULL;
	if (!b->sizes) {
		b->n_sizes = tree_count(v->tree) + 1 - b->first;
		b->sizes = calloc(b->n_sizes, sizeof(*b->sizes));
	}
	return b->sizes && id - b->first < b->n_sizes ? &b->sizes[id - b->first] : NULL;
}

/* Rendering a text to learn its size is done once. What cannot be rendered has none. */
static uint64_t text_size(struct view *v, node_id id, const struct node *n)
{
	cleanup_buf struct buf text = {0};
	uint64_t *slot, kept = 0;
	size_t changes;

	pthread_mutex_lock(&v->lock);
	slot = size_slot(v, id, n);
	if (slot)
		kept = *slot;
	changes = v->changes;
	pthread_mutex_unlock(&v->lock);
	if (kept)
		return kept - 1;
	if (view_render(v, n, &text, NULL) < 0)
		text.n = 0;
	pthread_mutex_lock(&v->lock);
	if (slot && changes == v->changes) /* or it may be that of an older text */
		*slot = text.n + 1;
	pthread_mutex_unlock(&v->lock);
	return text.n;
}

bool view_stat_is_quick(struct view *v, node_id id)
{
	uint64_t *slot;
	struct node n;
	bool quick;

	if (!tree_get(v->tree, id, &n) || n.type != NODE_FILE || !kinds[n.kind]->render ||
	    (kinds[n.kind]->of != THING_MODEL && kinds[n.kind]->of != THING_DOCUMENT))
		return true;
	pthread_mutex_lock(&v->lock);
	slot = size_slot(v, id, &n);
	quick = slot && *slot;
	pthread_mutex_unlock(&v->lock);
	return quick;
}

void view_forget_size(struct view *v, node_id id)
{
	struct node n;
	uint64_t *slot;

	if (!tree_get(v->tree, id, &n))
		return;
	pthread_mutex_lock(&v->lock);
	slot = size_slot(v, id, &n);
	if (slot)
		*slot = 0;
	v->changes++;
	pthread_mutex_unlock(&v->lock);
}

static struct timespec from_nanoseconds(int64_t ns)
{
	return (struct timespec){ns / 1000000000, ns % 1000000000};
}

static void stat_tensor(const struct node *n, struct model *m, struct stat *st)
{
	const struct tensor *t = &m->tensors[n->object];

	st->st_size = (off_t)content_size(m, t);
	if (content_mtime(m, t, &st->st_mtim))
		return;
	pthread_rwlock_rdlock(&m->layout);
	if (!t->slices && !t->damage)
		st->st_mtim = from_nanoseconds(m->shards[t->base.shard].id.mtime);
	pthread_rwlock_unlock(&m->layout);
}

/* A commit puts another base there. */
static void stat_base(struct model *m, struct stat *st)
{
	pthread_rwlock_rdlock(&m->layout);
	if (m->n_base)
		st->st_mtim = from_nanoseconds(m->base[0].id.mtime);
	pthread_rwlock_unlock(&m->layout);
}

static void stat_file(struct view *v, node_id id, const struct node *n, struct stat *st)
{
	const struct kind *k = kinds[n->kind];
	struct branch *b = view_branch(v, n);
	struct stat real;
	uint64_t draft;

	if (k->of != THING_VIEW)
		stat_base(b->model, st);
	if (k->of == THING_TENSOR)
		stat_tensor(n, b->model, st);
	if (k->render && text_draft_size(v, id, &draft))
		st->st_size = (off_t)draft;
	else if (k->render)
		st->st_size = (off_t)(text_size(v, id, n) +
				      (k->tail ? tensor_size(view_tensor(v, n)) : 0));
	if (k->of == THING_FILE &&
	    fstatat(b->model->place.rootfd, b->files[n->object], &real, 0) == 0) {
		st->st_size = real.st_size;
		st->st_mtim = real.st_mtim;
	}
}

/* As lstat(2) has it: the length of what readlink(2) says. */
static void stat_link(struct view *v, node_id id, struct stat *st)
{
	cleanup_buf struct buf target = {0};

	tree_link_path(v->tree, id, &target);
	st->st_size = (off_t)target.n;
}

bool view_is_editable(const struct view *v, const struct node *n)
{
	struct showing s = {v, view_branch(v, n), n->object};
	const struct kind *k = kinds[n->kind];

	if (k->editable)
		return k->editable(&s, NULL) == 0;
	return k->of == THING_TENSOR && !k->render &&
	       content_editable(s.branch->model, &s.branch->model->tensors[n->object], NULL) == 0;
}

/* Who may write: the control file its owner, a tensor that can be edited whom the umask lets. */
static mode_t mode_of(const struct view *v, const struct node *n)
{
	const struct branch *b = view_branch(v, n);

	if (n->type == NODE_FOLDER)
		return S_IFDIR | (0777 & ~v->umask);
	if (n->type == NODE_LINK)
		return S_IFLNK | 0777;
	if (kinds[n->kind] == &kind_control)
		return S_IFREG | 0600;
	if (b && b->model->edits && view_is_editable(v, n))
		return S_IFREG | (0666 & ~v->umask);
	return S_IFREG | (0444 & ~v->umask);
}

bool view_stat(struct view *v, node_id id, struct stat *ret)
{
	struct node n;

	if (!tree_get(v->tree, id, &n))
		return false;
	*ret = (struct stat){
		.st_ino = id,
		.st_mode = mode_of(v, &n),
		.st_nlink = n.type == NODE_FOLDER ? 2 : 1,
		.st_uid = v->uid,
		.st_gid = v->gid,
		.st_blksize = 4096,
		.st_mtim = v->mounted,
	};
	if (n.type == NODE_FOLDER && n.kind == FOLDER_MEMBER)
		ret->st_mtim = from_nanoseconds(members_mtime(v->members, &n));
	if (n.type == NODE_FILE)
		stat_file(v, id, &n, ret);
	if (n.type == NODE_LINK)
		stat_link(v, id, ret);
	ret->st_atim = ret->st_ctim = ret->st_mtim;
	ret->st_blocks = (ret->st_size + 511) / 512;
	return true;
}
