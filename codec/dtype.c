#include "codec/dtype.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint8_t size, swap;
} types[DTYPE_LAST + 1] = {
	[1] = {"float32", 4, 4},
	[2] = {"float64", 8, 8},
	[3] = {"int32", 4, 4},
	[4] = {"uint8", 1, 1},
	[5] = {"int16", 2, 2},
	[6] = {"int8", 1, 1},
	[DTYPE_STRING] = {"string", 0, 0},
	[8] = {"complex64", 8, 4},
	[9] = {"int64", 8, 8},
	[10] = {"bool", 1, 1},
	[11] = {"qint8", 1, 1},
	[12] = {"quint8", 1, 1},
	[13] = {"qint32", 4, 4},
	[14] = {"bfloat16", 2, 2},
	[15] = {"qint16", 2, 2},
	[16] = {"quint16", 2, 2},
	[17] = {"uint16", 2, 2},
	[18] = {"complex128", 16, 8},
	[19] = {"float16", 2, 2},
	[DTYPE_RESOURCE] = {"resource", 0, 0},
	[DTYPE_VARIANT] = {"variant", 0, 0},
	[22] = {"uint32", 4, 4},
	[23] = {"uint64", 8, 8},
	[24] = {"float8_e5m2", 1, 0},
	[25] = {"float8_e4m3fn", 1, 0},
	[26] = {"float8_e4m3fnuz", 1, 0},
	[27] = {"float8_e4m3b11fnuz", 1, 0},
	[28] = {"float8_e5m2fnuz", 1, 0},
	[29] = {"int4", 1, 0},
	[30] = {"uint4", 1, 0},
	[31] = {"int2", 1, 0},
	[32] = {"uint2", 1, 0},
	[33] = {"float4_e2m1fn", 1, 0},
};

uint32_t dtype_size(uint32_t dtype)
{
	return dtype <= DTYPE_LAST ? types[dtype].size : 0;
}

uint32_t dtype_swap_size(uint32_t dtype)
{
	return dtype <= DTYPE_LAST ? types[dtype].swap : 0;
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
