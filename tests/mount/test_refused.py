"""Writes and saves that are refused: what they leave behind, and what is said."""

import contextlib
import errno
import itertools
import os
import re
import resource
import shutil
from pathlib import Path

import pytest

from mounting import (BUILD, CHANGED, FINE, NOT_MOUNTABLE, SANITIZED, SAVE_FAILED, Mount, assert_sound,
                      bash, cat, edit, fails, fill, wait_until, weightctl, weightfs, work_folders)

BIAS = 'layer_with_weights-0/bias'


def replace_all(folder):
    """Each file by a copy of itself."""
    for path in [path for path in folder.iterdir() if path.is_file()]:
        shutil.copy(path, folder / 'fresh')
        (folder / 'fresh').rename(path)


def test_a_write_to_a_model_that_was_replaced_leaves_nothing(copy_of):
    model = copy_of('mlp_weights/mlp')
    with Mount(model) as m:
        content = m.file(BIAS).read_bytes()
        replace_all(model.parent)
        with open(m.file(BIAS), 'r+b', buffering=0) as file, fails(errno.ESTALE):
            os.pwrite(file.fileno(), bytes(4), 0)
        assert 'changed since the mount' in m.log() and 'work folder' not in m.log()
        assert m.pending() == set() and work_folders(model) == []
        assert m.file(BIAS).read_bytes() == content
        assert m.unmount() == (FINE, '')


def test_a_write_without_space_is_no_edit(small_disk, copy_of):
    disk = small_disk(2000)
    model = shutil.copytree(copy_of('mlp_weights'), disk / 'mlp') / 'mlp'
    with Mount(model) as m:
        content = m.file(BIAS).read_bytes()
        fill(disk)
        os.truncate(disk / 'filler', (disk / 'filler').stat().st_size - 2 * 4096)
        with open(m.file(BIAS), 'r+b', buffering=0) as file, fails(errno.ENOSPC):
            os.pwrite(file.fileno(), bytes(4), 0)
        assert m.pending() == set() and m.file(BIAS).read_bytes() == content
        assert m.unmount() == (FINE, '')


def test_a_write_without_descriptors_is_refused_as_that(plain):
    """However many are left: the first one that is missing is another one each time."""
    with Mount(plain) as m:
        used = max(map(int, os.listdir(f'/proc/{m.pid}/fd'))) + 1
        limits = resource.prlimit(m.pid, resource.RLIMIT_NOFILE)
        for left in itertools.count():
            resource.prlimit(m.pid, resource.RLIMIT_NOFILE, (used + left, limits[1]))
            try:
                content = edit(m.file('tiny'))
                break
            except OSError as error:
                assert errno.errorcode[error.errno] == 'EMFILE'
        assert left > 2 and m.log().count('Too many open files') >= 1
        resource.prlimit(m.pid, resource.RLIMIT_NOFILE, limits)
    assert cat(plain, 'tiny') == content


# --------------------------------------------------------------------------------- limits (ulimit)

@contextlib.contextmanager
def limited(m, what, value):
    before = resource.prlimit(m.pid, what)
    resource.prlimit(m.pid, what, (value, before[1]))
    yield
    resource.prlimit(m.pid, what, before)


def address_space(m):
    return 1024 * int(re.search(r'VmSize:\s+(\d+) kB', Path(f'/proc/{m.pid}/status').read_text())[1])


def test_address_space_is_not_needed(large, large_tensors):
    """Neither the model nor what is written can be mapped; both are read and written."""
    with Mount(large) as m, limited(m, resource.RLIMIT_AS, address_space(m) + (24 << 20)):
        path = m.file('block/07')
        assert path.read_bytes() == large_tensors['block/07'][2].content()
        content = edit(path)
        path.write_bytes(content[::-1])
        assert path.read_bytes() == content[::-1]
        with open(m.file('block/08'), 'r+b', buffering=0) as file:
            os.pwrite(file.fileno(), b'part', 5000)
        part = m.file('block/08').read_bytes()
        assert m.unmount()[0] == FINE
    assert cat(large, 'block/07') == content[::-1] and cat(large, 'block/08') == part


