"""A folder of checkpoints: a sub-folder each, `latest`, and a training run that goes on beside."""

import errno
import json
import mmap
import os
import random
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from models import TARGETS, UINT8, parse_tsv, sha, write_bundle
from mounting import (BUSY, CHANGED, DATA, FINDING, FINE, NOT_MOUNTABLE, SAVE_FAILED, USAGE, Mount,
                      assert_sound, cat, edit, fails, run, snapshot, wait_for_content, wait_until,
                      weightctl, weightfs)

WEIGHT = 'variables/w'


class Run:
    """A training run that keeps the last three checkpoints, as CheckpointManager does."""

    def __init__(self, folder):
        self.folder, self.kept, self.rng = Path(folder), [], random.Random(1)
        self.folder.mkdir()

    def save(self, name):
        """The values that were saved."""
        content = self.rng.randbytes(5000)
        self.write(name, content)
        self.kept.append(name)
        while len(self.kept) > 3:
            self.remove(self.kept.pop(0))
        self.state(name)
        return content

    def write(self, name, content):
        """The data first, then the index."""
        aside = self.folder / f'{name}_temp'
        aside.mkdir()
        write_bundle(aside / 'part', {'w': (UINT8, (5000,), content)})
        for ending in ('.data-00000-of-00001', '.index'):
            os.rename(aside / f'part{ending}', self.folder / f'{name}{ending}')
        aside.rmdir()

    def state(self, latest):
        text = f'model_checkpoint_path: "{latest}"\n' + ''.join(
            f'all_model_checkpoint_paths: "{name}"\n' for name in self.kept)
        (self.folder / 'checkpoint.tmp').write_text(text)
        os.rename(self.folder / 'checkpoint.tmp', self.folder / 'checkpoint')

    def remove(self, name):
        for path in self.folder.glob(f'{name}.*'):
            if path.is_file():
                path.unlink()


@pytest.fixture
def training(tmp_path):
    """Three checkpoints, and what is in them."""
    beside = Run(tmp_path / 'run')
    beside.contents = {name: beside.save(name) for name in ('ckpt-1', 'ckpt-2', 'ckpt-3')}
    return beside


@pytest.fixture
def m(training):
    with Mount(training.folder) as mounted:
        yield mounted


def listed(m):
    return sorted(set(os.listdir(m.path)) - {'.weightfs'})


def latest(m):
    path = m.path / 'latest'
    return os.readlink(path) if path.is_symlink() else None


def said(m, words):
    return [line for line in m.log().splitlines() if words in line]


# ------------------------------------------------------------------------------------- what is shown

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
            assert json.loads((m.path / name / 'model.json').read_text())['format'] == 'v1 checkpoint'
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


# ------------------------------------------------------------------------------ beside a training run

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


# -------------------------------------------------------------------------------------------- editing

def test_edits_of_several_are_written_back_each(training):
    before = snapshot(training.folder)
    with Mount(training.folder) as m:
        first = edit(m.path / 'ckpt-1' / WEIGHT)
        third = edit(m.path / 'latest' / WEIGHT)
        assert m.pending() == {'ckpt-1/variables/w', 'ckpt-3/variables/w'}
        assert m.status()['state'] == 'edited'
        code, text = m.unmount()
        assert code == FINE
        assert [line.split()[2] for line in text.splitlines()] == [
            f'{training.folder}/{name}:' for name in ('ckpt-1', 'ckpt-3')]
    assert cat(training.folder / 'ckpt-1', 'w') == first
    assert cat(training.folder / 'ckpt-3', 'w') == third
    for name in ('ckpt-1', 'ckpt-3'):
        assert_sound(training.folder / name)
    after = snapshot(training.folder)
    kept = ('ckpt-2', 'checkpoint')
    assert after.keys() == before.keys()
    assert all(after[p] == before[p] for p in before if p.name.startswith(kept))


def test_a_commit_says_what_was_saved_of_each(training, m):
    edit(m.path / 'ckpt-1' / WEIGHT)
    edit(m.path / 'ckpt-2' / WEIGHT)
    m.commit()
    status = m.status()
    assert status['state'] == 'clean' and status['pending'] == []
    assert 'ckpt-1: 1 tensor' in status['last_commit']
    assert 'ckpt-2: 1 tensor' in status['last_commit']
    assert listed(m) == ['ckpt-1', 'ckpt-2', 'ckpt-3', 'latest']
    content = edit(m.path / 'ckpt-1' / WEIGHT)
    m.commit()
    assert cat(training.folder / 'ckpt-1', 'w') == content


