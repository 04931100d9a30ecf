#include "codec/saved_model/signature.h"

#include "codec/container/pbjson.h"
#include "signature.pb-c.h"

int signature_check(struct span signature_def, struct error *err)
{
	cleanup_arena struct arena arena = {0};

	return pb_unpack(&tensorflow__signature_def__descriptor, signature_def, &arena, err)
		       ? 0
		       : -EBADMSG;
}

int signature_print(struct span signature_def, struct buf *out, struct error *err)
{
	/* Of all fields below a SignatureDef these alone are `bytes` upstream as well. */
	static const char *const bytes_fields[] = {
		"tensor_content", "string_val", "metadata", "float8_val", NULL,
	};
	cleanup_arena struct arena arena = {0};
	const ProtobufCMessage *message =
		pb_unpack(&tensorflow__signature_def__descriptor, signature_def, &arena, err);

	if (!message)
		return -EBADMSG;
	pbjson_print(message, bytes_fields, out);
	return buf_error(out);
}
