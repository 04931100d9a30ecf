/*
 * What the numbers of a tensor look like at a glance, gathered from its stored bytes in passing.
 *
 * Integers are exact. A NaN or an infinity is counted and left out of the rest. Of complex numbers
 * only NaNs and infinities are counted, an element with either once; they have no order.
 */
#ifndef CODEC_TENSOR_STATS_H
#define CODEC_TENSOR_STATS_H

#include "codec/tensor/dtype.h"
#include "codec/base/span.h"

struct stats {
	uint64_t nan, inf;
	uint64_t n;	      /* elements in what follows */
	long double min, max; /* hold a 64-bit integer; meaningful if n is not 0 */
	long double sum;
};

/* True of dtypes whose elements are numbers. */
bool stats_countable(uint32_t dtype);
/* Takes in elements as they are stored; big_endian: the byte order of the bundle. */
void stats_add(struct stats *s, uint32_t dtype, bool big_endian, struct span elements);
/* Takes in what was gathered of another part. */
void stats_merge(struct stats *s, const struct stats *part);

#endif
