/* Standard base64 with padding (RFC 4648, section 4). */
#ifndef CODEC_BASE_BASE64_H
#define CODEC_BASE_BASE64_H

#include "codec/base/buf.h"

void base64_encode(struct span bytes, struct buf *out);
/* -EINVAL, out holding a part, if text is no base64. White space is not skipped. */
int base64_decode(struct span text, struct buf *out);

#endif
