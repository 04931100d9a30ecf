#include "rules.h"

#include "codec/content/content.h"

void rules_init(struct rules *r, size_t size, uint64_t *seed)
{
	*r = (struct rules){.size = size};
	r->base = malloc(size + 1);
	r->accepted = malloc(size + 1);
	r->draft = malloc(size + 1);
	for (size_t i = 0; i < size; i++)
		r->accepted[i] = r->base[i] = (uint8_t)random_next(seed);
}

void rules_release(struct rules *r)
{
	free(r->base);
	free(r->accepted);
	free(r->draft);
}

struct span rules_seen(const struct rules *r)
{
	return r->drafting ? span_of(r->draft, r->seen) : span_of(r->accepted, r->size);
}

ssize_t rules_write(struct rules *r, size_t at, const uint8_t *bytes, size_t n)
{
	if (!n)
		return 0;
	if (at >= r->size)
		return -EFBIG;
	if (r->lost)
		return -EIO;
	n = n < r->size - at ? n : r->size - at;
	memcpy((r->drafting ? r->draft : r->accepted) + at, bytes, n);
	if (!r->drafting)
		r->edited = true;
	else if (r->seen < at + n)
		r->seen = at + n;
	return (ssize_t)n;
}

int rules_truncate(struct rules *r, size_t size)
{
	if (size > r->size)
		return -EFBIG;
	r->lost = r->lost && size;
	if (r->lost)
		return -EIO;
	if (!r->drafting && size == r->size)
		return 0;
	if (!r->drafting)
		memcpy(r->draft, r->accepted, size);
	r->kept = !r->drafting || size < r->kept ? size : r->kept;
	if (!r->drafting || size < r->seen)
		memset(r->draft + size, 0, r->size - size);
	r->drafting = true;
	r->seen = size;
	return 0;
}

int rules_flush(struct rules *r)
{
	if (r->lost)
		return -EIO;
	if (!r->drafting)
		return CONTENT_SAME;
	if (r->seen < r->size)
		return -EINVAL;
	memcpy(r->accepted, r->draft, r->size);
	r->drafting = false;
	r->edited = true;
	return CONTENT_ACCEPTED;
}

bool rules_drop(struct rules *r, bool written)
{
	bool had = r->drafting;

	r->lost |= had && written;
	r->drafting = false;
	return had;
}
