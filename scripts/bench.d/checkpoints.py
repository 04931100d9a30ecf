"""Checkpoints of any size, quickly: each tensor holds one block of floats over and over.

So the checksum of a tensor needs no look at its bytes: it follows from that of one block.
"""

import array
import functools
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[2] / 'tests'))
from bundle import (FLOAT, crc32c, crc_of_both, crc_of_repeated, entry_of, header_of,  # noqa: E402
                    index_of, mask, shard_name)

BLOCK_SIZE = 64 << 10


def some_floats():
    numbers = random.Random(1)
    return array.array('f', (numbers.random() for _ in range(BLOCK_SIZE // 4))).tobytes()


BLOCK = some_floats()


@functools.cache
def checksum(size):
    """That of a tensor of so many bytes."""
    blocks, rest = divmod(size, BLOCK_SIZE)
    return mask(crc_of_both(crc_of_repeated(BLOCK, blocks), crc32c(BLOCK[:rest]), rest))


def write_bytes_of(file, size):
    chunk = BLOCK * 16
    for _ in range(size // len(chunk)):
        file.write(chunk)
    file.write(chunk[:size % len(chunk)])


def write_index(prefix, sizes):
    """The index of tensors that lie one behind the other: {NAME: bytes, a multiple of 4}."""
    pairs, offset = {b'': header_of(1)}, 0
    for name, size in sizes.items():
        pairs[name.encode()] = entry_of(FLOAT, (size // 4,), 0, offset, size, checksum(size))
        offset += size
    Path(f'{prefix}.index').write_bytes(index_of(pairs.items()))


def write_bundle(prefix, sizes):
    """Writes a checkpoint; its data file."""
    data = Path(shard_name(prefix, 0, 1))
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
