"""Checksums of tensors: -o verify, `weightctl check` and its statistics; odd bundles."""

import errno
import math
import shutil
import struct

import pytest

from bundle import FLOAT, write_bundle
from mounting import DATA, FINDING, FINE, SAVE_FAILED, Mount, fails, weightctl

BROKEN = DATA / 'broken'
GOOD_A = struct.pack('<6f', 1, 2, 3, 4, 5, 6)


@pytest.fixture
def broken(tmp_path):
    def copy(name):
        shutil.copytree(BROKEN / name, tmp_path / name)
        return tmp_path / name / 'model'
    return copy


@pytest.mark.parametrize('path', ['variables/a', 'npy/a.npy'])
def test_a_damaged_tensor_is_an_error_at_its_first_open_only_with_verify(broken, path):
    model = broken('data-crc')
    with Mount(model) as m:
        (m.path / path).read_bytes()
    with Mount(model, 'verify') as m:
        for _ in range(2):
            with fails(errno.EIO):
                (m.path / path).open('rb')
        assert f'{path}: model.data-00000-of-00001 at offset 0: checksum mismatch' in m.full_log()
        assert m.file('b').read_bytes() == struct.pack('<3i', -1, 0, 1)


def test_each_slice_of_a_partitioned_variable_is_verified(broken):
    model = broken('slice-crc')
    where = 'slice 1: model.data-00000-of-00001 at offset 60: checksum mismatch'
    with Mount(model, 'verify') as m:
        with fails(errno.EIO):
            m.file('p').open('rb')
        assert f'variables/p: {where}' in m.log()
    assert weightctl('check', model).stdout.startswith(f"{model}: 'p': {where}")


def test_a_damaged_tensor_cannot_be_opened_for_an_update_but_written_over(broken):
    model = broken('data-crc')
    with Mount(model, 'verify') as m:
        with fails(errno.EIO):
            m.file('a').open('r+b')
        m.file('a').write_bytes(GOOD_A)
        assert m.file('a').read_bytes() == GOOD_A
    assert weightctl('check', model).returncode == FINE


def test_what_is_damaged_is_never_sealed_by_a_save(broken):
    model = broken('data-crc')
    with Mount(model) as m:
        m.file('b').write_bytes(bytes(12))
        code, said = m.unmount()
        assert code == SAVE_FAILED and "'a'" in said and 'checksum' in said
        m.file('a').write_bytes(GOOD_A)
    assert weightctl('check', model).returncode == FINE
    assert weightctl('cat', model, 'variables/b').stdout == '\0' * 12


def stats(model):
    """The table of `check --stats`: {name: (dtype, shape, nan, inf, min, max, mean)}."""
    done = weightctl('check', '--stats', model)
    lines = [line.split('\t') for line in done.stdout.splitlines()]
    assert lines[0] == ['name', 'dtype', 'shape', 'nan', 'inf', 'min', 'max', 'mean']
    assert done.returncode == FINE
    return {line[0]: tuple(line[1:]) for line in lines[1:]}


def test_statistics_of_floats(tmp_path):
    values = [math.nan, math.inf, -math.inf, 0.1, -2.5, 4.0, math.nan]
    prefix = write_bundle(tmp_path / 'x', {'x': (FLOAT, (7,), struct.pack('<7f', *values))})
    assert stats(prefix)['x'] == ('float32', '[7]', '2', '2', '-2.5', '4.0',
                                  '0.5333333338300387')


def test_statistics_go_over_slices_and_leave_out_what_has_no_numbers():
    found = stats(BROKEN / 'valid/model')
    assert found == {
        'a': ('float32', '[2, 3]', '0', '0', '1.0', '6.0', '3.5'),
        'b': ('int32', '[3]', '0', '0', '-1', '1', '0.0'),
        'p': ('float32', '[4, 2]', '0', '0', '0.0', '3.0', '1.5'),
        's': ('string', '[2]', '-', '-', '-', '-', '-'),
    }


def test_the_statistics_of_big_endian_numbers_are_theirs():
    assert stats(BROKEN / 'big-endian/model')['a'][2:] == ('0', '0', '1.0', '6.0', '3.5')


def test_a_big_endian_bundle_is_shown_little_endian_and_read_only(broken):
    with Mount(broken('big-endian')) as m:
        assert m.file('a').read_bytes() == GOOD_A
        assert m.file('b').read_bytes() == struct.pack('<3i', -1, 0, 1)
        assert m.file('c').read_bytes() == struct.pack('<2f', 1, -2)
        assert m.file('s').read_text() == '["ab", ""]\n'
        assert (m.path / 'npy/a.npy').read_bytes()[128:] == GOOD_A
        with fails(errno.EROFS):
            m.file('a').open('r+b')


def test_a_dtype_of_the_future_is_raw_and_read_only_and_kept_by_a_save(broken):
    model = broken('dtype-34')
    with Mount(model) as m:
        assert m.file('future').read_bytes() == b'12345'
        assert b'future\tdtype-34\t[2]\t5\t' in (m.path / 'tensors.tsv').read_bytes()
        assert not (m.path / 'npy/future.npy').exists()
        with fails(errno.EPERM):
            m.file('future').open('r+b')
        m.file('b').write_bytes(bytes(12))
    with Mount(model) as m:
        assert m.file('future').read_bytes() == b'12345'


def test_a_fault_is_found_with_statistics_too(broken):
    done = weightctl('check', '--stats', broken('data-crc'))
    assert done.returncode == FINDING and 'checksum mismatch' in done.stdout
