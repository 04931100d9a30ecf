#!/usr/bin/env python3
"""Makes broken models, one folder each, named for the one thing that is wrong with it.

    make_broken.py [--out DIR]

Into DIR (by default broken/ beside this script) go NAME/model.index with its shards, or
NAME/saved_model.pb, and expect.json:

    {NAME: {"outcome": ..., "variables": [...], "why": ...}}

    refused   nothing in it can be trusted: no mount, exit 3; `check` exits 1
    damaged   it mounts, but these `variables` are EIO, all others are fine; `check` exits 1
    finding   it mounts and reads without an error; only `check` sees it, and exits 1
    fine      nothing is wrong: the model that all the others are made from

Every checksum is right, except where it is the defect.
"""

import argparse
import json
import os
import shutil
import struct
import sys
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).resolve().parent.parent))
from bundle import (COMPLEX64, FLOAT, GRAPH, INT32, MAGIC, RESOURCE, STRING, Bundle,  # noqa: E402
                    block, header_of, masked, message, number, slice_key, strings_of, varint)

BROKEN = []


class Model(Bundle):
    """A small valid checkpoint."""

    def __init__(self):
        super().__init__()
        self.add(b'a', FLOAT, (2, 3), struct.pack('<6f', 1, 2, 3, 4, 5, 6))
        self.add(b'b', INT32, (3,), struct.pack('<3i', -1, 0, 1))
        self.add(b's', STRING, (2,), *strings_of([b'ab', b'']))
        self.partition([((0, 2), None), ((2, 2), None)])

    def partition(self, slices):
        """The variable p, of shape (4, 2), in slices of its rows."""
        for key in [k for k in self.entries if k.startswith(b'\x00')]:
            del self.entries[key]
        self.entries[b'p'] = {'dtype': FLOAT, 'shape': (4, 2), 'slices': slices}
        for part in slices:
            rows = max(part[0][1], 0)
            self.add(slice_key(b'p', part), FLOAT, (rows, 2), struct.pack(f'<{rows * 2}f',
                                                                          *range(rows * 2)))


def broken(outcome, *variables):
    """Registers a function that breaks a Model; its docstring says what is wrong."""
    def register(function):
        name = function.__name__.replace('_', '-')
        BROKEN.append((name, function, {'outcome': outcome, 'variables': list(variables),
                                        'why': function.__doc__}))
        return function
    return register


@broken('fine')
def big_endian(model):
    """Written by a machine of the other byte order: its numbers are stored so, strings' lengths too."""
    model.header = number(1, 1) + number(2, 1) + message(3, number(1, 1))
    model.shards = [b'']
    model.entries = {}
    model.add(b'a', FLOAT, (2, 3), struct.pack('>6f', 1, 2, 3, 4, 5, 6))
    model.add(b'b', INT32, (3,), struct.pack('>3i', -1, 0, 1))
    model.add(b'c', COMPLEX64, (1,), struct.pack('>2f', 1, -2))
    model.add(b's', STRING, (2,), *strings_of([b'ab', b''], '>'))


@broken('fine')
def dtype_34(model):
    """A variable of a dtype that does not exist yet: 5 bytes of something."""
    model.add(b'future', 34, (2,), b'12345')


# --------------------------------------------------------------------------------------- the table

@broken('fine')
def valid(model):
    """Nothing is wrong with this one."""


@broken('refused')
def empty_file(model):
    """The index is an empty file."""
    model.files['model.index'] = b''


@broken('refused')
def index_too_short(model):
    """The index is one byte shorter than a footer."""
    model.files['model.index'] = model.table()[-47:]


@broken('refused')
def index_truncated(model):
    """The last 20 bytes of the index are missing, and so the magic number."""
    model.files['model.index'] = model.table()[:-20]


@broken('refused')
def index_head_missing(model):
    """The first 16 bytes of the index are missing: the footer is whole, its handles are not."""
    model.files['model.index'] = model.table()[16:]


@broken('refused')
def index_bad_magic(model):
    """The last byte of the magic number is another."""
    model.magic = MAGIC[:-1] + b'\xda'


@broken('refused')
def index_handle_past_end(model):
    """The footer puts the index block behind the end of the file."""
    model.index_handle = (1 << 20, 20)


@broken('refused')
def index_handle_size_huge(model):
    """The footer gives the index block 2^40 bytes."""
    model.index_handle = (0, 1 << 40)


@broken('refused')
def index_handle_wraps(model):
    """Offset and size of the index block add up to 16 in 64 bits."""
    model.index_handle = ((1 << 64) - 16, 32)


@broken('refused')
def index_handle_varint_11_bytes(model):
    """The first varint of the footer takes 11 bytes."""
    table = model.table()
    model.files['model.index'] = table[:-48] + (b'\xff' * 10 + b'\x01').ljust(40, b'\0') + MAGIC


