#include "fs/view/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "fs/view/exit.h"

enum { KEPT = 64 << 10, LINE = 2048, PATIENCE = 10 };

static struct {
	pthread_mutex_t lock;
	enum log_target target;
	int fd; /* of the log file */
	struct buf kept;
	char last[LINE]; /* what was said last, when, and how often since */
	time_t last_said;
	unsigned again;
} the_log = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

void log_reserve_streams(void)
{
	/* The wrong way round: what was closed stays of no use. */
	static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			_exit(EXIT_NOT_MOUNTABLE);
}

int log_open(enum log_target target, const char *path)
{
	int fd = -1;

	if (target == LOG_TO_FILE) {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (fd < 0)
			return -errno;
	}
	if (target == LOG_TO_SYSLOG)
		openlog("weightfs", LOG_PID, LOG_DAEMON);
	pthread_mutex_lock(&the_log.lock);
	close_pointer(&the_log.fd);
	the_log.target = target;
	the_log.fd = fd;
	pthread_mutex_unlock(&the_log.lock);
	return 0;
}

/* A line of the file and of memory begins with the time. */
static void add_stamped(struct buf *out, const char *line)
{
	char stamp[32];
	struct tm tm;
	time_t now = time(NULL);

	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
	buf_printf(out, "%s %s\n", stamp, line);
}

static void keep(const struct buf *stamped)
{
	struct buf *kept = &the_log.kept;
	uint8_t *newline;

	buf_add(kept, buf_span(stamped));
	if (kept->n <= KEPT)
		return;
	/* The oldest half goes, up to the end of a line. */
	newline = memchr(kept->p + kept->n / 2, '\n', kept->n - kept->n / 2);
	buf_drop_front(kept, newline ? (size_t)(newline - kept->p) + 1 : kept->n);
}

void log_clean(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

/* The lock is held. */
static void put(const char *line)
{
	cleanup_buf struct buf stamped = {0};

	add_stamped(&stamped, line);
	if (!stamped.failed)
		keep(&stamped);
	if (the_log.target == LOG_TO_STDERR)
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, line);
	else if (the_log.target == LOG_TO_SYSLOG)
		syslog(LOG_NOTICE, "%s", line);
	else if (write(the_log.fd, stamped.p, stamped.n) < 0)
		the_log.target = LOG_TO_SYSLOG;
}

static void print_again(char *line, size_t size)
{
	snprintf(line, size, "the same again: %u time%s", the_log.again,
		 the_log.again == 1 ? "" : "s");
}

/*
 * A program that writes on where it cannot makes hundreds of refusals of it. True if the line was
 * said a moment ago, which is counted. The lock is held.
 */
static bool is_again(const char *line)
{
	time_t now = time(NULL);
	char again[64];

	if (strcmp(line, the_log.last) == 0 && now - the_log.last_said < PATIENCE) {
		the_log.again++;
		return true;
	}
	if (the_log.again) {
		print_again(again, sizeof(again));
		put(again);
	}
	the_log.again = 0;
	the_log.last_said = now;
	memcpy(the_log.last, line, strlen(line) + 1);
	return false;
}

void log_line(const char *format, ...)
{
	char line[LINE];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	log_clean(line, strlen(line));
	pthread_mutex_lock(&the_log.lock);
	if (!is_again(line))
		put(line);
	pthread_mutex_unlock(&the_log.lock);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void log_read(struct buf *out)
{
	char again[64];

	pthread_mutex_lock(&the_log.lock);
	buf_add(out, buf_span(&the_log.kept));
	if (the_log.again) {
		print_again(again, sizeof(again));
		add_stamped(out, again);
	}
	pthread_mutex_unlock(&the_log.lock);
}
