"""The programs that people edit with, as they are: what each leaves in the model, to the byte.

A row of a table is a command line. In it T is the file of a tensor of `size` bytes, in a mount;
N is a file elsewhere with `size` other bytes, S one that is too short. What it leaves: NEW, the
bytes of N; OLD, what was there; or what a function makes of both.
"""

import os
import re

import pytest

from bundle import stored
from mounting import FINE, Mount, bash, wait_until

NEW, OLD = (lambda old, new: new), (lambda old, new: old)


def head(n):
    """The first n bytes are new ones."""
    return lambda old, new: new[:n] + old[n:]


def at(offset, content):
    return lambda old, new: old[:offset] + content + old[offset + len(content):]


def at_the_end(content):
    return lambda old, new: old[:-len(content)] + content


# What it does, the command line, what it leaves.
IN_PLACE = [
    ('cp', 'cp N T', NEW),
    ('cp -a', 'cp -a N T', NEW),
    ('cp -p', 'cp -p N T', NEW),
    ('cp --reflink=auto', 'cp --reflink=auto N T', NEW),
    ('cp --preserve=xattr', 'cp --preserve=xattr N T', NEW),
    ('cp --sparse=always', 'cp --sparse=always N T', NEW),
    ('cat', 'cat N > T', NEW),
    ('cat, by two', '{ head -c 1000 N; tail -c +1001 N; } > T', NEW),
    ('cat, by sh', "sh -c 'cat N > T'", NEW),
    ('dd', 'dd if=N of=T bs=4096 status=none', NEW),
    ('dd, a part', 'dd if=N of=T bs=100 count=3 conv=notrunc status=none', head(300)),
    ('dd, synced', 'dd if=N of=T bs=64k conv=notrunc,fsync status=none', NEW),
    ('dd, odd blocks, synced', 'dd if=N of=T bs=999 conv=fsync status=none', NEW),
    ('dd from a pipe', '{ head -c 5 N; tail -c +6 N; } | dd of=T bs=77 status=none', NEW),
    ('dd cuts where it begins', 'printf ABC | dd of=T bs=1 seek=$((SIZE - 3)) status=none',
     at_the_end(b'ABC')),
    ('dd with seek', 'printf ABC | dd of=T bs=1 seek=500 conv=notrunc status=none', at(500, b'ABC')),
    ('tee', 'tee T < N > /dev/null', NEW),
    ('truncate to its size', 'truncate -s "$SIZE" T', OLD),
    ('truncate and fill', 'truncate -s 0 N.empty && cp N T', NEW),
    ('rsync --inplace', 'rsync --inplace -c N T', NEW),
    ('install over it, by cat', 'install -m 644 /dev/stdin X < N && cat X > T', NEW),
    ('xxd -r', 'printf "10: 41 42 43" | xxd -r - T', at(16, b'ABC')),
    ('perl, r+', """perl -e 'open F, "+<", "T"; seek F, 8, 0; print F "xyz"; close F or die'""",
     at(8, b'xyz')),
    ('python write_bytes', "python3 -c 'from pathlib import Path as P; "
     "P(\"T\").write_bytes(P(\"N\").read_bytes())'", NEW),
    ('python copyfile', "python3 -c 'import shutil; shutil.copyfile(\"N\", \"T\")'", NEW),
    ('python mmap', "python3 -c 'import mmap; f = open(\"T\", \"r+b\"); m = mmap.mmap(f.fileno(), 0);"
     " m[100:103] = b\"ABC\"; m.flush()'", at(100, b'ABC')),
    ('numpy tofile', "python3 -c 'import numpy; numpy.fromfile(\"N\", \"u1\").tofile(\"T\")'", NEW),
    ('cp, too long: what fits is there', 'cat N S > L; ! cp L T', NEW),
    ('cat, too long', 'cat N S > L; ! cat L > T', NEW),
    ('dd, too long', 'cat N S > L; ! dd if=L of=T status=none', NEW),
    ('touch, chmod', 'touch T && touch -d 2001-01-01 T && chmod 600 T && chmod u+rw,go+r T', OLD),
    ('chown, chgrp', 'chown "$(id -u):$(id -g)" T && chgrp "$(id -g)" T', OLD),
]

# They fail, and say so; the model is as it was.
REFUSED = [
    ('cp, too short', 'cp S T', 'Invalid argument'),
    ('cat, too short', 'cat S > T', 'Invalid argument'),
    ('tee, too short', 'tee T < S', 'Invalid argument'),
    ('dd, too short', 'dd if=S of=T status=none', 'Invalid argument'),
    ('dd, too short, synced', 'dd if=S of=T conv=fsync status=none', 'Invalid argument'),
    ('dd cuts, and ends too early', 'dd if=S of=T bs=1 seek=50 status=none', 'Invalid argument'),
    ('sort -o, too short', 'sort -o T S', 'Invalid argument'),
    ('awk, too short', """awk 'BEGIN { print 1 > "T" }'""", 'Invalid argument'),
    ('truncate, shorter', 'truncate -s 10 T', 'Invalid argument'),
    ('truncate, longer', 'truncate -s +10 T', 'File too large'),
    ('a hard link', 'ln T D/another', 'Operation not permitted'),
    ('a pipe', 'mkfifo D/pipe', 'Operation not permitted'),
]

