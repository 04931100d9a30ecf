"""Bundles as TensorFlow writes them, byte by byte: read, written, and made wrong on purpose.

For tests and benchmarks; shares no code with what they test. The table is LevelDB's as TensorFlow
uses it, uncompressed.
"""

import functools
import os
import struct
from pathlib import Path

FLOAT, INT32, UINT8, STRING, COMPLEX64, RESOURCE = 1, 3, 4, 7, 8, 20
GRAPH = b'_CHECKPOINTABLE_OBJECT_GRAPH'
MAGIC = bytes.fromhex('57fb808b247547db')
BLOCK_SIZE = 256 << 10  # where TensorFlow begins another block of the index


# --------------------------------------------------------------------------------------- checksums

def step(state):
    """What a zero byte does to the state of a CRC-32C."""
    for _ in range(8):
        state = state >> 1 ^ (0x82f63b78 if state & 1 else 0)
    return state


TABLE = [step(byte) for byte in range(256)]


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def times(matrix, vector):
    result = 0
    for i, column in enumerate(matrix):
        if vector >> i & 1:
            result ^= column
    return result


@functools.cache
def zeros_matrix(exponent):
    """What 2 ** exponent zero bytes do to a state."""
    if not exponent:
        return [step(1 << i) for i in range(32)]
    half = zeros_matrix(exponent - 1)
    return [times(half, column) for column in half]


def after_zeros(state, n):
    for exponent in range(n.bit_length()):
        if n >> exponent & 1:
            state = times(zeros_matrix(exponent), state)
    return state


def crc_of_both(one, other, size):
    """The checksum of two runs of bytes, of theirs; size: of the second run."""
    return after_zeros(one, size) ^ other


def crc_of_repeated(data, times_over):
    crc, part, size = 0, crc32c(data), len(data)
    for exponent in range(times_over.bit_length()):
        if times_over >> exponent & 1:
            crc = crc_of_both(crc, part, size)
        part, size = crc_of_both(part, part, size), 2 * size
    return crc


def mask(crc):
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def masked(data):
    return mask(crc32c(data))


# ---------------------------------------------------------------------------------------- messages

def varint(value):
    value &= 0xffffffffffffffff
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def take_varint(data, at):
    """The number, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def number(field, value):
    return varint(field << 3) + varint(value) if value else b''


def message(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def each_field(data):
    """The fields of a message: (number, value), in their order."""
    at = 0
    while at < len(data):
        tag, at = take_varint(data, at)
        if tag & 7 == 0:
            value, at = take_varint(data, at)
        elif tag & 7 == 5:
            value, at = struct.unpack_from('<I', data, at)[0], at + 4
        else:
            size, at = take_varint(data, at)
            value, at = data[at:at + size], at + size
        yield tag >> 3, value


def fields_of(data):
    """The fields of a message without repeated ones: number -> value."""
    return dict(each_field(data))


# ----------------------------------------------------------------------------------------- entries

def header_of(shards):
    """BundleHeaderProto: little-endian, version 1"""
    return number(1, shards) + message(3, number(1, 1))


def shape_of(dims):
    return b''.join(message(2, number(1, dim)) for dim in dims)


def extents(slices):
    """TensorSliceProto; slices: (start, length) a dimension, None for the whole of it"""
    return b''.join(message(1, b'' if s is None else number(1, s[0]) + varint(2 << 3)
                            + varint(s[1])) for s in slices)


def entry_of(dtype=0, shape=(), shard=0, offset=0, size=0, crc=None, slices=()):
    """BundleEntryProto"""
    return (number(1, dtype) + message(2, shape_of(shape)) + number(3, shard) + number(4, offset)
            + number(5, size) + (b'' if crc is None else b'\x35' + struct.pack('<I', crc))
            + b''.join(message(7, extents(s)) for s in slices))


class Entry:
    """The other way; of its slices only whether there are any."""

    def __init__(self, data):
        fields = fields_of(data)
        self.dtype, self.shape = fields.get(1, 0), fields.get(2, b'')
        self.shard, self.offset = fields.get(3, 0), fields.get(4, 0)
        self.size, self.crc = fields.get(5, 0), fields.get(6)
        self.slices = 7 in fields


def slice_key(name, slices):
    """OrderedCode of 0, name, rank, and start and length (0 and -1: the whole) a dimension"""
    return (b'\x00' + name + b'\x00\x01\x01' + bytes([len(slices)])
            + b''.join(ordered(n) for s in slices for n in (s or (0, -1))))


def ordered(value):
    magnitude, length = max(value, ~value), 1
    while magnitude >> 7 * length - 1:
        length += 1
    if length == 1:
        return bytes([0x80 ^ value & 0xff])
    kept = value.to_bytes(10, 'big', signed=True)[-length:]
    head = int.from_bytes(kept[:2], 'big') ^ (0xffff << 16 - length & 0xffff)
    return head.to_bytes(2, 'big') + kept[2:]


def strings_of(strings, order='<'):
    """A string tensor's bytes and checksum"""
    checked = b''.join(struct.pack(order + 'I', len(s)) for s in strings)
    lengths = struct.pack(order + 'I', masked(checked))
    return (b''.join(varint(len(s)) for s in strings) + lengths + b''.join(strings),
            masked(checked + lengths + b''.join(strings)))