@broken('refused')
def block_handle_past_end(model):
    """The index block puts the data block behind the end of the file."""
    model.handle = (1 << 20, 200)


@broken('refused')
def block_handle_wraps(model):
    """Offset and size of the data block add up to 16 in 64 bits."""
    model.handle = ((1 << 64) - 16, 32)


@broken('refused')
def index_block_crc(model):
    """One bit of the data block's checksum is flipped."""
    model.flip = 1


@broken('refused')
def index_block_type_7(model):
    """The data block is of the type 7; there are 0 and 1."""
    model.kind = 7


@broken('refused')
def block_too_short(model):
    """The data block has 3 bytes: no room for the number of restarts."""
    model.contents = b'\0\0\0'


@broken('refused')
def restart_count_too_large(model):
    """The data block has 2^30 restarts: times 4 that is 0 in 32 bits."""
    model.contents = block(model.all_pairs())[:-4] + struct.pack('<I', 1 << 30)


@broken('refused')
def restart_offset_past_end(model):
    """The only restart of the data block lies behind its end."""
    model.contents = block(model.all_pairs())[:-8] + struct.pack('<II', 1 << 20, 1)


@broken('refused')
def shared_longer_than_key(model):
    """A key shares 100 bytes with the one before it, which has one."""
    more = varint(100) + varint(1) + varint(0) + b'x'
    model.contents = insert(block(model.all_pairs()), more)


@broken('refused')
def non_shared_past_end(model):
    """A key's own part is 1,000 bytes long, and the block ends before that."""
    more = varint(0) + varint(1000) + varint(0) + b'x'
    model.contents = insert(block(model.all_pairs()), more)


@broken('refused')
def value_past_end(model):
    """A value is 1,000 bytes long, and the block ends before that."""
    more = varint(0) + varint(1) + varint(1000) + b'x'
    model.contents = insert(block(model.all_pairs()), more)


@broken('refused')
def key_and_value_wrap(model):
    """The lengths of a key's own part and of its value add up to 1 in 32 bits."""
    more = varint(0) + varint(0xffffffff) + varint(2) + b'x'
    model.contents = insert(block(model.all_pairs()), more)


@broken('refused')
def varint_11_bytes(model):
    """The length of a value is a varint of 11 bytes."""
    more = varint(0) + varint(1) + b'\x80' * 10 + b'\x00' + b'x'
    model.contents = insert(block(model.all_pairs()), more)


def insert(contents, more):
    """An entry behind the last one of a block with one restart."""
    return contents[:-8] + more + contents[-8:]


@broken('refused')
def snappy_bomb(model):
    """A compressed block of a few bytes says that it unpacks to 4 GiB."""
    model.kind, model.contents = 1, varint(0xffffffff) + b'\x00x' + b'\xfe\x01\x00' * 4


@broken('refused')
def snappy_corrupt(model):
    """A compressed block copies from before its beginning."""
    plain = block(model.all_pairs())
    model.kind, model.contents = 1, varint(len(plain)) + b'\x00x' + b'\xfe\xff\x7f' * 4


@broken('refused')
def snappy_short(model):
    """A compressed block unpacks to one byte less than it says."""
    plain = block(model.all_pairs())
    model.kind = 1
    model.contents = varint(len(plain) + 1) + b'\xf4' + struct.pack('<H', len(plain) - 1) + plain


@broken('refused')
def keys_unsorted(model):
    """Two keys stand in the wrong order."""
    pairs = model.all_pairs()
    model.pairs = pairs[:-2] + pairs[:-3:-1]


@broken('refused')
def keys_duplicate(model):
    """The last key comes twice."""
    model.pairs = model.all_pairs() + model.all_pairs()[-1:]


# -------------------------------------------------------------------------------------- the header

@broken('refused')
def header_missing(model):
    """The first key is not the empty one of the header."""
    model.pairs = model.all_pairs()[1:]


@broken('refused')
def header_not_a_proto(model):
    """The header ends within a field."""
    model.header = b'\x08\x01\x1a\x7f\x08\x01'


@broken('refused')
def header_min_consumer_2(model):
    """The header wants a reader of a later version."""
    model.header = number(1, 1) + message(3, number(1, 2) + number(2, 2))


@broken('refused')
def header_bad_consumer_1(model):
    """The header excludes readers of version 1, which is ours."""
    model.header = number(1, 1) + message(3, number(1, 1) + message(3, b'\x01'))


@broken('refused')
def header_shards_negative(model):
    """The header counts -1 shards."""
    model.header = number(1, -1) + message(3, number(1, 1))


# ------------------------------------------------------------------------------------- the entries

@broken('damaged', 'a')
def entry_not_a_proto(model):
    """An entry ends within a field."""
    model.entries[b'a'] = b'\x08\x01\x12\x7f'


