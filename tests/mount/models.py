"""What is in the test models: the truth about them, their bundles, and bundles of our own."""

import base64
import functools
import hashlib
import json
import os
import re
import sys
from pathlib import Path

from mounting import DATA

sys.path.insert(0, os.fspath(DATA))
from bundle_index import fields_of, read_index  # noqa: E402
from make_broken import FLOAT, Model, crc32c  # noqa: E402, F401

VALUE = '/.ATTRIBUTES/VARIABLE_VALUE'
UINT8, INT32 = 4, 3


class Target:
    """What one mount shows of a model of tests/data: a SavedModel, or one of its checkpoints."""

    def __init__(self, truth, prefix):
        self.truth, self.model = truth, truth['model']
        self.checkpoint = truth['checkpoints'].get(prefix) or {'tensors': [], 'unreadable': []}
        self.saved_model = 'metagraphs' in truth
        self.argument = self.model if self.saved_model else f'{self.model}/{prefix}'
        self.prefix = f'{self.model}/{prefix}'
        self.tensors = {t['name']: t for t in self.checkpoint['tensors']}
        self.unreadable = {t['name']: t for t in self.checkpoint['unreadable']}
        self.object_based = 'graph' in self.checkpoint

    def __repr__(self):
        return self.argument

    @property
    def metagraph(self):
        """The MetaGraphDef that is served."""
        graphs = self.truth['metagraphs']
        return next((g for g in graphs if g['tags'] == ['serve']), graphs[0])


def all_targets():
    truths = [json.loads(path.read_text()) for path in sorted((DATA / 'truth').glob('*.json'))]
    return [Target(truth, prefix) for truth in truths for prefix in truth['checkpoints'] or [None]]


V1_TARGETS = [t for t in all_targets() if t.model == 'v1']
TARGETS = [t for t in all_targets() if t.model != 'v1']


def value_digest(path, row):
    """sha256 as the truth has it, of a file that a row of tensors.tsv names."""
    content, shape = path.read_bytes(), json.loads(row['shape'])
    if row['dtype'] != 'string':
        return sha(content)
    return digest_of_strings(strings_of(content, shape) if shape else [content])


def sha(content):
    return hashlib.sha256(content).hexdigest()


# ------------------------------------------------------------------------------- names and values

def parse_tsv(content):
    """The lines of tensors.tsv, by name, in their order."""
    head, *lines = content.decode('utf-8', 'surrogateescape').removesuffix('\n').split('\n')
    rows = [dict(zip(head.split('\t'), map(plain_cell, line.split('\t')), strict=True))
            for line in lines]
    return {row['name']: row for row in rows}


def plain_cell(cell):
    return re.sub(r'\\(.)', lambda m: {'t': '\t', 'n': '\n', '\\': '\\'}[m[1]], cell)


def key_of(path, object_based):
    """The key whose path below variables/ this is: the way back, spelled out piece by piece."""
    pieces = re.sub('%[+]/', '', path).split('/')
    if not object_based:
        folders = [piece.removesuffix('.d') for piece in pieces[:-1]]
        return '/'.join(map(unescape, [*folders, pieces[-1]]))
    tail = VALUE
    if pieces[-1].endswith('%'):
        pieces[-1], tail = pieces[-1][:-1], ''
    elif len(pieces) > 1 and pieces[-2].endswith('.attrs'):
        tail = f'/.ATTRIBUTES/{unescape(pieces.pop())}'
        pieces[-1] = pieces[-1].removesuffix('.attrs')
    key = []
    for piece in pieces:
        key.append(unescape(piece.removesuffix('.d').removesuffix('.slots')))
        key += ['.OPTIMIZER_SLOT'] * piece.endswith('.slots')
    return '/'.join(key) + tail


def unescape(piece):
    if piece == '%.':
        return ''
    return re.sub('%(00|25|2E)', lambda m: chr(int(m[1], 16)), piece)


