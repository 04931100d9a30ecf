#include "codec/base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct span bytes, struct buf *out)
{
	while (bytes.n) {
		size_t n = bytes.n < 3 ? bytes.n : 3;
		uint32_t v = (uint32_t)bytes.p[0] << 16 | (n > 1 ? (uint32_t)bytes.p[1] << 8 : 0) |
			     (n > 2 ? bytes.p[2] : 0);

		for (size_t i = 0; i < 4; i++)
			buf_add_u8(out, i <= n ? (uint8_t)digits[v >> (18 - 6 * i) & 63] : '=');
		bytes = span_skip(bytes, n);
	}
}

int base64_decode(struct span text, struct buf *out)
{
	if (text.n % 4)
		return -EINVAL;
	while (text.n) {
		bool last = text.n == 4;
		size_t n = last && text.p[3] == '=' ? text.p[2] == '=' ? 1 : 2 : 3;
		uint32_t v = 0;

		for (size_t i = 0; i < 4; i++) {
			const char *found = i <= n ? memchr(digits, text.p[i], 64) : digits;

			if (!found)
				return -EINVAL;
			v = v << 6 | (uint32_t)(found - digits);
		}
		if (n < 3 && v & (n == 1 ? 0xffffu : 0xffu))
			return -EINVAL; /* bits that no byte holds */
		for (size_t i = 0; i < n; i++)
			buf_add_u8(out, (uint8_t)(v >> (16 - 8 * i)));
		text = span_skip(text, 4);
	}
	return 0;
}
