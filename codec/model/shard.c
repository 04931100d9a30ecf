#include "codec/model/shard.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "codec/base/lfs.h"

int shard_init(struct shard *s, int rootfd, const char *name)
{
	struct stat st;

	*s = (struct shard){.name = strdup(name)};
	if (!s->name)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	if (fstatat(rootfd, name, &st, 0) == 0 && S_ISREG(st.st_mode))
		s->id = file_id_of(&st);
	return 0;
}

void shard_unmap(struct shard *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->map)
		munmap((void *)(uintptr_t)s->map, s->id.size);
	s->map = NULL;
	pthread_mutex_unlock(&s->lock);
}

void shard_release(struct shard *s)
{
	if (!s->name)
		return;
	shard_unmap(s);
	pthread_mutex_destroy(&s->lock);
	free(s->name);
	free(s->was);
	*s = (struct shard){0};
}

/* What is no fault of the file is passed on as it is. */
static int cannot_open(const struct shard *s, struct error *err)
{
	int r = errno == EACCES || errno == EMFILE || errno == ENFILE ? -errno : -EIO;

	return error_set(err, r, "%s: %s", s->name, strerror(errno));
}

int shard_open(struct shard *s, int rootfd, struct error *err)
{
	cleanup_fd int fd = -1;
	struct file_id now;
	struct stat st;

	if (!s->id.ino)
		return error_set(err, -EIO, "%s: the data file is missing", s->name);
	fd = openat(rootfd, s->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno != ENOENT)
		return cannot_open(s, err);
	if (fd >= 0 && fstat(fd, &st) < 0)
		return error_set(err, -EIO, "%s: %s", s->name, strerror(errno));
	now = fd >= 0 ? file_id_of(&st) : (struct file_id){0};
	if (fd < 0 || now.size != s->id.size)
		return error_set(err, -ESTALE, "%s: %s since the mount", s->name,
				 fd < 0 ? "removed" : "changed");
	if (!file_id_equal(&now, &s->id))
		s->doubted = true;
	if (lfs_check_open(fd, s->id.size, s->name, err) < 0)
		return -EIO;
	return steal_fd(&fd);
}

static int map_locked(struct shard *s, int rootfd, struct error *err)
{
	cleanup_fd int fd = -1;
	void *map;

	if (s->map || (s->id.ino && !s->id.size))
		return 0;
	fd = shard_open(s, rootfd, err);
	if (fd < 0)
		return fd;
	map = mmap(NULL, s->id.size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED && errno == ENOMEM)
		return 0;
	if (map == MAP_FAILED)
		return error_set(err, -EIO, "%s: cannot be mapped: %s", s->name, strerror(errno));
	s->map = map;
	return 0;
}

int shard_map(struct shard *s, int rootfd, const uint8_t **ret, struct error *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = map_locked(s, rootfd, err);
	*ret = s->map;
	pthread_mutex_unlock(&s->lock);
	return r;
}
