"""What is in the test models: the truth about them."""

import base64
import hashlib
import json
import re

from mounting import DATA

VALUE = '/.ATTRIBUTES/VARIABLE_VALUE'


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
