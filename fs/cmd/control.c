#include "fs/cmd/control.h"

#include <fcntl.h>
#include <unistd.h>

#include "codec/base/buf.h"
#include "fs/view/exit.h"
#include "fs/view/log.h"
#include "fs/cmd/progress.h"

int control_send(const char *mountpoint, const char *command)
{
	cleanup_buf struct buf path = {0};
	int fd, saved;

	buf_printf(&path, "%s/.weightfs/control%c", mountpoint, 0);
	fd = path.failed ? -1 : open((const char *)path.p, O_RDWR | O_CLOEXEC);
	if (fd < 0 || write(fd, command, strlen(command)) >= 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* One line: something to be shown, or the verdict. */
static void hear(char *line, int *code)
{
	if (strncmp(line, "progress ", 9) == 0) {
		progress_show("saving", strtoul(line + 9, NULL, 10), 100);
		return;
	}
	progress_show("saving", 100, 100);
	if (strncmp(line, "say ", 4) == 0)
		say("weightfs: %s", line + 4);
	else if (strncmp(line, "exit ", 5) == 0)
		*code = (int)strtol(line + 5, NULL, 10);
}

int control_listen(int fd)
{
	cleanup_buf struct buf text = {0};
	char part[4096];
	ssize_t n;
	int code = EXIT_SAVE_FAILED;

	while ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR)) {
		uint8_t *newline;

		if (n > 0)
			buf_add(&text, span_of(part, (size_t)n));
		while (text.n && (newline = memchr(text.p, '\n', text.n))) {
			*newline = '\0';
			hear((char *)text.p, &code);
			buf_drop_front(&text, (size_t)(newline - text.p) + 1);
		}
	}
	return code;
}