def test_discard_is_for_all(training, m):
    for name in ('ckpt-1', 'ckpt-2'):
        edit(m.path / name / WEIGHT)
    m.control('discard')
    wait_until(lambda: m.status()['state'] == 'clean', 'the edits are dropped')
    for name in ('ckpt-1', 'ckpt-2'):
        wait_for_content(m.path / name / WEIGHT, training.contents[name])


def test_what_was_replaced_is_shown_when_the_edits_are_dropped(training, m):
    edit(m.path / 'ckpt-2' / WEIGHT)
    training.write('ckpt-2', bytes(5000))
    assert 'ckpt-2' in listed(m) and said(m, 'replaced on disk')
    m.control('discard')
    wait_until(lambda: m.status()['state'] == 'clean', 'the edits are dropped')
    wait_for_content(m.path / 'ckpt-2' / WEIGHT, bytes(5000))
    content = edit(m.path / 'ckpt-2' / WEIGHT)
    m.commit()
    assert cat(training.folder / 'ckpt-2', 'w') == content


def test_edits_of_a_killed_daemon_are_pending_at_the_next_mount(training):
    with Mount(training.folder) as m:
        contents = {name: edit(m.path / name / WEIGHT) for name in ('ckpt-1', 'ckpt-3')}
        m.kill()
        code, text = m.unmount_dead()
        assert code == SAVE_FAILED
        assert 'ckpt-1' in text and 'ckpt-3' in text and 'ckpt-2' not in text
    with Mount(training.folder) as m:
        assert m.pending() == {'ckpt-1/variables/w', 'ckpt-3/variables/w'}
        assert 'ckpt-1: edits of an earlier mount are pending' in m.said
        assert (m.path / 'ckpt-3' / WEIGHT).read_bytes() == contents['ckpt-3']
    assert {name: cat(training.folder / name, 'w') for name in contents} == contents


def test_edits_of_a_checkpoint_that_is_rotated_away(training):
    with Mount(training.folder) as m:
        edit(m.path / 'ckpt-1' / WEIGHT)
        content = edit(m.path / 'ckpt-2' / WEIGHT)
        training.save('ckpt-4')
        code, text = m.unmount()
        assert code == CHANGED
        assert 'ckpt-1.index: removed' in text
        assert cat(training.folder / 'ckpt-2', 'w') == content
        m.give_up()
    with Mount(training.folder) as m:
        assert 'ckpt-1.weightfs, but the checkpoint is gone' in m.said
        assert listed(m) == ['ckpt-2', 'ckpt-3', 'ckpt-4', 'latest']
        shutil.rmtree(training.folder / 'ckpt-1.weightfs')


def test_edits_of_a_checkpoint_that_is_replaced(training):
    """They are kept, and shown; what is there now is not overwritten."""
    with Mount(training.folder) as m:
        content = edit(m.path / 'ckpt-2' / WEIGHT)
        training.write('ckpt-2', bytes(5000))
        assert 'ckpt-2' in listed(m)
        assert said(m, 'replaced on disk')
        assert (m.path / 'ckpt-2' / WEIGHT).read_bytes() == content
        with fails(errno.ESTALE):
            m.commit()
        assert m.status()['state'] == 'failed'
        assert cat(training.folder / 'ckpt-2', 'w') == bytes(5000)
        m.give_up()
    with Mount(training.folder) as m:
        assert 'another state of the model' in m.said
        assert (m.path / 'ckpt-2' / WEIGHT).read_bytes() == bytes(5000)
        with fails(errno.ESTALE):
            edit(m.path / 'ckpt-2' / WEIGHT)
        edit(m.path / 'ckpt-1' / WEIGHT)
        m.commit()
        m.give_up()
    assert weightctl('discard', training.folder / 'ckpt-2').returncode == FINE


def test_a_checkpoint_is_locked_by_its_first_edit(training):
    with Mount(training.folder) as one, Mount(training.folder) as two:
        for m in (one, two):
            assert (m.path / 'ckpt-1' / WEIGHT).read_bytes() == training.contents['ckpt-1']
        content = edit(one.path / 'ckpt-1' / WEIGHT)
        with fails(errno.EBUSY), open(two.path / 'ckpt-1' / WEIGHT, 'r+b'):
            pass
        assert said(two, f'in use by process {one.pid}')
        assert one.unmount()[0] == FINE
        other = edit(two.path / 'ckpt-2' / WEIGHT)
        wait_until(lambda: (two.path / 'ckpt-1' / WEIGHT).read_bytes() == content, 'it is seen')
        again = edit(two.path / 'ckpt-1' / WEIGHT)
        two.commit()
    assert cat(training.folder / 'ckpt-1', 'w') == again
    assert cat(training.folder / 'ckpt-2', 'w') == other