@pytest.mark.skipif(SANITIZED, reason='the address sanitizer takes terabytes of address space')
@pytest.mark.parametrize('kib', range(10_000, 130_000, 10_000))
def test_too_little_address_space_is_told(plain, tmp_path, kib):
    (tmp_path / 'm').mkdir()
    done = bash(f'ulimit -v {kib}; exec {BUILD}/weightfs {plain} {tmp_path}/m')
    if done.returncode == FINE:
        assert weightfs('-u', tmp_path / 'm').returncode == FINE
    else:
        assert kib < 120_000 and not os.path.ismount(tmp_path / 'm')
        assert done.returncode == 127 or done.stderr


def test_a_limit_of_the_size_of_files(plain, plain_contents):
    with Mount(plain) as m:
        with limited(m, resource.RLIMIT_FSIZE, 100 << 10):
            with open(m.file('large'), 'r+b', buffering=0) as file, fails(errno.EFBIG):
                os.pwrite(file.fileno(), bytes(4096), 0)
            assert m.pending() == set()
            content = edit(m.file('tiny'))
            code, said = m.unmount()  # the data file would be larger
            assert code == SAVE_FAILED and 'File too large' in said
        assert m.file('large').read_bytes() == plain_contents['large']
    assert cat(plain, 'tiny') == content


def test_an_npy_that_cannot_be_begun_on_a_model_that_was_replaced_leaves_nothing(copy_of):
    model = copy_of('mlp_weights/mlp')
    with Mount(model) as m:
        path = m.path / f'npy/{BIAS}.npy'
        content = path.read_bytes()
        replace_all(model.parent)
        with open(path, 'r+b', buffering=0) as file, fails(errno.ESTALE):
            os.ftruncate(file.fileno(), len(content) - 4)
        assert 'changed since the mount' in m.log() and 'work folder' not in m.log()
        m.give_up()
    with Mount(model) as m:
        assert 'pending' not in m.said and work_folders(model) == []


# ------------------------------------------------------------------------- where the edits are then

def test_edits_whose_work_folder_is_gone_are_said_to_be_in_the_mount_only(copy_of):
    model = copy_of('mlp')
    with Mount(model) as m:
        content = edit(m.file(BIAS))
        shutil.rmtree(model)
        code, said = m.unmount()
        assert code == CHANGED and 'kept in' not in said
        assert 'NOT on disk' in said and 'only in this mount' in said
        assert m.file(BIAS).read_bytes() == content
        m.end('fusermount3 -u')
        assert 'the edits are lost' in m.full_log()


def test_who_cannot_save_to_a_changed_model_is_told_to_copy_the_edits_out(copy_of):
    model = copy_of('mlp')
    with Mount(model) as m:
        edit(m.file(BIAS))
        replace_all(model / 'variables')
        code, said = m.unmount()
        assert code == CHANGED and 'copy what you edited out of the mount' in said
        assert m.pending() == {f'variables/{BIAS}'}
        m.end('fusermount3 -u')
        assert 'put its old files back' in m.full_log()


# ------------------------------------------------------------------- work folders that are of no use

def test_a_copy_made_during_a_mount_says_how_to_get_on(copy_of, tmp_path):
    """The links of the copy follow the save of the original."""
    model, copy = copy_of('mlp'), tmp_path / 'copy'
    with Mount(model) as m:
        content = cat(model, BIAS)
        edit(m.file(BIAS))
        assert bash(f'cp -al {model} {copy}').returncode == 0
    (tmp_path / 'm').mkdir()
    for done in (weightfs(copy, tmp_path / 'm'), weightctl('recover', copy)):
        assert done.returncode == NOT_MOUNTABLE
        assert f'{copy}/.weightfs: ' in done.stderr and '-o ro' in done.stderr
        assert f"'weightctl discard {copy}'" in done.stderr
    assert weightctl('discard', copy).returncode == FINE
    assert work_folders(copy) == [] and cat(copy, BIAS) == content
    assert_sound(copy)


def make_huge(path):
    with open(path, 'wb') as file:
        file.truncate(3 << 30)


