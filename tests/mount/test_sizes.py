"""Very many tensors, folders, shards: what has no limit of its own is not limited by ours."""

import errno
import os
import resource
import struct

import pytest

from bundle import FLOAT, UINT8, write_bundle
from models import parse_tsv
from mounting import FINE, Mount, assert_sound, cat, fails, weightctl

SHARDS = 10_000


@pytest.fixture
def few_files():
    """For what is started meanwhile: 64 descriptors."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def many_shards(tmp_path):
    """A bundle of so many shards, with a tensor of 8 bytes in each."""
    return write_bundle(tmp_path / 'model', *({f't/{i:05d}': (FLOAT, (2,), struct.pack('<2f', i, -i))}
                                              for i in range(SHARDS)))


def test_ten_thousand_shards_need_no_descriptors(many_shards, few_files):
    with Mount(many_shards) as m:
        for i in range(SHARDS):
            assert m.file(f't/{i:05d}').read_bytes() == struct.pack('<2f', i, -i)
        m.file('t/00007').write_bytes(struct.pack('<2f', 1, 2))
    assert weightctl('check', many_shards).returncode == FINE
    assert cat(many_shards, 't/00007') == struct.pack('<2f', 1, 2)
    assert cat(many_shards, 't/09999') == struct.pack('<2f', 9999, -9999)


@pytest.mark.parametrize(('n', 'name'), [(100_000, 'flat/{}'), (30_000, '{}/w'),
                                         (10_000, 'deep/{0}/a/{0}/b/value')])
def test_very_many_tensors_are_listed(tmp_path, n, name):
    tensors = {name.format(i): (UINT8, (1,), bytes([i % 251])) for i in range(n)}
    with Mount(write_bundle(tmp_path / 'many', tensors)) as m:
        found = sum(len(files) for _, _, files in os.walk(m.path / 'variables'))
        assert found == n
        assert len(parse_tsv((m.path / 'tensors.tsv').read_bytes())) == n
        last = name.format(n - 1)
        assert m.file(last).read_bytes() == tensors[last][2]
        m.file(last).write_bytes(b'!')
    assert_sound(tmp_path / 'many')
    assert cat(tmp_path / 'many', last) == b'!'


def test_a_folder_can_be_listed_from_any_position_while_it_is_large(tmp_path):
    names = {f'{i:06d}' for i in range(20_000)}
    prefix = write_bundle(tmp_path / 'many', {n: (UINT8, (1,), b'x') for n in names})
    with Mount(prefix) as m, os.scandir(m.path / 'variables') as listing:
        seen = [next(listing).name for _ in range(5000)]
        assert set(os.listdir(m.path / 'variables')) == names
        seen += [entry.name for entry in listing]
        assert sorted(seen) == sorted(names)
        with fails(errno.ENOENT):
            m.file('020000').stat()
