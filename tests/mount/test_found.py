"""What people have, and what they are told of it: files that are missing, unreadable, or cut short."""

import errno
import os
import re
import shutil
import struct
import tempfile
from pathlib import Path

import pytest

from bundle import FLOAT, write_bundle
from mounting import (BUILD, DATA, FINDING, FINE, NOT_MOUNTABLE, Mount, assert_sound, cat, edit,
                      fails, run, weightctl, weightfs)

ONE = struct.pack('<3f', 1, 2, 3)


def write_one(prefix):
    """A checkpoint of one variable, a = [1, 2, 3]."""
    return write_bundle(prefix, {'a': (FLOAT, (3,), ONE)})


def said_of(model, tmp_path):
    """The sentence with which a model is refused."""
    (tmp_path / 'm').mkdir(exist_ok=True)
    done = weightfs(model, tmp_path / 'm')
    assert done.returncode == NOT_MOUNTABLE and len(done.stderr.splitlines()) == 1
    return done.stderr


def test_what_was_found_instead_is_listed_in_the_order_of_people(tmp_path):
    for name in ('10', '2', '1', 'notes.txt'):
        (tmp_path / 'served' / name).mkdir(parents=True)
    assert 'found: 1, 2, 10, notes.txt\n' in said_of(tmp_path / 'served', tmp_path)


@pytest.mark.parametrize('argument', ['net', 'net/', 'net.index'])
def test_a_folder_that_is_no_model_hides_no_checkpoint_of_its_name(tmp_path, argument):
    write_one(tmp_path / 'net')
    (tmp_path / 'net').mkdir()
    (tmp_path / 'net/notes.txt').write_text('notes')
    with Mount(f'{tmp_path}/{argument}') as m:
        m.file('a').write_bytes(ONE[::-1])
    assert cat(tmp_path / 'net.index', 'a') == ONE[::-1]
    assert sorted(os.listdir(tmp_path)) == ['net', 'net.data-00000-of-00001', 'net.index']
    assert os.listdir(tmp_path / 'net') == ['notes.txt']


def test_a_folder_that_is_a_model_wins_over_a_checkpoint_beside_it(tmp_path):
    write_one(tmp_path / 'full')
    (tmp_path / 'full').mkdir()
    write_bundle(tmp_path / 'full/inner', {'b': (FLOAT, (3,), ONE)})
    assert weightctl('ls', tmp_path / 'full').stdout == 'variables/b\n'


NAMELESS = ['', '/', '/.index', '/.data-00000-of-00001', '/checkpoint']


@pytest.fixture
def nameless(tmp_path):
    """What save_weights("weights/") leaves: the last part of its prefix is empty."""
    (tmp_path / 'weights').mkdir()
    write_one(f'{tmp_path}/weights/')
    (tmp_path / 'weights/checkpoint').write_text('model_checkpoint_path: "."')
    return tmp_path / 'weights'


@pytest.mark.parametrize('argument', NAMELESS)
def test_a_checkpoint_without_a_name_is_mounted_and_saved(nameless, argument):
    with Mount(f'{nameless}{argument}', 'backup') as m:
        assert m.file('a').read_bytes() == ONE
        m.file('a').write_bytes(ONE[::-1])
        assert (nameless / '.index.weightfs').is_dir()
        m.commit()
    assert sorted(os.listdir(nameless)) == [
        '.bak.by-weightfs', '.bak.data-00000-of-00001', '.bak.index', '.data-00000-of-00001',
        '.index', 'checkpoint']
    assert cat(f'{nameless}{argument}', 'a') == ONE[::-1]
    assert cat(nameless / '.bak', 'a') == ONE


def test_edits_of_a_checkpoint_without_a_name_and_of_a_saved_model_there_are_apart(copy_of):
    folder = copy_of('mlp')
    write_one(f'{folder}/')
    with Mount(folder) as model, Mount(folder / '.index') as checkpoint:
        checkpoint.file('a').write_bytes(ONE[::-1])
        edit(model.file('layer_with_weights-0/bias'))
        model.commit()
    assert cat(folder / '.index', 'a') == ONE[::-1]
    assert_sound(folder)