NO_JOURNALS = {'text': lambda path: path.write_text('mine, and no journal'), 'pipe': os.mkfifo,
               'folder': lambda path: (path / 'x').mkdir(parents=True), 'huge': make_huge,
               'link': lambda path: path.symlink_to('/dev/null')}


@pytest.mark.parametrize('what', NO_JOURNALS)
def test_a_work_folder_that_is_none_says_how_to_get_on(copy_of, tmp_path, what):
    model = copy_of('mlp')
    (model / '.weightfs').mkdir(0o700)
    NO_JOURNALS[what](model / '.weightfs/journal')
    (tmp_path / 'm').mkdir()
    for done in (weightfs(model, tmp_path / 'm'), weightctl('status', model)):
        assert done.returncode == NOT_MOUNTABLE
        assert f'{model}/.weightfs: journal' in done.stderr
        assert f"'weightctl discard {model}'" in done.stderr and '-o ro' in done.stderr
    assert weightctl('discard', model).returncode == FINE
    assert work_folders(model) == []


# -------------------------------------------------------------------------------- damage and absence

def test_the_new_name_of_a_missing_data_file_is_said(copy_of):
    model = copy_of('broken/shard-missing')
    with Mount(model) as m:
        content = edit(next(m.file('').rglob('b')))
        code, said = m.unmount()
        assert code == FINE
        assert 'model.data-00001-of-00002 is missing' in said
        assert 'called model.data-00001-of-00003 from now on' in said and said[18:] in m.full_log()
    assert cat(model, 'b') == content


def test_damage_in_the_way_says_what_helps(copy_of):
    with Mount(copy_of('broken/data-crc')) as m:
        edit(next(m.file('').rglob('b')))
        code, said = m.unmount()
        assert code == SAVE_FAILED and "'a': checksum mismatch" in said
        assert 'write all of it anew' in said and 'weightctl discard' in said
        assert weightctl('discard', m.path).returncode == FINE


# ---------------------------------------------------------------------------------------- full disks

@pytest.fixture
def full(small_disk, copy_of):
    """A model on a disk that is full."""
    disk = small_disk(3000)
    model = shutil.copytree(copy_of('mlp_weights'), disk / 'mlp') / 'mlp'
    with Mount(model) as m:
        edit(m.file(BIAS))
        fill(disk)
        yield m
        (disk / 'filler').unlink()


def test_a_sentence_is_not_said_over_and_over(full):
    with open(full.file('layer_with_weights-0/kernel'), 'r+b', buffering=0) as file:
        for _ in range(50):
            with fails(errno.ENOSPC):
                os.pwrite(file.fileno(), bytes(4096), 0)
    said = full.log().count('No space left')  # of the data, and then of the journal
    again = re.findall(r'the same again: (\d+) times?', full.log())
    assert said < 5 and said + sum(map(int, again)) == 50


@pytest.mark.parametrize('name', ['variables/layer_with_weights-0/kernel',
                                  'npy/layer_with_weights-0/kernel.npy'])
def test_a_draft_that_found_no_space_says_so(full, name):
    path = full.path / name
    content = path.read_bytes()
    with contextlib.suppress(OSError), open(path, 'wb', buffering=0) as file:
        with fails(errno.ENOSPC):
            file.write(content)
    dropped, = wait_until(lambda: full.status()['dropped'], 'the draft is dropped')
    assert 'No space left on device' in dropped['why']
    assert path.read_bytes() == content


# ---------------------------------------------------------------------------------------- attributes

@pytest.mark.parametrize('argument, name', [('mlp/variables/variables', BIAS),
                                            ('mlp_weights/mlp', BIAS)])
def test_attributes_of_the_files_are_kept(copy_of, argument, name):
    prefix = copy_of(argument)
    files = sorted(prefix.parent.glob(f'{prefix.name}.[id]*'))
    for path in files:
        try:
            os.setxattr(path, 'user.note', f'of {path.name}'.encode())
        except OSError as error:
            pytest.skip(f'no attributes in {path.parent}: {error.strerror}')
    with Mount(prefix) as m:
        edit(m.file(name))
    assert [os.getxattr(path, 'user.note').decode() for path in files] == \
        [f'of {path.name}' for path in files]
