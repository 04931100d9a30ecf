#include "fs/view/stat.h"

#include "codec/content/content.h"
#include "fs/view/opened.h"
#include "fs/view/root.h"
#include "fs/view/sizes.h"

static struct timespec from_nanoseconds(int64_t ns)
{
	return (struct timespec){ns / 1000000000, ns % 1000000000};
}

static void stat_tensor(const struct node *n, struct model *m, struct stat *st)
{
	struct tensor *t = model_tensor(m, n->object);

	if (content_mtime(m, t, &st->st_mtim))
		return;
	pthread_rwlock_rdlock(&m->layout);
	if (t->storage.type == STORED_EXTENT)
		st->st_mtim = from_nanoseconds(m->shards[t->storage.extent.shard].id.mtime);
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

	st->st_size = (off_t)view_size(v, id, n);
	if (k->of != THING_VIEW)
		stat_base(b->model, st);
	if (k->of == THING_TENSOR)
		stat_tensor(n, b->model, st);
	if (k->of == THING_FILE && asset_stat(&b->assets.file[n->object], &real)) {
		st->st_mtim = real.st_mtim;
		if (b->assets.file[n->object].outside) /* others may see what they may anyway */
			st->st_mode &= S_IFMT | real.st_mode | S_IRUSR;
	}
}

/* As lstat(2) has it: the length of what readlink(2) says. */
static void stat_link(struct view *v, node_id id, struct stat *st)
{
	cleanup_buf struct buf target = {0};

	tree_link_path(v->tree, id, &target);
	st->st_size = (off_t)target.n;
}

/* Who may write: the control file its owner, a tensor that can be edited whom the umask lets. */
static mode_t mode_of(const struct view *v, const struct node *n)
{
	const struct branch *b = view_branch(v, n);

	if (n->type == NODE_FOLDER)
		return S_IFDIR | (0777 & ~v->umask);
	if (n->type == NODE_LINK)
		return S_IFLNK | 0777;
	if (!kinds[n->kind]->compose)
		return S_IFREG | 0600;
	if (b && b->model->edits && opened_editable(v, n, NULL) == 0)
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
		ret->st_mtim = from_nanoseconds(v->root->mtime(v, &n));
	if (n.type == NODE_FILE)
		stat_file(v, id, &n, ret);
	if (n.type == NODE_LINK)
		stat_link(v, id, ret);
	ret->st_atim = ret->st_ctim = ret->st_mtim;
	ret->st_blocks = (ret->st_size + 511) / 512;
	return true;
}