# ------------------------------------------------------------------------------------------- tables

def block(pairs, interval=16):
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


def sealed(contents, kind=0, flip=0):
    stored = contents + bytes([kind])
    return stored + struct.pack('<I', masked(stored) ^ flip)


def parts_of(pairs):
    """The pairs of one block after another."""
    part, size = [], 0
    for pair in pairs:
        part.append(pair)
        size += len(pair[0]) + len(pair[1])
        if size >= BLOCK_SIZE:
            yield part
            part, size = [], 0
    if part:
        yield part


def successor(key):
    """A short key that is not below."""
    return (key[:1] if key[:1] == b'\xff' else bytes([key[0] + 1])) if key else b''


def table_of(blocks, index_handle=None, magic=MAGIC):
    """A table of (last key, contents, kind, flip, handle) a block; the handles None: what is right."""
    out, index = bytearray(), []
    for i, (last, contents, kind, flip, handle) in enumerate(blocks):
        offset, size = handle or (len(out), len(contents))
        end = successor(last) if i == len(blocks) - 1 else last
        index.append((end, varint(offset) + varint(size)))
        out += sealed(contents, kind, flip)
    footer = varint(len(out)) + varint(len(block([])))
    out += sealed(block([]))
    contents = block(index, 1)
    offset, size = index_handle or (len(out), len(contents))
    footer += varint(offset) + varint(size)
    return bytes(out + sealed(contents) + footer.ljust(40, b'\0') + magic)


def index_of(pairs):
    """The index of these keys and values."""
    return table_of([(part[-1][0], block(part), 0, 0, None) for part in parts_of(sorted(pairs))])


def pairs_of_block(data):
    end = len(data) - 4 - 4 * int.from_bytes(data[-4:], 'little')
    at, key = 0, b''
    while at < end:
        shared, at = take_varint(data, at)
        own, at = take_varint(data, at)
        size, at = take_varint(data, at)
        key = key[:shared] + data[at:at + own]
        yield key, data[at + own:at + own + size]
        at += own + size


def read_index(path):
    """The entries of an index: key -> bytes."""
    data = Path(path).read_bytes()

    def pairs_at(handle):
        offset, at = take_varint(handle, 0)
        size, at = take_varint(handle, at)
        assert data[offset + size] == 0, 'a compressed block'
        return list(pairs_of_block(data[offset:offset + size]))

    at = len(data) - 48
    for _ in range(2):  # the handle of the metaindex
        _, at = take_varint(data, at)
    return {key: value for _, handle in pairs_at(data[at:]) for key, value in pairs_at(handle)}


# ------------------------------------------------------------------------------------------ bundles

def shard_name(prefix, shard, shards):
    return f'{prefix}.data-{shard:05d}-of-{shards:05d}'


def shards_in(entries):
    """How many shards an index counts."""
    return fields_of(entries[b'']).get(1, 0)


