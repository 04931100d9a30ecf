"""Checkpoints of any size, quickly: each tensor holds one block of floats over and over.

So the checksum of a tensor needs no look at its bytes: it is a power of what one block does to
the state of a CRC, which is an affine map.
"""

import array
import functools
import os
import random
import struct
from pathlib import Path

FLOAT = 1
BLOCK_SIZE = 64 << 10
TABLE_BLOCK = 256 << 10  # where TensorFlow, too, begins another block of the index
MAGIC = bytes.fromhex('57fb808b247547db')


def some_floats():
    numbers = random.Random(1)
    return array.array('f', (numbers.random() for _ in range(BLOCK_SIZE // 4))).tobytes()


BLOCK = some_floats()


# ----------------------------------------------------------------------------------- checksums

def step(state):
    for _ in range(8):
        state = state >> 1 ^ (0x82f63b78 if state & 1 else 0)
    return state


TABLE = [step(byte) for byte in range(256)]


def extend(state, data):
    for byte in data:
        state = state >> 8 ^ TABLE[(state ^ byte) & 0xff]
    return state


def times(matrix, vector):
    result = 0
    for i, column in enumerate(matrix):
        if vector >> i & 1:
            result ^= column
    return result


@functools.cache
def power(exponent):
    """What 2 ** exponent blocks do to a state: a matrix, and what is added then."""
    if exponent:
        matrix, added = power(exponent - 1)
        return [times(matrix, column) for column in matrix], times(matrix, added) ^ added
    matrix = [step(1 << i) for i in range(32)]
    for _ in range(BLOCK_SIZE.bit_length() - 1):
        matrix = [times(matrix, column) for column in matrix]
    return matrix, extend(0, BLOCK)


@functools.cache
def checksum(size):
    """That of a tensor of so many bytes."""
    blocks, rest = divmod(size, BLOCK_SIZE)
    state = 0xffffffff
    for exponent in range(blocks.bit_length()):
        if blocks >> exponent & 1:
            matrix, added = power(exponent)
            state = times(matrix, state) ^ added
    return masked(extend(state, BLOCK[:rest]) ^ 0xffffffff)


def masked(crc):
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


# ------------------------------------------------------------------------------------ the index

def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value) if value else b''


def message(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


HEADER = number(1, 1) + message(3, number(1, 1))  # one shard, little-endian, version 1


def entry(offset, size):
    """BundleEntryProto"""
    shape = message(2, message(2, number(1, size // 4)))
    return (number(1, FLOAT) + shape + number(4, offset) + number(5, size)
            + b'\x35' + struct.pack('<I', checksum(size)))


def table_block(pairs, interval=16):
    out, restarts, last = bytearray(), [0], b''
    for i, (key, value) in enumerate(pairs):
        shared = 0
        if i % interval:
            shared = len(os.path.commonprefix([key, last]))
        elif i:
            restarts.append(len(out))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        last = key
    return bytes(out) + struct.pack(f'<{len(restarts) + 1}I', *restarts, len(restarts))


def cut(pairs):
    """The pairs of one block after another."""
    part, size = [], 0
    for pair in pairs:
        part.append(pair)
        size += len(pair[0]) + len(pair[1])
        if size >= TABLE_BLOCK:
            yield part
            part, size = [], 0
    if part:
        yield part


class Table:
    """A table of LevelDB's kind, as it grows."""

    def __init__(self):
        self.out = bytearray()

    def add(self, contents):
        """Appends a block; its handle."""
        handle = varint(len(self.out)) + varint(len(contents))
        stored = contents + b'\0'  # not compressed
        crc = masked(extend(0xffffffff, stored) ^ 0xffffffff)
        self.out += stored + struct.pack('<I', crc)
        return handle

    def finish(self, index):
        handles = self.add(table_block([])) + self.add(table_block(index, 1))
        return bytes(self.out + handles.ljust(40, b'\0') + MAGIC)


def make_index(pairs):
    table = Table()
    index = [(part[-1][0], table.add(table_block(part))) for part in cut(pairs)]
    return table.finish(index)


# ------------------------------------------------------------------------------------ the files

def write_bytes_of(file, size):
    chunk = BLOCK * 16
    for _ in range(size // len(chunk)):
        file.write(chunk)
    file.write(chunk[:size % len(chunk)])


def write_index(prefix, sizes):
    """The index of tensors that lie one behind the other: {NAME: bytes, a multiple of 4}."""
    pairs, offset = {b'': HEADER}, 0
    for name, size in sizes.items():
        pairs[name.encode()] = entry(offset, size)
        offset += size
    Path(f'{prefix}.index').write_bytes(make_index(sorted(pairs.items())))


def write_bundle(prefix, sizes):
    """Writes a checkpoint; its data file."""
    data = Path(f'{prefix}.data-00000-of-00001')
    write_index(prefix, sizes)
    with open(data, 'wb', buffering=0) as file:
        for size in sizes.values():
            write_bytes_of(file, size)
        os.fsync(file.fileno())
    return data


def write_plain(path, size):
    """The same bytes as those of a tensor of this size, as a file."""
    with open(path, 'wb', buffering=0) as file:
        write_bytes_of(file, size)
        os.fsync(file.fileno())
    return path
