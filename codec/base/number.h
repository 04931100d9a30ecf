/* Numbers as Python's repr() prints them: the shortest digits that read back as the same. */
#ifndef CODEC_BASE_NUMBER_H
#define CODEC_BASE_NUMBER_H

#include "codec/base/buf.h"

/*
 * v is finite. single: the shortest with 6 digits or more that reads back as the same float,
 * zeros at its end left out, as protobuf's json_format has it.
 */
void number_add_shortest(struct buf *out, double v, bool single);

#endif