def shard_count(path):
    return shards_in(read_index(path))


def stored(prefix):
    """Key -> the bytes of its entry in the shards."""
    index = read_index(f'{prefix}.index')
    count = shards_in(index)
    shards = [Path(shard_name(prefix, i, count)).read_bytes() for i in range(count)]
    entries = {key: Entry(value) for key, value in index.items() if key}
    return {key: shards[e.shard][e.offset:e.offset + e.size] for key, e in entries.items()}


class Sparse:
    """Bytes with a long run of zeros in them, whose checksum needs no look at each of them."""

    def __init__(self, head=b'', zeros=0, tail=b''):
        self.head, self.zeros, self.tail = head, zeros, tail
        self.size = len(head) + zeros + len(tail)

    def content(self):
        return self.head + bytes(self.zeros) + self.tail

    def write(self, file):
        file.write(self.head)
        if self.zeros:
            file.seek(self.zeros, os.SEEK_CUR)
        file.write(self.tail)

    @functools.cached_property
    def masked(self):
        crc = crc_of_both(crc32c(self.head), crc_of_repeated(b'\0', self.zeros), self.zeros)
        return mask(crc_of_both(crc, crc32c(self.tail), len(self.tail)))


def write_bundle(prefix, *shards, more=None):
    """Writes a checkpoint; its prefix.

    shards: {KEY: (dtype, shape, bytes or Sparse, or a list of strings)} each; more: {KEY: fields} of
    other entries.
    """
    entries = {b'': header_of(len(shards))}
    for i, tensors in enumerate(shards):
        with open(shard_name(prefix, i, len(shards)), 'wb') as file:
            for key, (dtype, shape, content) in tensors.items():
                content, crc = strings_of(content) if dtype == STRING else (content, None)
                content = Sparse(content) if isinstance(content, bytes) else content
                entries[as_key(key)] = entry_of(dtype, shape, i, file.tell(), content.size,
                                                content.masked if crc is None else crc)
                content.write(file)
            file.truncate()
    entries |= {as_key(key): entry_of(**fields) for key, fields in (more or {}).items()}
    Path(f'{prefix}.index').write_bytes(index_of(entries.items()))
    return Path(prefix)


def as_key(key):
    return key if isinstance(key, bytes) else key.encode()


class Bundle:
    """A bundle in memory, of which every part can be replaced before it is written."""

    def __init__(self, shards=1):
        self.header = header_of(shards)
        self.shards = [b''] * shards
        self.entries = {}       # key -> the fields of its entry, or its bytes
        self.pairs = None       # overrides header and entries
        self.contents = None    # overrides the data block
        self.kind = self.flip = 0
        self.handle = None      # (offset, size) of the data block, in the index block
        self.index_handle = None
        self.magic = MAGIC
        self.files = {}         # overrides and other files

    def add(self, key, dtype, shape, content, crc=None, shard=0):
        self.entries[key] = {
            'dtype': dtype, 'shape': shape, 'shard': shard, 'offset': len(self.shards[shard]),
            'size': len(content), 'crc': masked(content) if crc is None else crc}
        self.shards[shard] += content

    def all_pairs(self):
        if self.pairs is not None:
            return self.pairs
        return [(b'', self.header)] + sorted(
            (key, fields if isinstance(fields, bytes) else entry_of(**fields))
            for key, fields in self.entries.items())

    def table(self):
        pairs = self.all_pairs()
        contents = block(pairs) if self.contents is None else self.contents
        last = max(key for key, _ in pairs)
        return table_of([(last, contents, self.kind, self.flip, self.handle)], self.index_handle,
                        self.magic)

    def write(self, folder):
        """Into a new folder, as `model`; its prefix."""
        files = {shard_name('model', i, len(self.shards)): shard
                 for i, shard in enumerate(self.shards)}
        files['model.index'] = self.table()
        files.update(self.files)
        folder.mkdir(parents=True)
        for name, content in files.items():
            if content is not None:
                (folder / name).write_bytes(content)
        return folder / 'model'
