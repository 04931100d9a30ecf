#include "codec/save/outbox.h"

#include <fcntl.h>
#include <stdio.h>

#include "codec/base/folder.h"
#include "codec/work/work.h"

int outbox_add(struct outbox *o, const char *name, enum outbox_how how, const char *from)
{
	struct outbox_file *grown = vector_grow(o->files, o->n, &o->capacity, sizeof(*grown));
	struct outbox_file f = {strdup(name), strdup(from), how};

	if (grown)
		o->files = grown;
	if (!grown || !f.name || !f.from) {
		free(f.name);
		free(f.from);
		return -ENOMEM;
	}
	grown[o->n++] = f;
	return 0;
}

void outbox_release(struct outbox *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->files[i].name);
		free(o->files[i].from);
	}
	free(o->files);
	*o = (struct outbox){0};
}

int outbox_make_file(const struct model *m, const struct outbox_file *f, int folderfd,
		     const char *name)
{
	int rootfd = m->place.rootfd;

	if (f->how == OUTBOX_LINK &&
	    linkat(rootfd, f->from, folderfd, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	return file_copy(rootfd, f->from, folderfd, name);
}

/* What is asked about each entry of the model's folder. */
struct selection {
	const struct model *m;
	const struct outbox *o;
};

static enum folder_how select_entry(void *context, const char *name, int depth)
{
	const struct selection *s = context;

	if (depth == 0 && strcmp(name, s->m->work) == 0)
		return FOLDER_LEAVE_OUT;
	return s->o->how(name, depth);
}

/* A staged file goes to its path in the new folder. */
static int move_in(const struct outbox_file *f, int stagefd, int newfd)
{
	char path[4096];
	const char *folder = folder_of(f->name, path, sizeof(path));

	if (mkdirat(newfd, folder, 0777) < 0 && errno != EEXIST)
		return -errno;
	if (renameat(stagefd, f->from, newfd, f->name) < 0)
		return -errno;
	return sync_folder(newfd, folder, NULL);
}

int outbox_make_folder(const struct model *m, const struct outbox *o, int stagefd)
{
	struct folder_copy what = {select_entry, &(struct selection){m, o}};
	cleanup_fd int newfd = -1;
	int r;

	folder_remove(stagefd, STAGE_NEW);
	r = folder_copy(m->place.rootfd, ".", stagefd, STAGE_NEW, &what);
	if (r < 0)
		return r;
	newfd = openat(stagefd, STAGE_NEW, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (newfd < 0)
		return -errno;
	for (size_t i = 0; i < o->n && r == 0; i++)
		r = move_in(&o->files[i], stagefd, newfd);
	return r < 0 ? r : sync_folder(newfd, NULL, NULL);
}
