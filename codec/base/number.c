#include "codec/base/number.h"

#include <math.h>
#include <stdio.h>

static bool reads_back(const char *text, double v, bool single)
{
	return single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v;
}

/* d.ddde+xx: one more in the last digit. */
static void step_away_from_zero(char *text)
{
	for (char *c = strchr(text, 'e') - 1; c >= text && *c != '-'; c--) {
		if (*c == '.')
			continue;
		if (*c != '9') {
			++*c;
			return;
		}
		*c = '0';
	}
}

/*
 * The fewest significant digits that say v, 1 to 17, or 6 to 9 of a float (which then may end in
 * zeros); text gets them as d.ddde+xx. What printf rounds to is not always it: a power of two has
 * its neighbour below at half the distance of the one above, so the next decimal above may still
 * read back where the nearer one below does not.
 */
static void shortest(double v, bool single, char text[32])
{
	for (int digits = single ? 5 : 0; digits < 17; digits++) {
		snprintf(text, 32, "%.*e", digits, v);
		if (reads_back(text, v, single))
			return;
		if (single)
			continue; /* json_format does not look there */
		step_away_from_zero(text);
		if (reads_back(text, v, single))
			return;
	}
}

void number_add_shortest(struct buf *out, double v, bool single)
{
	char text[32], digits[32], *e;
	int exponent, n = 0;

	shortest(v, single, text);
	e = strchr(text, 'e');
	exponent = (int)strtol(e + 1, NULL, 10);
	for (char *c = text; c < e; c++)
		if (*c >= '0' && *c <= '9')
			digits[n++] = *c;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (signbit(v))
		buf_add_u8(out, '-');
	if (exponent < -4 || exponent >= 16) {
		buf_printf(out, n > 1 ? "%c.%.*s" : "%c", digits[0], n - 1, digits + 1);
		buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
	} else if (exponent < 0) {
		buf_printf(out, "0.%.*s%.*s", -exponent - 1, "0000", n, digits);
	} else {
		for (int i = 0; i <= exponent || i < n; i++) {
			if (i == exponent + 1)
				buf_add_u8(out, '.');
			buf_add_u8(out, i < n ? (uint8_t)digits[i] : '0');
		}
		if (n <= exponent + 1)
			buf_add_str(out, ".0");
	}
}
