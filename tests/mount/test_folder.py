"""A folder of checkpoints: a sub-folder each, `latest`, and a training run that goes on beside."""

import errno
import json
import mmap
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from models import TARGETS, parse_tsv, sha
from mounting import (CHANGED, DATA, NOT_MOUNTABLE, Mount, cat, edit, fails, run, snapshot,
                      wait_until, weightfs)
from training import WEIGHT, latest, listed, said


# ------------------------------------------------------------------------------------ what is shown

@pytest.mark.parametrize('name, latest_one', [('train', 'ckpt-5'), ('estimator', 'model.ckpt-20'),
                                              ('mlp_weights', 'mlp')])
@pytest.mark.parametrize('argument', ['', '/checkpoint'])
def test_each_checkpoint_is_shown_with_its_values(copy_of, name, latest_one, argument):
    folder = copy_of(name)
    before = snapshot(folder)
    targets = {t.prefix.rpartition('/')[2]: t for t in TARGETS if t.model == name}
    with Mount(f'{folder}{argument}') as m:
        assert listed(m) == sorted([*targets, 'latest'])
        assert latest(m) == latest_one
        assert m.status()['model'] == os.fspath(folder)
        for prefix, target in targets.items():
            rows = parse_tsv((m.path / prefix / 'tensors.tsv').read_bytes())
            assert rows.keys() == target.tensors.keys()
            for key, tensor in target.tensors.items():
                path = m.path / prefix / rows[key]['path']
                if 'bytes' in tensor:
                    assert sha(path.read_bytes()) == tensor['sha256'], key
    assert snapshot(folder) == before


def test_v1_checkpoints_are_members_too(tmp_path):
    folder = shutil.copytree(DATA / 'v1', tmp_path / 'v1')
    (folder / 'checkpoint').write_text('model_checkpoint_path: "/old/sharded-?????-of-00002"')
    with Mount(folder) as m:
        assert listed(m) == ['latest', 'sharded', 'v1.ckpt']
        assert latest(m) == 'sharded'
        for name in ('sharded', 'v1.ckpt'):
            model = json.loads((m.path / name / 'model.json').read_text())
            assert model['format'] == 'v1 checkpoint'
        variable = next(p for p in (m.path / 'sharded/variables').rglob('*') if p.is_file())
        with fails(errno.EROFS), open(variable, 'r+b'):
            pass


def test_several_checkpoints_without_a_state(training):
    (training.folder / 'checkpoint').unlink()
    with Mount(training.folder) as m:
        assert listed(m) == ['ckpt-1', 'ckpt-2', 'ckpt-3']


def test_names_that_only_look_harmless(training):
    for name in ('latest', 'a,b', '-n', 'x\ny', 'é', 'a b%'):
        training.write(name, bytes(5000))
    with Mount(training.folder) as m:
        assert listed(m) == sorted([*training.kept, 'latest', 'a,b', '-n', 'x\ny', 'é', 'a b%'])
        assert (m.path / 'latest').is_dir() and not (m.path / 'latest').is_symlink()
        assert (m.path / 'x\ny' / WEIGHT).read_bytes() == bytes(5000)


def test_names_cannot_forge_lines(training):
    """Of the log, or of what -u hears."""
    name = 'x\nexit 0\n2026-11-23 00:00:00 all is well\x1b[2J'
    training.write(name, bytes(5000))
    (training.folder / 'bad\nname.index').write_bytes(b'no index')
    with Mount(training.folder) as m:
        edit(m.path / name / WEIGHT)
        with fails(errno.EIO):
            os.listdir(m.path / 'bad\nname')
        m.commit()
        assert all(line.startswith('20') for line in m.log().splitlines())
        assert not said(m, '\x1b') and not any(
            line.endswith('all is well') for line in m.log().splitlines())
        edit(m.path / name / WEIGHT)
        (training.folder / f'{name}.index').unlink()
        code, text = m.unmount()
        assert code == CHANGED and '\x1b' not in text and len(text.splitlines()) == 2
        m.give_up()


def test_a_backup_is_shown_too(training):
    with Mount(training.folder, 'backup') as m:
        edit(m.path / 'ckpt-2' / WEIGHT)
        m.commit()
        assert 'ckpt-2.bak' in listed(m)
        assert (m.path / 'ckpt-2.bak' / WEIGHT).read_bytes() == training.contents['ckpt-2']


