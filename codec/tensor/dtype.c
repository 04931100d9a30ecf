#include "codec/tensor/dtype.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint8_t size, swap;
} types[DTYPE_LAST + 1] = {
	[DTYPE_FLOAT32] = {"float32", 4, 4},
	[DTYPE_FLOAT64] = {"float64", 8, 8},
	[DTYPE_INT32] = {"int32", 4, 4},
	[DTYPE_UINT8] = {"uint8", 1, 1},
	[DTYPE_INT16] = {"int16", 2, 2},
	[DTYPE_INT8] = {"int8", 1, 1},
	[DTYPE_STRING] = {"string", 0, 0},
	[DTYPE_COMPLEX64] = {"complex64", 8, 4},
	[DTYPE_INT64] = {"int64", 8, 8},
	[DTYPE_BOOL] = {"bool", 1, 1},
	[DTYPE_QINT8] = {"qint8", 1, 1},
	[DTYPE_QUINT8] = {"quint8", 1, 1},
	[DTYPE_QINT32] = {"qint32", 4, 4},
	[DTYPE_BFLOAT16] = {"bfloat16", 2, 2},
	[DTYPE_QINT16] = {"qint16", 2, 2},
	[DTYPE_QUINT16] = {"quint16", 2, 2},
	[DTYPE_UINT16] = {"uint16", 2, 2},
	[DTYPE_COMPLEX128] = {"complex128", 16, 8},
	[DTYPE_FLOAT16] = {"float16", 2, 2},
	[DTYPE_RESOURCE] = {"resource", 0, 0},
	[DTYPE_VARIANT] = {"variant", 0, 0},
	[DTYPE_UINT32] = {"uint32", 4, 4},
	[DTYPE_UINT64] = {"uint64", 8, 8},
	[DTYPE_FLOAT8_E5M2] = {"float8_e5m2", 1, 0},
	[DTYPE_FLOAT8_E4M3FN] = {"float8_e4m3fn", 1, 0},
	[DTYPE_FLOAT8_E4M3FNUZ] = {"float8_e4m3fnuz", 1, 0},
	[DTYPE_FLOAT8_E4M3B11FNUZ] = {"float8_e4m3b11fnuz", 1, 0},
	[DTYPE_FLOAT8_E5M2FNUZ] = {"float8_e5m2fnuz", 1, 0},
	[DTYPE_INT4] = {"int4", 1, 0},
	[DTYPE_UINT4] = {"uint4", 1, 0},
	[DTYPE_INT2] = {"int2", 1, 0},
	[DTYPE_UINT2] = {"uint2", 1, 0},
	[DTYPE_FLOAT4_E2M1FN] = {"float4_e2m1fn", 1, 0},
};

uint32_t dtype_size(uint32_t dtype)
{
	return dtype <= DTYPE_LAST ? types[dtype].size : 0;
}

uint32_t dtype_swap_size(uint32_t dtype)
{
	return dtype <= DTYPE_LAST ? types[dtype].swap : 0;
}

bool dtype_is_integer(uint32_t dtype)
{
	switch (dtype) {
	case DTYPE_INT32:
	case DTYPE_UINT8:
	case DTYPE_INT16:
	case DTYPE_INT8:
	case DTYPE_INT64:
	case DTYPE_BOOL:
	case DTYPE_QINT8:
	case DTYPE_QUINT8:
	case DTYPE_QINT32:
	case DTYPE_QINT16:
	case DTYPE_QUINT16:
	case DTYPE_UINT16:
	case DTYPE_UINT32:
	case DTYPE_UINT64:
	case DTYPE_INT4:
	case DTYPE_UINT4:
	case DTYPE_INT2:
	case DTYPE_UINT2: return true;
	default: return false;
	}
}

struct dtype_name dtype_name(uint32_t dtype)
{
	struct dtype_name name;

	if (dtype <= DTYPE_LAST && types[dtype].name)
		snprintf(name.text, sizeof(name.text), "%s", types[dtype].name);
	else
		snprintf(name.text, sizeof(name.text), "dtype-%u", dtype);
	return name;
}

int dtype_from_name(const char *name)
{
	char *end;
	long n;

	for (int i = 1; i <= DTYPE_LAST; i++)
		if (strcmp(types[i].name, name) == 0)
			return i;
	if (strncmp(name, "dtype-", 6) != 0 || name[6] < '0' || name[6] > '9')
		return -EINVAL;
	n = strtol(name + 6, &end, 10);
	return *end || n <= DTYPE_LAST || n >= DTYPE_REF ? -EINVAL : (int)n;
}
