#!/usr/bin/env python3
"""Prints number_cases.h: numbers, and what Python's repr() says of them.

    make_number_cases.py > number_cases.h

Floats have no repr() of their own: theirs is that of the double with the fewest digits, 6 or more
and correctly rounded, that is the same float again (as protobuf's json_format prints them).
"""

import math
import random
import struct

random.seed(1)


def double(bits):
    return struct.unpack('<d', struct.pack('<Q', bits))[0]


def single(bits):
    return struct.unpack('<f', struct.pack('<I', bits))[0]


def as_single(value):
    try:
        return struct.unpack('<f', struct.pack('<f', value))[0]
    except OverflowError:
        return math.inf


def repr_single(value):
    for digits in range(6, 10):
        short = float(f'{value:.{digits}g}')
        if as_single(short) == value:
            return repr(short)


def doubles():
    yield from [0.0, -0.0, 1.0, -1.0, 0.1, 0.2, 0.30000000000000004, 1 / 3, 2 / 3, 100.0, 1e15, 1e16, 1e17,
                123456789012345.6, 9999999999999998.0, 12345678901234567.0, 1e22, 1e23, 0.0001, 0.00012345,
                0.00001, 9.999e-05, 1e-07, 1.5e-07, 5e-324, 2.2250738585072014e-308,
                2.225073858507201e-308, 1.7976931348623157e+308, 4503599627370496.5, 2.0 ** 53, 2.0 ** 53 + 2,
                math.pi, math.e, 1e100, 123e-100, 0.001, 1e-3 / 3, 8.41e21, 9.5367431640625e-07]
    for exponent in range(-1074, 1024, 23):
        yield 2.0 ** exponent
    # Where the digits that are nearest to a power of two are not its shortest ones.
    yield from [2.0 ** e for e in (-1017, -1007, -957, -921, -808, -44, 89, 1023)]
    for _ in range(150):
        value = double(random.getrandbits(64))
        if math.isfinite(value):
            yield value
    for _ in range(60):
        yield round(random.uniform(-1000, 1000), random.randrange(6))
    for _ in range(30):
        yield float(random.getrandbits(random.randrange(1, 70)))


def singles():
    yield from [0.0, -0.0, 1.0, 0.5, as_single(0.1), as_single(0.2), as_single(1 / 3), 16777216.0, 33554432.0,
                as_single(1e-07), as_single(1e10), as_single(1e16), single(0x7f7fffff), single(0x00800000), single(1), single(0x000fffff),
                as_single(3.14159274), as_single(0.001), as_single(1e-05), as_single(123456.789)]
    for exponent in range(-126, 128, 11):
        yield 2.0 ** exponent
    for _ in range(120):
        value = single(random.getrandbits(32))
        if math.isfinite(value):
            yield value


def table(name, values, spell):
    print(f'\nstatic const struct number_case {name}[] = {{')
    for value in values:
        print(f'\t{{{value.hex()}, "{spell(value)}"}},')
    print('};')


print('/* Made by make_number_cases.py: numbers, and how Python prints them. */')
print('struct number_case {\n\tdouble value;\n\tconst char *text;\n};')
table('doubles', doubles(), repr)
table('singles', singles(), repr_single)
