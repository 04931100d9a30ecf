/*
 * A region: the space in data.N that holds the edited bytes of one tensor, and which of its
 * blocks of 4 KiB are there. What is not there shows through from below.
 */
#ifndef CODEC_WORK_REGION_H
#define CODEC_WORK_REGION_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { REGION_BLOCK = 4096 };

struct region {
	uint32_t number;	/* in the journal; 0: it does not know of it */
	struct data_file *data; /* counted reference */
	uint64_t offset, size;	/* in data, in bytes */
	struct timespec when;	/* of the last edit */
	const uint8_t *bytes;	/* mapped; for handing to the kernel */
	uint64_t *present;	/* a bit a block; NULL: all blocks are there */
};

/* A region of which no block is there; takes over a reference to data. NULL without memory. */
struct region *region_new(uint32_t number, struct data_file *data, uint64_t offset, uint64_t size);
struct region *region_free(struct region *r);

uint64_t region_blocks(const struct region *r);
bool region_has(const struct region *r, uint64_t block);
void region_set(struct region *r, uint64_t first, uint64_t count);
/* From now on all blocks are there. */
void region_set_all(struct region *r);
/* Blocks from first on are not there any more. */
void region_clear_from(struct region *r, uint64_t first);
/*
 * How many bytes from byte `at` on, and at most n, are alike: all there (*ret_present) or none.
 */
uint64_t region_run(const struct region *r, uint64_t at, uint64_t n, bool *ret_present);

#endif
