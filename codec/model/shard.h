/*
 * The data files of a bundle, opened only when somebody looks.
 *
 * A shard is noted (name, device, inode, size, mtime) when the model is loaded and compared when
 * it is opened: one that is missing, too short or another one spoils only the tensors in it. It
 * is mapped whole and its descriptor closed, so ten thousand shards need no descriptors. The map
 * is for handing to the kernel; our own code never reads through it, because a file that is cut
 * short behind us would kill us: it reads with pread from shard_open().
 */
#ifndef CODEC_MODEL_SHARD_H
#define CODEC_MODEL_SHARD_H

#include <pthread.h>

#include "codec/base/file.h"

struct shard {
	char *name;	   /* relative to the model's folder */
	char *was;	   /* of a missing one: its name until our last commit; or NULL */
	uint64_t live;	   /* bytes in it that belong to something */
	struct file_id id; /* at load; ino 0: there was no such file */
	pthread_mutex_t lock;
	const uint8_t *map; /* of id.size bytes, once mapped */
	/* It has another time or inode number than at load: only its checksums tell that it is not
	 * another file. Some file systems change them of themselves. */
	_Atomic bool doubted;
};

/* Notes who the file is; a missing one is no error yet. -ENOMEM. */
int shard_init(struct shard *s, int rootfd, const char *name);
void shard_release(struct shard *s);

/*
 * A descriptor to read from; the caller closes it. -EIO: missing, damaged, or a Git LFS pointer.
 * -EACCES, -EMFILE, -ENFILE: it cannot be opened by us, or now. -ESTALE: removed since the load, or
 * of another size. One that only has another time or inode number is opened, and s->doubted is set.
 * err names the shard.
 */
int shard_open(struct shard *s, int rootfd, struct error *err);
/*
 * The bytes of the whole shard, for as long as it is not released; NULL: there is no address space
 * for them. Errors of shard_open().
 */
int shard_map(struct shard *s, int rootfd, const uint8_t **ret, struct error *err);

/* Undoes shard_map(), for whoever knows that nobody uses the bytes. */
void shard_unmap(struct shard *s);

#endif
