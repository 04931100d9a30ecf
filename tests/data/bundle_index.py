"""Reads the index of a bundle as it lies on disk; shares no code with what is tested."""

import struct
from pathlib import Path


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def pairs_of_block(data):
    end = len(data) - 4 - 4 * int.from_bytes(data[-4:], 'little')
    at, key = 0, b''
    while at < end:
        shared, at = varint(data, at)
        own, at = varint(data, at)
        size, at = varint(data, at)
        key = key[:shared] + data[at:at + own]
        yield key, data[at + own:at + own + size]
        at += own + size


def read_index(path):
    """The entries of an index, uncompressed as TensorFlow writes them: key -> bytes."""
    data = Path(path).read_bytes()

    def blocks(handle):
        offset, at = varint(handle, 0)
        size, at = varint(handle, at)
        assert data[offset + size] == 0, 'a compressed block'
        return list(pairs_of_block(data[offset:offset + size]))

    at = len(data) - 48
    for _ in range(2):  # the handle of the metaindex
        _, at = varint(data, at)
    return {key: value for _, handle in blocks(data[at:]) for key, value in blocks(handle)}


def fields_of(message):
    """The fields of a protobuf message without repeated ones: number -> value."""
    found, at = {}, 0
    while at < len(message):
        tag, at = varint(message, at)
        if tag & 7 == 0:
            found[tag >> 3], at = varint(message, at)
        elif tag & 7 == 5:
            found[tag >> 3], at = struct.unpack_from('<I', message, at)[0], at + 4
        else:
            size, at = varint(message, at)
            found[tag >> 3], at = message[at:at + size], at + size
    return found
