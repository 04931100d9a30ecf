#include "codec/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/base/utf8.h"

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code;
}

/* Puts "what format says: " before the sentence; what no longer fits at its end is cut. */
static void put_before(struct error *err, const char *format, va_list args)
{
	struct error old = *err;
	size_t room = sizeof(err->text);
	int n = vsnprintf(err->text, room, format, args);
	size_t used = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;

	if (old.text[0])
		snprintf(err->text + used, room - used, ": %s", old.text);
}

int error_prefix(struct error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	put_before(err, format, args);
	va_end(args);
	return code;
}

int error_add(struct error *err, int code, const char *format, ...)
{
	size_t used = err ? strlen(err->text) : 0;
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	vsnprintf(err->text + used, sizeof(err->text) - used, format, args);
	va_end(args);
	return code;
}

int error_errno(struct error *err, const char *format, ...)
{
	int saved = errno;
	va_list args;

	if (err) {
		snprintf(err->text, sizeof(err->text), "%s", strerror(saved));
		va_start(args, format);
		put_before(err, format, args);
		va_end(args);
	}
	errno = saved;
	return -saved;
}

/* The bytes of the character in front, if any terminal may get it; else 0. */
static size_t printable(struct span text)
{
	struct span rest = text;
	uint32_t c;

	if (!utf8_take(&rest, &c) || c < 0x20 || (c >= 0x7f && c < 0xa0))
		return 0;
	return text.n - rest.n;
}

const char *quote_into(struct span text, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0;

	while (text.n) {
		size_t n = printable(text);

		if (size - at < 8) { /* an escape, "..." and the NUL still fit */
			at += (size_t)snprintf(out + at, size - at, "...");
			break;
		}
		if (n) {
			memcpy(out + at, text.p, n);
			at += n;
		} else {
			out[at++] = '\\';
			out[at++] = 'x';
			out[at++] = hex[text.p[0] >> 4];
			out[at++] = hex[text.p[0] & 15];
		}
		text = span_skip(text, n ? n : 1);
	}
	out[at] = '\0';
	return out;
}
