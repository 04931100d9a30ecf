"""V1 checkpoints: TensorFlow's values, read-only."""

import errno
import json
import os
import shutil

import pytest

from models import V1_TARGETS, parse_tsv, value_digest
from mounting import DATA, FINDING, FINE, Mount, fails, weightctl


@pytest.fixture(params=V1_TARGETS, ids=repr)
def target(request):
    return request.param


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(DATA / 'v1', tmp_path / 'v1')
    return tmp_path


def argument(folder, target):
    """One of its files, as a pattern names it."""
    return sorted(folder.glob(target.argument))[0]


def test_all_values_are_what_tensorflow_reads(folder, target):
    with Mount(argument(folder, target)) as m:
        rows = parse_tsv((m.path / 'tensors.tsv').read_bytes())
        assert {name: (row['dtype'], row['shape'], value_digest(m.path / row['path'], row))
                for name, row in rows.items()} == \
            {name: (t['dtype'], str(t['shape']), t['sha256'])
             for name, t in target.tensors.items()}


def test_npy_has_the_same_bytes(folder, target):
    with Mount(argument(folder, target)) as m:
        for row in parse_tsv((m.path / 'tensors.tsv').read_bytes()).values():
            path = m.path / row['path'].replace('variables/', 'npy/', 1)
            if row['dtype'] != 'string':
                content = path.with_name(path.name + '.npy').read_bytes()
                assert content.endswith((m.path / row['path']).read_bytes())


def test_a_file_that_changed_since_is_not_read(folder, target):
    """The checksums that are in it would be right of another file, too."""
    with Mount(argument(folder, target)) as m:
        paths = [m.path / row['path'] for row in
                 parse_tsv((m.path / 'tensors.tsv').read_bytes()).values() if row['bytes'] != '0']
        for file in folder.rglob('*'):
            if file.is_file():
                os.utime(file, (0, 0))
        for path in paths:
            with fails(errno.ESTALE):
                path.read_bytes()


def test_nothing_can_be_edited_and_nothing_is_left_behind(folder, target):
    before = {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}
    with Mount(argument(folder, target)) as m:
        for row in parse_tsv((m.path / 'tensors.tsv').read_bytes()).values():
            with fails(errno.EROFS):
                (m.path / row['path']).open('r+b')
        assert json.loads((m.path / 'model.json').read_text())['format'] == 'v1 checkpoint'
    assert {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()} == before


def test_check_finds_a_flipped_bit(folder, target):
    path = argument(folder, target)
    assert weightctl('check', path).returncode == FINE
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    assert weightctl('check', path).returncode == FINDING
