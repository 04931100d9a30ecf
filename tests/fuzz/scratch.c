#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "codec/base/file.h"
#include "fuzz.h"

static char path[64];
static int fd = -1;

static void remove_all(int dirfd, const char *name)
{
	int folder = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = folder < 0 ? NULL : fdopendir(folder);
	struct dirent *entry;

	if (!dir) {
		unlinkat(dirfd, name, 0);
		return;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_all(folder, entry->d_name);
	closedir(dir);
	unlinkat(dirfd, name, AT_REMOVEDIR);
}

static void remove_scratch(void)
{
	remove_all(AT_FDCWD, path);
}

static void make_scratch(void)
{
	if (fd >= 0)
		return;
	snprintf(path, sizeof(path), "/dev/shm/weightfs-fuzz-XXXXXX");
	MUST(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(fd >= 0);
	MUST(atexit(remove_scratch) == 0);
}

const char *scratch_path(void)
{
	make_scratch();
	return path;
}

int scratch_fd(void)
{
	make_scratch();
	return fd;
}

void scratch_mkdir(const char *name)
{
	MUST(mkdirat(scratch_fd(), name, 0700) == 0 || errno == EEXIST);
}

void scratch_write(const char *name, struct span content)
{
	int file = openat(scratch_fd(), name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	MUST(file >= 0 && write_at(file, content.p, content.n, 0) == 0);
	close(file);
}

void scratch_lengthen(const char *name, size_t n)
{
	int file = openat(scratch_fd(), name, O_WRONLY | O_CLOEXEC);

	MUST(file >= 0 && ftruncate(file, (off_t)n) == 0);
	close(file);
}

void scratch_remove(const char *name)
{
	remove_all(scratch_fd(), name);
}

struct span take_part(struct span *input)
{
	struct span part = {0};
	uint32_t n;

	if (span_take_le32(input, &n) == 0)
		(void)span_take(input, n < input->n ? n : input->n, &part);
	return part;
}

void add_part(struct buf *out, struct span part)
{
	buf_add_le32(out, (uint32_t)part.n);
	buf_add(out, part);
}