@broken('damaged', 'a')
def entry_empty(model):
    """An entry has no fields at all, so its dtype is 0."""
    model.entries[b'a'] = b''


@broken('damaged', 'a')
def dtype_resource(model):
    """A variable is of a dtype that cannot be stored."""
    model.entries[b'a']['dtype'] = RESOURCE


@broken('damaged', 'a')
def dim_negative(model):
    """A dimension is -1."""
    model.entries[b'a']['shape'] = (-1, 3)


@broken('damaged', 'a')
def dims_255(model):
    """A shape has 255 dimensions; TensorFlow takes 254."""
    model.entries[b'a']['shape'] = (1,) * 253 + (2, 3)


@broken('damaged', 'a')
def dims_overflow(model):
    """The product of the dimensions is 6 in 64 bits."""
    model.entries[b'a']['shape'] = (9, 0x5555555555555556)


@broken('damaged', 'a')
def bytes_overflow(model):
    """The elements can be counted in 64 bits, their bytes cannot: they are 24."""
    model.entries[b'a']['shape'] = ((1 << 62) + 6,)


@broken('damaged', 'a')
def size_mismatch(model):
    """The entry has 20 bytes, dtype and shape make 24."""
    model.entries[b'a']['size'] = 20


@broken('damaged', 'a')
def size_negative(model):
    """The entry has -24 bytes."""
    model.entries[b'a']['size'] = -24


@broken('damaged', 'a')
def offset_negative(model):
    """The entry begins 8 bytes before its shard."""
    model.entries[b'a']['offset'] = -8


@broken('damaged', 'a')
def offset_wraps(model):
    """Offset and size of the entry add up beyond 2^63."""
    model.entries[b'a']['offset'] = (1 << 63) - 9


# ---------------------------------------------------------------------------------------- the data

@broken('damaged', 'a')
def shard_id_out_of_range(model):
    """An entry names shard 5; there is one."""
    model.entries[b'a']['shard'] = 5


@broken('damaged', 'a')
def shard_id_negative(model):
    """An entry names shard -1."""
    model.entries[b'a']['shard'] = -1


@broken('damaged', 'c')
def shard_missing(model):
    """The second of two shards is not there."""
    model.header = header_of(2)
    model.shards.append(b'')
    model.add(b'c', FLOAT, (1,), struct.pack('<f', 1), shard=1)
    model.files['model.data-00001-of-00002'] = None


@broken('damaged', 'p')
def shard_truncated(model):
    """The shard ends 4 bytes early, within a variable's last slice."""
    model.shards[0] = model.shards[0][:-4]


@broken('damaged', 'a', 'b', 'p', 's')
def shard_empty(model):
    """The shard is an empty file."""
    model.shards[0] = b''


@broken('finding', 'a')
def data_crc(model):
    """A byte of a numeric variable is not the one that was saved."""
    model.shards[0] = b'\x01' + model.shards[0][1:]


@broken('finding', 'p')
def slice_crc(model):
    """A byte of a partitioned variable's last slice is not the one that was saved."""
    model.shards[0] = model.shards[0][:-1] + b'\x7f'


@broken('damaged', 's')
def string_lengths_past_end(model):
    """A string's length runs past the end of its tensor."""
    replace_strings(model, b'\xff\x7f' + strings_of([b'ab', b''])[0][1:-1])


@broken('damaged', 's')
def string_lengths_crc(model):
    """The checksum of the lengths of strings is wrong; the one of the whole tensor is right."""
    lengths, content = struct.pack('<2I', 2, 0), b'ab'
    wrong = struct.pack('<I', masked(lengths) ^ 1)
    replace_strings(model, b'\x02\x00' + wrong + content, masked(lengths + wrong + content))


@broken('damaged', 's')
def string_varint_11_bytes(model):
    """A string's length is a varint of 11 bytes."""
    replace_strings(model, b'\x80' * 10 + b'\x00\x00' + b'crc?ab')


@broken('damaged', 's')
def string_crc(model):
    """A byte of a string is not the one that was saved; the lengths are right."""
    content, crc = strings_of([b'ab', b''])
    replace_strings(model, content[:-1] + b'c', crc)


@broken('damaged', 's')
def string_size_too_small(model):
    """A tensor of 2^40 strings has 8 bytes."""
    model.entries[b's']['shape'] = (1 << 40,)


def replace_strings(model, content, crc=0):
    model.add(b's', STRING, (2,), content, crc)


# -------------------------------------------------------------------------------------- the slices

@broken('damaged', 'p')
def slice_missing_entry(model):
    """A slice that the variable lists has no entry of its own."""
    del model.entries[slice_key(b'p', ((2, 2), None))]