@pytest.mark.parametrize('name', ['mlp', 'novars', 'tf1', 'multi'])
def test_a_saved_model_without_its_variables_is_shown_and_not_edited(copy_of, name):
    """TensorFlow loads none of them: what it looks for first is the index."""
    model = copy_of(name)
    shutil.rmtree(model / 'variables')
    missing = 'variables/variables.index is missing'
    with Mount(model) as m:
        assert list((m.path / 'signatures').iterdir()) and missing in m.said
        assert 'read-only: its variables are missing' in m.said
        with fails(errno.EROFS):
            (m.path / 'new').touch()
    done = weightctl('check', model)
    assert done.returncode == FINDING and done.stdout.startswith(f'{model}: {missing}: ')


def test_a_saved_model_that_has_no_variables_misses_none():
    done = weightctl('check', DATA / 'novars_tf1')
    assert (done.returncode, done.stdout) == (FINE, '')


INDEX, SHARD = 'variables/variables.index', 'variables/variables.data-00000-of-00001'
POINTER = f'version https://git-lfs.github.com/spec/v1\noid sha256:{"0" * 64}\nsize 660620\n'
NOT_FETCHED = 'a Git LFS pointer; the file itself was not fetched: run git lfs pull\n'


@pytest.mark.parametrize('files, named', [
    (['saved_model.pb', INDEX, SHARD], 'saved_model.pb'), (['saved_model.pb'], 'saved_model.pb'),
    ([INDEX], INDEX)])
def test_a_model_that_git_lfs_did_not_fetch_is_refused_as_that(copy_of, tmp_path, files, named):
    model = copy_of('mlp')
    for name in files:
        (model / name).write_text(POINTER)
    assert said_of(model, tmp_path) == f'weightfs: {named}: {NOT_FETCHED}'
    done = weightctl('check', model)
    assert (done.returncode, done.stdout) == (FINDING, f'{named}: {NOT_FETCHED}')


@pytest.mark.parametrize('name', ['old.ckpt', 'net.h5'])
def test_a_file_that_git_lfs_did_not_fetch_is_refused_as_that(tmp_path, name):
    (tmp_path / name).write_text(POINTER)
    assert said_of(tmp_path / name, tmp_path) == f'weightfs: {tmp_path / name}: {NOT_FETCHED}'


def test_the_variables_in_a_data_file_that_git_lfs_did_not_fetch_cannot_be_read(copy_of):
    model = copy_of('mlp')
    (model / SHARD).write_text(POINTER)
    with Mount(model) as m:
        assert (m.path / 'signatures/serving_default.json').exists()
        with fails(errno.EIO):
            m.file('layer_with_weights-0/bias').open('rb')
        assert f'layer_with_weights-0/bias: {SHARD}: {NOT_FETCHED}' in m.log()
        assert f'of their own: {SHARD}: {NOT_FETCHED}' in m.said
    done = weightctl('check', model)
    assert done.returncode == FINDING and done.stdout.count(f'{SHARD}: {NOT_FETCHED}') == 26


def test_metadata_that_git_lfs_did_not_fetch_costs_the_documents(copy_of):
    model = copy_of('mlp')
    (model / 'keras_metadata.pb').write_text(POINTER)
    with Mount(model) as m:
        assert not (m.path / 'config.json').exists()
        assert f'keras_metadata.pb: {NOT_FETCHED}' in m.said


@pytest.mark.parametrize('name, n', [('valid', 4), ('big-endian', 4)])
def test_check_counts_variables_not_slices(name, n):
    assert weightctl('check', DATA / 'broken' / name).stderr == f'{n} tensors checked, 0 faults\n'


def test_check_counts_one_tensor(tmp_path):
    assert weightctl('check', write_one(tmp_path / 'x')).stderr == '1 tensor checked, 0 faults\n'


