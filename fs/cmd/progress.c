#include "fs/cmd/progress.h"

#include <stdio.h>
#include <unistd.h>

void progress_show(const char *what, uint64_t done, uint64_t all)
{
	static unsigned shown = 100; /* per cent; 100: the line is clear */
	unsigned percent = done < all ? (unsigned)(100 * done / all) : 100;

	if (percent == shown || !isatty(STDERR_FILENO))
		return;
	shown = percent;
	if (percent < 100)
		fprintf(stderr, "\r%s %u %% ", what, percent);
	else
		fputs("\r\033[K", stderr);
	fflush(stderr);
}