def test_edits_that_another_mount_left_behind_meanwhile(training, m):
    assert (m.path / 'ckpt-1' / WEIGHT).read_bytes() == training.contents['ckpt-1']
    with Mount(training.folder) as other:
        contents = {name: edit(other.path / name / WEIGHT) for name in ('ckpt-1', 'ckpt-2')}
        other.give_up()
    # They are not in what was loaded, and are taken up by what is loaded now.
    with fails(errno.ESTALE), open(m.path / 'ckpt-1' / WEIGHT, 'r+b'):
        pass
    assert said(m, 'mount again to take them up')
    assert (m.path / 'ckpt-2' / WEIGHT).read_bytes() == contents['ckpt-2']
    assert m.pending() == {'ckpt-2/variables/w'}
    assert weightfs('-u', m.path).returncode == FINE
    m.ended()
    assert cat(training.folder / 'ckpt-2', 'w') == contents['ckpt-2']
    with Mount(training.folder) as m:
        assert (m.path / 'ckpt-1' / WEIGHT).read_bytes() == contents['ckpt-1']


def test_a_checkpoint_that_is_mounted_alone_is_busy(training, m):
    with Mount(training.folder / 'ckpt-1'):
        with fails(errno.EBUSY), open(m.path / 'ckpt-1' / WEIGHT, 'r+b'):
            pass
        edit(m.path / 'ckpt-2' / WEIGHT)
        (training.folder.parent / 'x').mkdir()
        done = weightfs(training.folder / 'ckpt-2', training.folder.parent / 'x')
        assert done.returncode == BUSY


def test_read_only(training):
    with Mount(training.folder) as m:
        edit(m.path / 'ckpt-1' / WEIGHT)
        m.give_up()
    with Mount(training.folder, 'ro') as m:
        assert "edits of 'ckpt-1' are pending" in m.said
        with fails(errno.EROFS), open(m.path / 'ckpt-2' / WEIGHT, 'r+b'):
            pass
        assert (m.path / 'ckpt-1' / WEIGHT).read_bytes() == training.contents['ckpt-1']
        m.unmount_read_only()


def test_checkpoints_cannot_be_renamed_or_removed_yet(training, m):
    for change in (lambda: os.rename(m.path / 'ckpt-1', m.path / 'best'),
                   lambda: os.unlink(m.path / 'latest'),
                   lambda: os.rmdir(m.path / 'ckpt-1'),
                   lambda: os.symlink('ckpt-1', m.path / 'other'),
                   lambda: os.mkdir(m.path / 'ckpt-9')):
        with fails(errno.EPERM):
            change()
    assert listed(m) == ['ckpt-1', 'ckpt-2', 'ckpt-3', 'latest']


def test_a_mount_over_its_own_folder(training):
    """What lies below the mount is reached by the descriptor of the folder, never by its path."""
    hidden = os.open(training.folder, os.O_RDONLY)
    with Mount(training.folder, at=training.folder) as m:
        assert listed(m) == ['ckpt-1', 'ckpt-2', 'ckpt-3', 'latest']
        content = edit(m.path / 'ckpt-2' / WEIGHT)
        m.commit()
        assert m.unmount()[0] == FINE
    os.close(hidden)
    assert cat(training.folder / 'ckpt-2', 'w') == content


@pytest.mark.parametrize('flag', [(), ('-s',)])
def test_a_mount_inside_its_own_folder(training, flag):
    """Nor do links into the mount make the daemon wait for itself."""
    point = training.folder / 'm'
    point.mkdir()
    (training.folder / 'link').symlink_to('m/ckpt-1')
    (training.folder / 'ring').symlink_to('m/latest')
    with Mount(training.folder, at=point, flags=flag) as m:
        for step in range(4, 7):
            training.save(f'ckpt-{step}')
            assert listed(m) == sorted([*training.kept, 'latest'])
            assert listed(m) == sorted([*training.kept, 'latest'])
        edit(m.path / 'latest' / WEIGHT)


def test_a_mount_over_a_work_folder_is_refused(training):
    (training.folder / 'ckpt-1.weightfs').mkdir()
    done = weightfs(training.folder, training.folder / 'ckpt-1.weightfs')
    assert done.returncode == NOT_MOUNTABLE
    assert 'part of the model' in done.stderr


