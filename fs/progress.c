#include "fs/progress.h"

#include <stdio.h>
#include <unistd.h>

void progress_show(const char *what, unsigned percent)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (percent < 100)
		fprintf(stderr, "\r%s %u %% ", what, percent);
	else
		fputs("\r\033[K", stderr);
	fflush(stderr);
}