@pytest.mark.parametrize('state, target', [
    ('model_checkpoint_path: "ckpt-1"', 'ckpt-1'),
    ('model_checkpoint_path: "/moved/from/ckpt-2"', 'ckpt-2'),
    ('model_checkpoint_path: "../../etc/ckpt-2"', 'ckpt-2'),
    ('model_checkpoint_path: "/etc/passwd"', None),
    ('model_checkpoint_path: ".."', None),
    ('model_checkpoint_path: "ckpt-9"\nall_model_checkpoint_paths: "ckpt-3"', None),
    ('no state at all \0', None),
])
def test_the_latest(training, state, target):
    (training.folder / 'checkpoint').write_text(state)
    with Mount(training.folder) as m:
        assert latest(m) == target
        if target:
            assert (m.path / 'latest' / WEIGHT).read_bytes() == training.contents[target]
        assert bool(said(m, 'the file checkpoint')) == (target != 'ckpt-1')


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    (tmp_path / 'checkpoint').write_text('model_checkpoint_path: "gone"')
    (tmp_path / 'm').mkdir()
    done = weightfs(tmp_path, tmp_path / 'm')
    assert done.returncode == NOT_MOUNTABLE
    assert 'no checkpoint in it' in done.stderr


@pytest.mark.parametrize('option', ['workdir', 'output'])
def test_options_for_one_model_are_refused(training, tmp_path, option):
    (tmp_path / 'm').mkdir()
    done = weightfs(training.folder, tmp_path / 'm', '-o', f'{option}={tmp_path}/x')
    assert done.returncode == NOT_MOUNTABLE
    assert 'for one of them' in done.stderr


# ---------------------------------------------------------------------------------- only at a look

def test_only_what_is_looked_at_is_loaded(training):
    """All others are no checkpoints at all: whoever loads one says so."""
    for i in range(200):
        (training.folder / f'broken-{i}.index').write_bytes(b'no index')
    with Mount(training.folder) as m:
        assert len(listed(m)) == 204
        assert run('ls', '-l', m.path).returncode == 0
        assert (m.path / 'ckpt-2' / WEIGHT).read_bytes() == training.contents['ckpt-2']
        assert said(m, 'broken') == []
        with fails(errno.EIO):
            os.listdir(m.path / 'broken-7')
        assert {line.split()[2] for line in said(m, 'broken')} == {'broken-7:'}


def test_a_damaged_checkpoint_costs_its_own_folder(training):
    index = training.folder / 'ckpt-2.index'
    index.write_bytes(index.read_bytes()[:-20])
    with Mount(training.folder) as m:
        for _ in range(3):
            with fails(errno.EIO):
                os.listdir(m.path / 'ckpt-2')
        with fails(errno.EIO):
            (m.path / 'ckpt-2/variables').stat()
        assert len(said(m, 'ckpt-2')) == 1
        assert (m.path / 'ckpt-1' / WEIGHT).read_bytes() == training.contents['ckpt-1']
        content = edit(m.path / 'latest' / WEIGHT)
    assert cat(training.folder / 'ckpt-3', 'w') == content


def test_a_damaged_checkpoint_that_is_mended_is_loaded(training):
    index = training.folder / 'ckpt-2.index'
    whole = index.read_bytes()
    index.write_bytes(whole[:-20])
    with Mount(training.folder) as m:
        with fails(errno.EIO):
            os.listdir(m.path / 'ckpt-2')
        index.write_bytes(whole)
        assert (m.path / 'ckpt-2' / WEIGHT).read_bytes() == training.contents['ckpt-2']


# ---------------------------------------------------------------------------- beside a training run

def test_what_training_adds_and_removes_is_seen(training, m):
    assert not (m.path / 'ckpt-4').exists()
    for step in range(4, 12):
        content = training.save(f'ckpt-{step}')
        assert listed(m) == sorted([*training.kept, 'latest'])
        assert latest(m) == f'ckpt-{step}'
        assert (m.path / f'ckpt-{step}' / WEIGHT).read_bytes() == content
        assert (m.path / 'latest' / WEIGHT).read_bytes() == content
    wait_until(lambda: not (m.path / 'ckpt-1').exists(), 'the kernel asks again')


def test_what_is_asked_by_name_needs_no_listing(training, m):
    assert not (m.path / 'ckpt-4' / WEIGHT).exists()
    content = training.save('ckpt-4')
    assert (m.path / 'ckpt-4' / WEIGHT).read_bytes() == content
    assert (m.path / 'latest' / WEIGHT).read_bytes() == content