def test_a_missing_data_file_is_said_to_be_missing(copy_of):
    folder = copy_of('sharded')
    shard = next(folder.glob('*.data-00001-of-*'))
    shard.unlink()
    prefix = folder / shard.name.partition('.data-')[0]
    with Mount(prefix) as m:
        failed = 0
        for path in (path for path in (m.path / 'variables').rglob('*') if path.is_file()):
            try:
                path.read_bytes()
            except OSError as error:
                assert error.errno == errno.EIO
                failed += 1
        assert failed and 'bytes' not in m.log()
        assert m.log().count(f'{shard.name}: the data file is missing') == failed
    done = weightctl('check', prefix)
    assert done.returncode == FINDING
    assert len(re.findall(f'{shard.name}: the data file is missing\n', done.stdout)) == failed


def test_a_data_file_that_is_cut_short_later_is_named_once(large):
    shard = large.with_name('large.data-00000-of-00001')
    with Mount(large) as m:
        with open(m.file('block/60'), 'rb', buffering=0) as file:
            assert file.read(1)
            os.truncate(shard, 0)
            with fails(errno.EIO):
                os.pread(file.fileno(), 4096, 512 << 10)
        lines = [line for line in m.log().splitlines() if shard.name in line]
        assert len(lines) == 1 and lines[0].endswith(': changed since the mount')
        assert 'variables/block/60: ' in lines[0]
        m.give_up()


AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

# In a mount namespace of its own, where everybody may open /dev/fuse.
BY_NOBODY = """
set -e
mknod fuse c 10 229 && chmod 666 fuse && mount --bind fuse /dev/fuse || exit 77
{nobody} {build}/weightfs . m -o logfile=/dev/null
{nobody} cat m/data/variables/a || true
{nobody} ls m/index || true
chmod 644 index.index
{nobody} cat m/index/variables/a
{nobody} cat m/.weightfs/log >&2
{nobody} {build}/weightfs -u m
"""


@pytest.fixture
def unreadable(root):
    """A folder with two checkpoints, of which nobody (the user) may not read all."""
    folder = Path(tempfile.mkdtemp(prefix='weightfs-'))  # no user gets into those of pytest
    folder.chmod(0o755)
    write_one(folder / 'data')
    write_one(folder / 'index')
    (folder / 'm').mkdir()
    os.chown(folder / 'm', 65534, 65534)
    for name in ('data.data-00000-of-00001', 'index.index'):
        (folder / name).chmod(0o600)
    yield folder
    shutil.rmtree(folder)


def as_nobody(program, *arguments):
    return run(*AS_NOBODY, BUILD / program, *arguments)


def test_a_file_that_one_may_not_read_is_said_to_be_that(unreadable):
    done = as_nobody('weightctl', 'check', unreadable / 'data')
    assert done.returncode == FINDING
    assert "'a': data.data-00000-of-00001: Permission denied\n" in done.stdout
    done = as_nobody('weightctl', 'cat', unreadable / 'data', 'a')
    assert done.returncode != FINE and 'Permission denied' in done.stderr
    done = as_nobody('weightctl', 'ls', unreadable / 'index')
    assert done.returncode == NOT_MOUNTABLE and 'index.index: Permission denied' in done.stderr


def test_a_file_that_one_may_not_read_is_eacces_until_one_may(unreadable):
    words = {'build': BUILD, 'nobody': ' '.join(AS_NOBODY)}
    done = run('unshare', '-m', 'bash', '-c', BY_NOBODY.format(**words), cwd=unreadable,
               text=False, errors=None)
    said = done.stderr.decode()
    if done.returncode == 77 or 'unshare: ' in said:
        pytest.skip(f'only root can mount here: {said}')
    assert (done.returncode, done.stdout) == (FINE, ONE), said
    assert 'cat: m/data/variables/a: Permission denied\n' in said
    assert "'m/index': Permission denied\n" in said
    assert 'data/variables/a: data.data-00000-of-00001: Permission denied\n' in said
    assert 'index: index.index: Permission denied\n' in said