READING = [
    ('diff -r', 'cp -r D copy && diff -r D copy'),
    ('cmp', 'cp T copy && cmp T copy'),
    ('tar c', 'tar cf a.tar -C D . && mkdir out && tar xf a.tar -C out && diff -r D out'),
    ('rsync out', 'rsync -a D/ out/ && diff -r D out'),
    ('git diff', 'cp -r D copy && git diff --no-index --quiet D copy'),
    ('find', 'test "$(find D -name "$NAME" -size -2)" = T || find D -name "$NAME" | grep -q .'),
    ('md5sum', 'md5sum T > sums && md5sum -c --quiet sums'),
    ('grep', 'grep -c "" T > /dev/null || true'),
]


class Place:
    """A mounted model, one of its tensors, and what to put there."""

    def __init__(self, mounted, prefix, key, path, folder):
        self.mount, self.prefix, self.key, self.folder = mounted, prefix, key, folder
        self.file = mounted.file(path)
        self.before = stored(prefix)
        self.old = self.before[key]
        self.new = bytes(byte ^ 0x15 for byte in self.old)
        (folder / 'N').write_bytes(self.new)
        (folder / 'S').write_bytes(self.new[:10])

    def run(self, command):
        """Paths stand in variables, so that a letter in a command is nothing but that."""
        script = command
        for letter, path in (('T', self.file), ('D', self.file.parent), ('N', self.folder / 'N'),
                             ('S', self.folder / 'S')):
            script = replace_word(script, letter, os.fspath(path))
        return bash(script, cwd=self.folder, timeout=60,
                    env={**os.environ, 'LC_ALL': 'C', 'PATH': '/usr/bin:/bin', 'HOME': os.fspath(self.folder),
                         'SIZE': str(len(self.old)), 'NAME': self.file.name})

    def saved(self):
        """Saves and unmounts; all tensors as they are on disk."""
        code, said = self.mount.unmount()
        assert code == FINE, said
        return stored(self.prefix)


def replace_word(script, letter, path):
    return re.sub(rf'(?<![\w.]){letter}(?![\w.])(?=$|[\s/"\'|;)&>])', lambda _: path, script)


# A model, the prefix of its bundle, and a tensor: its key, which is its path; or the largest one.
PLACES = {
    'checkpoint': ('mlp_weights/mlp', None, None),
    'saved_model': ('mlp', 'variables/variables', None),
    'odd size': ('plain', None, 'bytes'),
}


@pytest.fixture(params=PLACES)
def place(request, copy_of, tmp_path):
    argument, below, tensor = PLACES[request.param]
    model = request.getfixturevalue('plain') if argument == 'plain' else copy_of(argument)
    folder = tmp_path / 'elsewhere'
    folder.mkdir()
    prefix = model / below if below else model
    with Mount(model) as mounted:
        key, path = (tensor, tensor) if tensor else a_tensor(mounted)
        yield Place(mounted, prefix, key.encode(), path, folder)


def a_tensor(mounted):
    """The largest tensor below 1 MB: its key, and its path below variables/."""
    rows = [line.split('\t') for line in
            (mounted.path / 'tensors.tsv').read_text().splitlines()[1:]]
    rows = [row for row in rows if int(row[3]) < 1_000_000]
    name, _, _, _, path, _ = max(rows, key=lambda row: int(row[3]))
    return name, path.removeprefix('variables/')


def rows(table):
    return pytest.mark.parametrize('row', table, ids=[row[0] for row in table])


def check_left(place, leaves):
    wanted = dict(place.before)
    wanted[place.key] = leaves(place.old, place.new)
    assert place.file.read_bytes() == wanted[place.key]
    assert place.saved() == wanted


@rows(IN_PLACE)
def test_in_place(place, row):
    _, command, leaves = row
    done = place.run(command)
    assert done.returncode == 0, done.stderr
    check_left(place, leaves)


@rows(REFUSED)
def test_refused(place, row):
    _, command, says = row
    done = place.run(command)
    assert done.returncode != 0
    assert says in done.stderr
    wait_until(lambda: place.file.read_bytes() == place.old, 'the old content is back')
    assert place.saved() == place.before


@rows(READING)
def test_reading(place, row):
    _, command = row
    done = place.run(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.saved() == place.before