def test_the_latest_that_is_deleted_is_none(training, m):
    training.remove('ckpt-3')
    assert listed(m) == ['ckpt-1', 'ckpt-2']
    assert latest(m) is None
    assert said(m, "names 'ckpt-3', which is not there")


def test_an_open_checkpoint_survives_its_rotation(training, m):
    folder = os.open(m.path / 'ckpt-1', os.O_RDONLY)
    with open(m.path / 'ckpt-1' / WEIGHT, 'rb', buffering=0) as file:
        assert file.read(100) == training.contents['ckpt-1'][:100]
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        training.save('ckpt-4')
        assert 'ckpt-1' not in listed(m)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(file.fileno(), 5000, 0) == training.contents['ckpt-1']
        assert mapped[:] == training.contents['ckpt-1']
        mapped.close()
        # The folder itself is there for whoever stands in it.
        assert 'w' in os.listdir(f'/proc/self/fd/{folder}/variables')
    os.close(folder)


def test_the_space_of_a_rotated_checkpoint_comes_back(training, m):
    """What nobody has open is not kept: a deleted file that is mapped still takes its space."""
    (m.path / 'ckpt-1' / WEIGHT).read_bytes()
    assert 'ckpt-1.data' in Path(f'/proc/{m.pid}/maps').read_text()
    training.save('ckpt-4')

    def let_go():
        listed(m)
        return 'ckpt-1.data' not in Path(f'/proc/{m.pid}/maps').read_text()
    wait_until(let_go, 'the file is unmapped')
    assert (m.path / 'latest' / WEIGHT).stat().st_size == 5000


def test_a_checkpoint_that_is_saved_anew_under_its_name(training, m):
    path = m.path / 'ckpt-2' / WEIGHT
    with open(path, 'rb', buffering=0) as file:
        assert file.read() == training.contents['ckpt-2']
        training.write('ckpt-2', b'x' * 5000)
        wait_until(lambda: path.read_bytes() == b'x' * 5000, 'the new values are shown')
        assert os.pread(file.fileno(), 5000, 0) == training.contents['ckpt-2']
    content = edit(path)
    m.commit()
    assert cat(training.folder / 'ckpt-2', 'w') == content


def test_readers_beside_a_busy_run(training, m):
    """Whatever is listed and read while checkpoints come and go is right, or is not there."""
    stop, wrong = threading.Event(), []
    contents = dict(training.contents)

    def read():
        while not stop.is_set():
            for name in set(os.listdir(m.path)) - {'latest', '.weightfs'}:
                try:
                    content = (m.path / name / WEIGHT).read_bytes()
                except OSError as error:
                    if error.errno not in (errno.ENOENT, errno.ESTALE, errno.EIO):
                        wrong.append(error)
                    continue
                if content != contents.get(name):
                    wrong.append(name)
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for step in range(4, 40):
        content = training.rng.randbytes(5000)
        contents[f'ckpt-{step}'] = content
        training.write(f'ckpt-{step}', content)
        training.kept.append(f'ckpt-{step}')
        training.remove(training.kept.pop(0))
        training.state(f'ckpt-{step}')
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert listed(m) == sorted([*training.kept, 'latest'])


def test_an_index_that_is_just_being_written(training, m):
    """TensorFlow writes it in place."""
    for step in range(4, 14):
        training.write('aside', bytes([step]) * 5000)
        index = (training.folder / 'aside.index').read_bytes()
        (training.folder / 'aside.data-00000-of-00001').rename(
            training.folder / f'ckpt-{step}.data-00000-of-00001')
        with open(training.folder / f'ckpt-{step}.index', 'wb', buffering=0) as file:
            file.write(index[:50])
            reader = subprocess.Popen(['cat', m.path / f'ckpt-{step}' / WEIGHT],
                                      stdout=subprocess.PIPE)
            threading.Event().wait(0.01)
            file.write(index[50:])
        assert reader.communicate()[0] == bytes([step]) * 5000


def test_descriptors_are_no_limit(training):
    for i in range(300):
        for ending in ('.index', '.data-00000-of-00001'):
            os.link(training.folder / f'ckpt-3{ending}', training.folder / f'copy-{i}{ending}')
    with Mount(training.folder) as m:
        for i in range(300):
            assert (m.path / f'copy-{i}' / WEIGHT).read_bytes() == training.contents['ckpt-3']
        assert len(os.listdir(f'/proc/{m.pid}/fd')) < 50
