/*
 * What a tensor is to show, by the rules that codec/content/content.h gives, worked out with arrays
 * of bytes. Each function does to them what its name says, and returns what the content is to
 * return.
 */
#ifndef TESTS_CODEC_RULES_H
#define TESTS_CODEC_RULES_H

#include "support.h"

#include <sys/types.h>

struct rules {
	size_t size;			  /* of the tensor, in bytes */
	uint8_t *base, *accepted, *draft; /* of so many bytes each */
	bool edited, drafting;
	bool lost;   /* somebody writes it whose draft was taken away */
	size_t seen; /* bytes of the draft */
	size_t kept; /* of what was there before, at most so many may show through */
};

/* Random bytes are in the model. */
void rules_init(struct rules *r, size_t size, uint64_t *seed);
void rules_release(struct rules *r);
/* The bytes that are seen. */
struct span rules_seen(const struct rules *r);

ssize_t rules_write(struct rules *r, size_t at, const uint8_t *bytes, size_t n);
int rules_truncate(struct rules *r, size_t size);
int rules_flush(struct rules *r);
/* The draft goes, and somebody may be writing it: true if there was one. */
bool rules_drop(struct rules *r, bool written);

#endif
