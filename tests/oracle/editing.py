"""Edits of any tensor through a mount, in each way there is, and what TensorFlow must find."""

import base64
import json
import os

from models import digest_of_strings, parse_tsv, sha

TF_ONLY = '_CHECKPOINTABLE_OBJECT_GRAPH'
# Of these only some bits of a byte are the element's.
MASKS = {'bool': 0x01, 'int4': 0x0f, 'uint4': 0x0f, 'int2': 0x03, 'uint2': 0x03,
         'float4_e2m1fn': 0x0f}
STRINGS = [b'', b'plain', b'a\x00b', b'\xff\xfe not UTF-8', 'größer'.encode(), b'"quoted"\\',
           b'line\nline', b'x' * 5000]


def rows_of(m):
    return parse_tsv((m.path / 'tensors.tsv').read_bytes())


def editable(m, row):
    return bool((m.path / row['path']).stat().st_mode & 0o200)


def new_value(rng, row):
    """The bytes of a tensor, or the elements of one of strings: other ones, of other lengths."""
    if row['dtype'] != 'string':
        mask = MASKS.get(row['dtype'], 0xff)
        return bytes(byte & mask for byte in rng.randbytes(int(row['bytes'])))
    n = 1
    for dim in json.loads(row['shape']):
        n *= dim
    return [rng.choice(STRINGS) for _ in range(n)]


def text_of_strings(elements, shape):
    """As a file of a string tensor: a scalar is its bytes, any other JSON of its shape."""
    def nest(elements, shape):
        if not shape:
            return element(elements[0])
        step = len(elements) // shape[0] if shape[0] else 0
        return [nest(elements[i * step:][:step], shape[1:]) for i in range(shape[0])]

    def element(value):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {'base64': base64.b64encode(value).decode()}
    return json.dumps(nest(elements, shape)).encode() if shape else elements[0]


# ------------------------------------------------------------------------------------------- ways

def write_whole(path, content):
    path.write_bytes(content)


def write_in_place(path, content):
    """In pieces, which cross the borders of blocks and pages."""
    with open(path, 'r+b', buffering=0) as file:
        for offset in range(0, len(content), 5000):
            assert os.pwrite(file.fileno(), content[offset:offset + 5000], offset)


def write_npy(path, content):
    """Behind the header that is there."""
    before = path.read_bytes()
    path.write_bytes(before[:len(before) - len(content)] + content)


WAYS = ['whole', 'in place', 'npy', 'mixed']


def write(rng, m, row, way, value):
    path = m.path / row['path']
    if row['dtype'] == 'string':
        path.write_bytes(text_of_strings(value, json.loads(row['shape'])))
        return
    if way == 'mixed':
        way = rng.choice(WAYS[:3])
    if way == 'npy':
        relative = path.relative_to(m.path / 'variables')
        write_npy(m.path / 'npy' / f'{relative}.npy', value)
    else:
        {'whole': write_whole, 'in place': write_in_place}[way](path, value)


def edit_some(rng, m, way='mixed', share=0.5):
    """Gives about that share of the tensors (a hundred at most) new values: name -> value."""
    edited, rows = {}, rows_of(m)
    share = min(share, 100 / max(len(rows), 1)) if len(rows) > 1000 else share
    for name, row in rows.items():
        if name.endswith('/OBJECT_CONFIG_JSON'):  # others read that: it is no text of any kind
            continue
        if editable(m, row) and (rng.random() < share or not edited):
            edited[name] = new_value(rng, row)
            write(rng, m, row, way, edited[name])
    assert edited
    return edited


# ---------------------------------------------------------------------------------------- verdicts

def digest(value):
    dtype, _, content = value
    if dtype == 'string':
        return digest_of_strings(content)
    mask = MASKS.get(dtype, 0xff)
    return sha(bytes(byte & mask for byte in content) if mask != 0xff else content)


def prefix_of(model):
    return str(model / 'variables/variables' if model.is_dir() else model)


def check(tensorflow, model, target, edited):
    """TensorFlow reads what was written, and of all else what it wrote itself."""
    found = tensorflow.checkpoint(prefix_of(model))
    found.pop(TF_ONLY, None)
    assert found.keys() >= set(target.tensors)
    for name, (dtype, shape, content) in found.items():
        truth = target.tensors.get(name)
        if truth:
            assert (dtype, shape) == (truth['dtype'], truth['shape']), name
        if name in edited:
            assert content == edited[name], name
        elif truth:
            assert digest((dtype, shape, content)) == truth['sha256'], name
