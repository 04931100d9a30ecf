#include "codec/tensor/tensor.h"

int shape_elements(const struct shape *shape, uint64_t *ret)
{
	uint64_t product = 1;
	bool empty = false;

	for (uint32_t i = 0; i < shape->rank; i++) {
		if (shape->dims[i] < 0)
			return -EBADMSG;
		if (shape->dims[i] == 0)
			empty = true;
		else if (mul_overflows(product, (uint64_t)shape->dims[i], &product))
			return -EBADMSG;
		if (product > INT64_MAX)
			return -EBADMSG;
	}
	*ret = empty ? 0 : product;
	return 0;
}

void shape_print(const struct shape *shape, struct buf *out)
{
	buf_add_u8(out, '[');
	for (uint32_t i = 0; i < shape->rank; i++)
		buf_printf(out, i ? ", %lld" : "%lld", (long long)shape->dims[i]);
	buf_add_u8(out, ']');
}

bool tensor_is_raw(const struct tensor *t)
{
	return dtype_size(t->dtype) > 0;
}

uint64_t tensor_size(const struct tensor *t)
{
	uint64_t elements;

	if (!tensor_is_raw(t) || shape_elements(&t->shape, &elements) < 0)
		return t->storage.type == STORED_EXTENT ? t->storage.extent.size : 0;
	return elements * dtype_size(t->dtype);
}
