/*
 * Files of a model's own, which are shown as they are.
 *
 * Links are followed, out of the model as well: in the caches of model hubs every file is one. The
 * folders that they lead to are opened when the files are listed, so that no path is walked later:
 * it might lead through our own mount, and we would wait for ourselves.
 */
#ifndef FS_VIEW_ASSETS_H
#define FS_VIEW_ASSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct asset {
	char *path; /* where it is shown, relative to the model's root */
	int folderfd;
	char *name; /* where it lies: relative to that folder */
	bool outside;
};

struct assets {
	struct asset *file;
	size_t n, capacity;
	int *outside; /* folders that links out of the model lead to, or into */
	size_t n_outside, outside_capacity;
	bool said; /* that there are such links */
};

/*
 * Adds what lies in a folder below the model's root, by name; rootfd is to stay open. What cannot
 * be looked at is logged. -ENOMEM.
 */
int assets_list(struct assets *a, int rootfd, const char *folder);
void assets_release(struct assets *a);

/* A descriptor; -1 and errno. */
int asset_open(const struct asset *a, int flags);
/* What it is now; its mode is that of the file, where that is not the model's. */
bool asset_stat(const struct asset *a, struct stat *ret);

#endif
