#include "codec/number.h"

#include <math.h>
#include <stdio.h>

/* The fewest significant digits (1 to 17) that say v; text gets them as d.ddde+xx. */
static void shortest(double v, bool single, char text[32])
{
	for (int digits = 0; digits < 17; digits++) {
		snprintf(text, 32, "%.*e", digits, v);
		if (single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v)
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
