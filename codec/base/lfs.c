#include "codec/base/lfs.h"

#include <errno.h>
#include <unistd.h>

enum { POINTER_MAX = 1024 /* bytes: what Git LFS itself takes for a pointer */ };

int lfs_check(struct span file, const char *name, struct error *err)
{
	static const char start[] = "version https://git-lfs.github.com/spec/";

	if (file.n >= POINTER_MAX || !span_starts(file, span_str(start)))
		return 0;
	return error_set(err, -EBADMSG,
			 "%s: a Git LFS pointer; the file itself was not fetched: run git lfs pull",
			 name);
}

int lfs_check_open(int fd, uint64_t size, const char *name, struct error *err)
{
	uint8_t bytes[POINTER_MAX];
	ssize_t n = size < POINTER_MAX ? pread(fd, bytes, sizeof(bytes), 0) : 0;

	return n > 0 ? lfs_check(span_of(bytes, (size_t)n), name, err) : 0;
}
