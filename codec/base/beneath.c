#include "codec/base/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

int open_beneath(int rootfd, const char *path, int flags)
{
	/* With O_PATH nothing is opened that could block, and openat2(2) takes no such flag. */
	int wait = flags & O_PATH ? 0 : O_NONBLOCK;
	struct open_how how = {
		.flags = (unsigned long long)(flags | O_CLOEXEC | wait),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
}