def signatures_in(folder):
    """The signatures that are shown in a folder, by name."""
    return {re.sub('%(2F|25|00)', lambda m: chr(int(m[1], 16)), path.name.removesuffix('.json')):
            json.loads(path.read_text()) for path in folder.iterdir()}


def signatures_of(metagraph):
    """Those that are to be shown of a MetaGraphDef."""
    return {name: signature for name, signature in metagraph['signatures'].items()
            if name != '__saved_model_init_op'}


def strings_of(text, shape):
    """The elements of a string tensor, row-major, from the JSON that shows it."""
    def flat(value, rank):
        return [value] if rank == 0 else [e for part in value for e in flat(part, rank - 1)]
    return [base64.b64decode(e['base64']) if isinstance(e, dict) else e.encode()
            for e in flat(json.loads(text), len(shape))]


def digest_of_strings(strings):
    return sha(b''.join(len(s).to_bytes(8, 'little') + s for s in strings))


# ---------------------------------------------------------------------------------------- bundles

class Entry:
    """A BundleEntryProto; of its slices only whether there are any."""

    def __init__(self, message):
        fields = fields_of(message)
        self.dtype, self.shape = fields.get(1, 0), fields.get(2, b'')
        self.shard, self.offset = fields.get(3, 0), fields.get(4, 0)
        self.size, self.crc = fields.get(5, 0), fields.get(6)
        self.slices = 7 in fields


def shard_count(index):
    return fields_of(read_index(index)[b'']).get(1, 0)


def stored(prefix):
    """Key -> the bytes of its entry in the shards."""
    entries = {key: Entry(value) for key, value in read_index(f'{prefix}.index').items() if key}
    count = shard_count(f'{prefix}.index')
    shards = [Path(f'{prefix}.data-{i:05d}-of-{count:05d}').read_bytes() for i in range(count)]
    return {key: shards[e.shard][e.offset:e.offset + e.size] for key, e in entries.items()}


def write_bundle(prefix, tensors):
    """Writes a checkpoint of {NAME: (dtype, shape, bytes or Sparse)}; its prefix."""
    model, offset = Model(), 0
    model.entries = {}
    with open(f'{prefix}.data-00000-of-00001', 'wb') as shard:
        for name, (dtype, shape, content) in tensors.items():
            sparse = content if isinstance(content, Sparse) else Sparse(content)
            model.entries[name.encode()] = {'dtype': dtype, 'shape': shape, 'offset': offset,
                                            'size': sparse.size, 'crc': sparse.masked}
            shard.write(sparse.head)
            offset += sparse.size
            shard.seek(offset - len(sparse.tail))
            shard.write(sparse.tail)
    Path(f'{prefix}.index').write_bytes(model.table())
    return Path(prefix)


class Sparse:
    """Bytes with a long run of zeros in them, whose checksum needs no look at each of them."""

    def __init__(self, head, zeros=0, tail=b''):
        self.head, self.zeros, self.tail = head, zeros, tail
        self.size = len(head) + zeros + len(tail)

    def content(self):
        return self.head + bytes(self.zeros) + self.tail

    @functools.cached_property
    def masked(self):
        state = after_zeros(crc32c(self.head) ^ 0xffffffff, self.zeros)
        crc = crc32c_from(state, self.tail)
        return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def crc32c_from(state, data):
    """crc32c() that goes on: of a state s it is linear, and the checksum of data is at hand."""
    return crc32c(data) ^ after_zeros(state ^ 0xffffffff, len(data))


def after_zeros(state, n):
    """The state of a CRC after n zero bytes: a power of the matrix of one byte."""
    matrix = [1 << i - 8 if i >= 8 else step(1 << i) for i in range(32)]
    while n:
        if n & 1:
            state = times(matrix, state)
        matrix = [times(matrix, column) for column in matrix]
        n >>= 1
    return state


def step(state):
    for _ in range(8):
        state = state >> 1 ^ (0x82f63b78 if state & 1 else 0)
    return state


def times(matrix, vector):
    result = 0
    for i, column in enumerate(matrix):
        if vector >> i & 1:
            result ^= column
    return result