def test_listings_while_a_commit_replaces_files(training, m):
    """A checkpoint is never away, never another one, and never called replaced."""
    stop, missing = threading.Event(), []

    def look():
        while not stop.is_set():
            if listed(m) != ['ckpt-1', 'ckpt-2', 'ckpt-3', 'latest']:
                missing.append(listed(m))
    reader = threading.Thread(target=look)
    reader.start()
    numbers = set()
    for _ in range(30):
        content = edit(m.path / 'ckpt-2' / WEIGHT)
        m.commit()
        numbers.add((m.path / 'ckpt-2').stat().st_ino)
    stop.set()
    reader.join()
    assert missing == [] and len(numbers) == 1
    assert not said(m, 'replaced on disk')
    assert cat(training.folder / 'ckpt-2', 'w') == content


def test_many_looks_at_once(training, m):
    """Several programs look into one folder that nobody has looked into before."""
    lists = [subprocess.Popen(['ls', m.path / name / 'variables'], stdout=subprocess.PIPE)
             for name in training.kept * 5]
    assert {process.communicate()[0] for process in lists} == {b'w\n'}


# ------------------------------------------------------------------------------------- without a mount

def test_ls_and_cat_take_the_name_of_the_checkpoint(training):
    done = weightctl('ls', training.folder)
    assert done.stdout.split() == [f'{name}/{WEIGHT}' for name in training.kept]
    for name in ('ckpt-1/w', f'ckpt-1/{WEIGHT}', 'ckpt-1/variables/w'):
        assert cat(training.folder, name) == training.contents['ckpt-1']
    assert cat(training.folder, 'latest/w') == training.contents['ckpt-3']
    for name in ('w', 'ckpt-9/w', 'ckpt-1/x', 'ckpt-1', ''):
        assert weightctl('cat', training.folder, name).returncode == USAGE


def test_check_names_what_is_damaged(training):
    assert weightctl('check', training.folder).returncode == FINE
    data = training.folder / 'ckpt-2.data-00000-of-00001'
    data.write_bytes(bytes(5000))
    done = weightctl('check', training.folder)
    assert done.returncode == FINDING
    assert [line.split(': ')[0] for line in done.stdout.splitlines()] == [
        f'{training.folder}/ckpt-2']


def test_one_damaged_index_does_not_hide_the_others(training):
    (training.folder / 'ckpt-2.index').write_bytes(b'no index')
    done = weightctl('ls', training.folder)
    assert done.returncode == FINDING
    assert done.stdout.split() == [f'{name}/{WEIGHT}' for name in ('ckpt-1', 'ckpt-3')]
    assert 'ckpt-2' in done.stderr


@pytest.fixture
def edited(training):
    """The same folder, with edits of two checkpoints that a killed daemon left behind."""
    with Mount(training.folder) as m:
        for name in ('ckpt-1', 'ckpt-3'):
            training.contents[name] = edit(m.path / name / WEIGHT)
        m.give_up()
    return training


def test_status_of_all(edited):
    done = weightctl('status', edited.folder)
    assert (done.returncode, done.stdout.splitlines()) == (FINE, [
        'ckpt-1:', f'edited: {WEIGHT}', 'ckpt-3:', f'edited: {WEIGHT}'])


def test_commit_of_all(edited):
    assert weightctl('commit', edited.folder).returncode == FINE
    for name, content in edited.contents.items():
        assert cat(edited.folder / name, 'w') == content
    assert list(edited.folder.glob('*.weightfs')) == []
    assert 'has edits' in weightctl('commit', edited.folder).stderr


def test_recover_keeps_the_edits_of_all(edited):
    done = weightctl('recover', edited.folder)
    assert done.returncode == FINE
    assert done.stderr.count('edits of 1 tensor are pending') == 2
    assert len(list(edited.folder.glob('*.weightfs'))) == 2


def test_discard_of_all(edited):
    before = {name: cat(edited.folder / name, 'w') for name in edited.kept}
    assert weightctl('discard', edited.folder).returncode == FINE
    assert list(edited.folder.glob('*.weightfs')) == []
    assert {name: cat(edited.folder / name, 'w') for name in edited.kept} == before


def test_what_is_busy_is_said_and_the_others_are_committed(edited):
    with Mount(edited.folder / 'ckpt-1') as m:
        assert weightctl('commit', edited.folder).returncode == BUSY
        assert cat(edited.folder / 'ckpt-3', 'w') == edited.contents['ckpt-3']
        m.give_up()
    assert weightctl('commit', edited.folder).returncode == FINE


def test_a_folder_of_the_same_name_is_in_nobodys_way(training):
    (training.folder / 'ckpt-1').mkdir()
    with Mount(training.folder) as m:
        assert (m.path / 'ckpt-1' / WEIGHT).read_bytes() == training.contents['ckpt-1']
        edit(m.path / 'ckpt-1' / WEIGHT)
        m.give_up()
    assert weightctl('commit', training.folder).returncode == FINE
    assert weightctl('check', training.folder).returncode == FINE
