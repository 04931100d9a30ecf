#include "fs/view/assets.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "fs/view/beneath.h"
#include "fs/view/log.h"

enum { DEPTH = 16, FILES_MAX = 100000 };

static int note_file(struct branch *b, char *path)
{
	char **grown = vector_grow(b->files, b->n_files, &b->files_capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	b->files = grown;
	b->files[b->n_files++] = path;
	return 0;
}

static int list_folder(struct branch *b, const char *folder, int depth);

/* One entry of a folder of assets: a file is noted, a folder is listed. */
static int list_entry(struct branch *b, const char *folder, const char *name, int depth)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	struct stat st;
	int r;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return -ENOMEM;
	fd = open_beneath(b->model->place.rootfd, path, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0) {
		log_line("%s: not shown: %s", quote(span_str(path)), strerror(errno));
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return list_folder(b, path, depth + 1);
	if (!S_ISREG(st.st_mode) || b->n_files >= FILES_MAX)
		return 0;
	r = note_file(b, path);
	if (r == 0)
		path = NULL;
	return r;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_folder(struct branch *b, const char *folder, int depth)
{
	cleanup_fd int fd = open_beneath(b->model->place.rootfd, folder, O_RDONLY | O_DIRECTORY);
	struct dirent **entries = NULL;
	int n, r = 0;

	if (fd < 0 || depth > DEPTH)
		return 0;
	n = scandirat(fd, ".", &entries, NULL, compare_names);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (r == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			r = list_entry(b, folder, name, depth);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int assets_list(struct branch *b, const char *folder)
{
	return list_folder(b, folder, 0);
}
