/*
 * A message as JSON, by the official mapping of proto3, from its descriptor alone: what
 * google.protobuf.json_format.MessageToJson prints (indented by 2, ASCII, defaults left out),
 * with the entries of maps sorted (of two with one key the last one counts).
 *
 * Our .proto files declare maps as repeated entries and strings as bytes. Here a repeated
 * message named ...Entry is a map again, and a bytes field is text unless the caller names it.
 */
#ifndef CODEC_CONTAINER_PBJSON_H
#define CODEC_CONTAINER_PBJSON_H

#include "codec/container/pbwire.h"

/* bytes_fields: the names of fields that hold real bytes (base64), NULL at the end. */
void pbjson_print(const ProtobufCMessage *message, const char *const *bytes_fields,
		  struct buf *out);

#endif
