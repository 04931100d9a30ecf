"""The models that faults are injected into, made once; and what is in a model on disk.

Each edits the same few tensors, by roles: tiny (below a block), page (one block), pages (several),
bytes (an odd number). Beside each lie files of a user with names much like ours.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
DATA = TESTS / 'data'
sys.path.insert(0, os.fspath(TESTS))
import bundle  # noqa: E402
from bundle import FLOAT, INT32, STRING, UINT8, Entry, Sparse, slice_key  # noqa: E402

VALUE = '/.ATTRIBUTES/VARIABLE_VALUE'
ROLES = {'tiny': 20, 'page': 4096, 'pages': 16384, 'bytes': 10007}
KERAS = {'tiny': 'layer_with_weights-2/bias', 'page': 'optimizer/_variables/10',
         'pages': 'layer_with_weights-1/kernel', 'bytes': 'optimizer/_variables/5'}
WORD = b'a word or two'
COLUMNS = ((None, (0, 300)), (None, (300, 724)))  # slices of pages, where it is partitioned
LINKED = 1 << 20  # a file of that size is linked into the arena: no commit writes into a shard

# Names that a careless sweep would take for ours. PREFIX stands for the checkpoint's.
MINE = ('PREFIX.data-00000-of-00007.mine', 'PREFIX.data-00003-of-00009', 'PREFIX.tempstate123',
        'PREFIX_temp/part-00000', 'PREFIX.weightfs.txt', 'PREFIX.weightfs.old/data.0',
        'PREFIX.bak.txt', 'PREFIX.data-00000-of-00002.bak', 'PREFIX.data-00000-of-00002x',
        'PREFIX2.data-00000-of-00002', 'stage.0', 'stage.new', 'data.0', 'journal', 'journal.new')
# ... and in a folder that is given as -o workdir.
MINE_ELSEWHERE = ('notes.txt', 'data.csv', 'data.7', 'stage.0', 'stage.txt', 'journal.old')


class Kind:
    """One of the models: where it lies below the arena, and its tensors by role."""

    def __init__(self, name, keys=None, saved_model=False):
        self.name, self.saved_model = name, saved_model
        self.keys = {role: role for role in ROLES} if keys is None else keys
        self.argument = 'm' if saved_model else 'm/ckpt'
        self.prefix = 'm/variables/variables' if saved_model else 'm/ckpt'


WITH_WORD = {role: role for role in [*ROLES, 'word']}
KINDS = {kind.name: kind for kind in [
    Kind('small'), Kind('two'), Kind('crowd'), Kind('large'), Kind('sliced'), Kind('sliced-large'),
    Kind('strings', WITH_WORD), Kind('strings-large', WITH_WORD),
    Kind('saved', {role: key + VALUE for role, key in KERAS.items()}, saved_model=True),
    Kind('saved-large', saved_model=True),
]}


# ------------------------------------------------------------------------------------- making them

def noise(size, seed):
    """Bytes that look random and are never zero: zeros are what a lost write looks like."""
    state, out = seed * 2654435761 % 2**32, bytearray()
    while len(out) < size:
        state = (state * 1103515245 + 12345) % 2**31
        out += (state >> 8 & 0xffff | 0x0101).to_bytes(2, 'little')
    return bytes(b or 7 for b in out[:size])


def small_tensors(seed=0):
    return {'tiny': (INT32, (5,), noise(20, seed + 1)),
            'page': (FLOAT, (32, 32), noise(4096, seed + 2)),
            'pages': (FLOAT, (4, 1024), noise(16384, seed + 3)),
            'bytes': (UINT8, (10007,), noise(10007, seed + 4)),
            'empty': (FLOAT, (0, 3), b''), 'other': (FLOAT, (3, 100), noise(1200, seed + 5))}


def partition(content):
    """Those of the slices of pages: key -> (dtype, shape, bytes)."""
    rows = [content[at:at + 4096] for at in range(0, len(content), 4096)]
    return {slice_key(b'pages', part): (FLOAT, (4, part[1][1]), b''.join(
        row[4 * part[1][0]:4 * sum(part[1])] for row in rows)) for part in COLUMNS}


def put_together(tensors):
    """The other way, among the tensors of a bundle."""
    parts = [tensors.pop(slice_key(b'pages', part)) for part in COLUMNS]
    tensors[b'pages'] = b''.join(
        part[len(part) // 4 * row:len(part) // 4 * (row + 1)] for row in range(4)
        for part in parts)


def write_bundle(prefix, *shards, ballast=0):
    """A checkpoint, with so many MiB of zeros in each shard."""
    zeros = UINT8, (1 << 20,), Sparse(zeros=1 << 20)
    more = {}
    if slice_key(b'pages', COLUMNS[0]) in shards[0]:
        more[b'pages'] = {'dtype': FLOAT, 'shape': (4, 1024), 'slices': COLUMNS}
    bundle.write_bundle(prefix, *(tensors | {b'zeros/%02d' % k: zeros for k in range(ballast)}
                                  for tensors in shards), more=more)
    for path in prefix.parent.glob(f'{prefix.name}.*'):
        path.chmod(0o640)


def tensors_of(kind, seed=0):
    tensors = {k.encode(): t for k, t in small_tensors(seed).items()}
    if 'strings' in kind.name:
        tensors[b'word'] = STRING, (), [WORD]
    if 'sliced' in kind.name:
        tensors |= partition(tensors.pop(b'pages')[2])
    return tensors


def ballast_of(kind):
    return 65 if 'large' in kind.name else 0


def make_writers(kind, folder):
    """What somebody else saves to the same prefix: other values, in one data file."""
    folder.mkdir(parents=True)
    write_bundle(folder / 'w', tensors_of(kind, 100), ballast=ballast_of(kind))
    (folder / 'w.data-00000-of-00001').rename(folder / 'data')
    (folder / 'w.index').rename(folder / 'index')


def make_model(kind, folder):
    """Below the folder; what is there is never changed again."""
    prefix, tensors = folder / kind.prefix, tensors_of(kind)
    if kind.saved_model:
        shutil.copytree(DATA / 'mlp', folder / 'm')
    if kind.name == 'saved-large':
        for path in prefix.parent.iterdir():
            path.unlink()
    prefix.parent.mkdir(parents=True, exist_ok=True)
    if kind.name == 'two':
        write_bundle(prefix, {n: tensors[n] for n in (b'bytes', b'pages', b'empty')},
                     {n: tensors[n] for n in (b'tiny', b'page', b'other')})
    elif kind.name != 'saved':
        write_bundle(prefix, tensors, ballast=ballast_of(kind))
    add_mine(prefix)
    for name in MINE_ELSEWHERE:
        add_file(folder / 'elsewhere' / name)
    if kind.name == 'crowd':
        for name in ('00000-of-00002', '00001-of-00003'):
            Path(f'{prefix}.data-{name}').write_text('another save, or a part of it')


def add_mine(prefix):
    for name in MINE:
        add_file(prefix.parent / name.replace('PREFIX', prefix.name))


def add_file(path):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'{path.name}: not yours\n')


def copy_tree(source, target):
    """With times and modes; what is large becomes a link."""
    os.mkdir(target)
    with os.scandir(source) as entries:
        for entry in entries:
            to = os.path.join(target, entry.name)
            if entry.is_dir(follow_symlinks=False):
                copy_tree(entry.path, to)
            else:
                copy_file(entry.path, to)


def copy_file(source, target):
    if os.stat(source).st_size >= LINKED:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def digest(content):
    return hashlib.sha256(content).hexdigest()


# ------------------------------------------------------------------------------------ reading them

class OnDisk:
    """A bundle as it lies there: its tensors' bytes by key, and the names of its files.

    A shard that is the file `known` is not read: its tensors are those of `base`.
    """

    def __init__(self, prefix, base=None, known=()):
        entries = bundle.read_index(f'{prefix}.index')
        self.count = bundle.shards_in(entries)
        del entries[b'']
        self.names = [bundle.shard_name(prefix, i, self.count) for i in range(self.count)]
        self.prefix, self.opened = prefix, {}
        self.tensors = {}
        for key, value in entries.items():
            e = Entry(value)
            if self._shard(e.shard) in known and e.size == LINKED:
                self.tensors[key] = base[key]
            else:
                self.tensors[key] = os.pread(self.opened[e.shard][0], e.size, e.offset)
            assert len(self.tensors[key]) == e.size, f'{key}: the shard is too short'
        for fd, _ in self.opened.values():
            os.close(fd)
        if slice_key(b'pages', COLUMNS[0]) in self.tensors:
            put_together(self.tensors)

    def _shard(self, i):
        if i not in self.opened:
            fd = os.open(self.names[i], os.O_RDONLY)
            st = os.fstat(fd)
            self.opened[i] = fd, (st.st_ino, st.st_size, st.st_mtime_ns)
        return self.opened[i][1]