@broken('damaged', 'p')
def slice_overlap(model):
    """Two slices overlap in two rows."""
    model.partition([((0, 3), None), ((1, 3), None)])


@broken('damaged', 'p')
def slice_twice(model):
    """The same slice is listed twice, another one not at all."""
    model.partition([((0, 2), None), ((0, 2), None)])


@broken('damaged', 'p')
def slice_not_covering(model):
    """No slice holds the third row."""
    model.partition([((0, 2), None), ((3, 1), None)])


@broken('damaged', 'p')
def slice_negative(model):
    """A slice begins at row -1."""
    model.partition([((-1, 3), None), ((2, 2), None)])


@broken('damaged', 'p')
def slice_length_negative(model):
    """A slice has -2 rows, by an extent that does have a length."""
    model.partition([((0, 4), None), ((2, -2), None)])


@broken('damaged', 'p')
def slice_outside(model):
    """A slice ends one row behind the variable."""
    model.partition([((0, 2), None), ((2, 3), None)])


@broken('damaged', 'p')
def slice_wraps(model):
    """A slice's start and length add up beyond 2^63."""
    wraps = ((2, (1 << 63) - 1), None)
    model.entries[b'p']['slices'] = [((0, 2), None), wraps]
    model.entries[slice_key(b'p', wraps)] = model.entries.pop(slice_key(b'p', ((2, 2), None)))


@broken('damaged', 'p')
def slice_wrong_rank(model):
    """A slice of one dimension in a variable of two."""
    model.partition([((0, 2),), ((2, 2),)])


@broken('damaged', 'p')
def slice_wrong_shape(model):
    """A slice's own entry has one row, the slice has two."""
    model.add(slice_key(b'p', ((2, 2), None)), FLOAT, (1, 2), struct.pack('<2f', 1, 2))


@broken('damaged', 'p')
def slice_wrong_dtype(model):
    """A slice's own entry has another dtype than the variable."""
    model.entries[slice_key(b'p', ((2, 2), None))]['dtype'] = INT32


# ------------------------------------------------------------------- the object graph, saved models

@broken('damaged', GRAPH.decode())
def graph_not_a_proto(model):
    """The object graph ends within a field; the variables do not need it."""
    model.add(GRAPH, STRING, (), *strings_of([b'\x0a\x7f\x0a']))


@broken('damaged', GRAPH.decode())
def graph_child_out_of_range(model):
    """An edge of the object graph leads to a node that does not exist."""
    child = message(1, number(1, 1000) + message(2, b'net'))
    model.add(GRAPH, STRING, (), *strings_of([message(1, child)]))


@broken('damaged', GRAPH.decode())
def graph_child_negative(model):
    """An edge of the object graph leads to node -1."""
    child = message(1, number(1, -1) + message(2, b'net'))
    model.add(GRAPH, STRING, (), *strings_of([message(1, child)]))


@broken('damaged', GRAPH.decode())
def nested_group_bomb(model):
    """The object graph holds 20,000 groups, one within the other."""
    depth = 20000
    model.add(GRAPH, STRING, (), *strings_of([b'\x5b' * depth + b'\x5c' * depth]))


@broken('refused')
def nested_proto_bomb(model):
    """In a signature of saved_model.pb a list holds a list, and so on, 10,000 times."""
    value = b''
    for _ in range(10000):
        value = message(51, message(1, value))
    tensor = message(5, message(1, message(2, value)))
    signature = message(1, message(1, b'x') + message(2, tensor))
    saved_model(model, message(5, message(1, b'serving_default') + message(2, signature)))


@broken('refused')
def saved_model_not_a_proto(model):
    """saved_model.pb ends within a field."""
    saved_model(model, message(1, message(4, b'serve')))
    model.files['saved_model.pb'] = model.files['saved_model.pb'][:-3]


@broken('refused')
def saved_model_without_graph(model):
    """saved_model.pb has no MetaGraphDef."""
    saved_model(model, b'')
    model.files['saved_model.pb'] = number(1, 1)


def saved_model(model, fields):
    files = {'model.index': None, 'model.data-00000-of-00001': None}
    graph = message(1, message(4, b'serve')) + fields
    model.files = {**files, 'saved_model.pb': number(1, 1) + message(2, graph)}


def main():
    parser = argparse.ArgumentParser(description='Makes the broken test models.')
    parser.add_argument('--out', type=Path, default=Path(__file__).parent / 'broken',
                        metavar='DIR')
    out = parser.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    for name, function, _ in BROKEN:
        model = Model()
        function(model)
        model.write(out / name)
    expect = ',\n'.join(f' {json.dumps(name)}: {json.dumps(what)}' for name, _, what in BROKEN)
    (out / 'expect.json').write_text('{\n' + expect + '\n}\n')


if __name__ == '__main__':
    main()
