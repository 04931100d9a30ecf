"""Edits in a folder of checkpoints: each is locked, kept and written back by itself."""

import errno
import os
import random
import re
import shutil
import subprocess
import threading
import time

import pytest

from mounting import (BUILD, BUSY, CHANGED, FINDING, FINE, NOT_MOUNTABLE, SAVE_FAILED, USAGE,
                      WAYS_TO_END, Mount, assert_sound, bash, cat, edit, fails, snapshot,
                      wait_for_content, wait_until, weightctl, weightfs)
from training import WEIGHT, listed, said


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


@pytest.mark.parametrize('looked_at', [True, False])
def test_killed_at_any_moment_of_a_save_each_is_the_old_or_the_new(training, looked_at):
    """Each by itself; the next mount, though nobody looks into them, finishes all."""
    seed = int(os.environ.get('WEIGHTFS_SEED', time.time_ns() % 1_000_000))
    print(f'WEIGHTFS_SEED={seed}')
    rng, old = random.Random(seed), dict(training.contents)
    for _ in range(10):
        with Mount(training.folder) as m:
            new = {name: edit(m.path / name / WEIGHT) for name in old}
            save = subprocess.Popen([BUILD / 'weightfs', '-u', m.path], stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0, 0.03))
            m.kill()
            save.wait()
            m.detach()
        for name, content in old.items():
            assert_sound(training.folder / name)
            assert cat(training.folder / name, 'w') in (content, new[name])
        with Mount(training.folder) as m:
            if looked_at:
                assert {name: (m.path / name / WEIGHT).read_bytes() for name in new} == new
        assert {name: cat(training.folder / name, 'w') for name in new} == new
        assert list(training.folder.glob('*.weightfs')) == []
        old = new


@pytest.mark.parametrize('way', WAYS_TO_END)
def test_every_way_to_end_saves_all(training, way):
    with Mount(training.folder) as m:
        contents = {name: edit(m.path / name / WEIGHT) for name in ('ckpt-1', 'ckpt-3')}
        m.end(way)
    assert {name: cat(training.folder / name, 'w') for name in contents} == contents


def test_edits_of_a_checkpoint_that_is_rotated_away(training):
    with Mount(training.folder) as m:
        lost = edit(m.path / 'ckpt-1' / WEIGHT)
        content = edit(m.path / 'ckpt-2' / WEIGHT)
        old = {path: path.read_bytes() for path in training.folder.glob('ckpt-1.[id]*')}
        training.save('ckpt-4')
        code, text = m.unmount()
        assert code == CHANGED
        assert 'ckpt-1.index: removed' in text and 'once its old files are back' in text
        for path, file in old.items():
            path.write_bytes(file)
        wait_until(lambda: 'ckpt-1' in listed(m), 'the checkpoint is shown again')
        assert (m.path / 'ckpt-1' / WEIGHT).read_bytes() == lost
        training.remove('ckpt-1')
        assert cat(training.folder / 'ckpt-2', 'w') == content
        m.give_up()
    with Mount(training.folder) as m:
        assert '1 checkpoint that is gone' in m.said and 'ckpt-1.weightfs; remove' in m.said
        assert listed(m) == ['ckpt-2', 'ckpt-3', 'ckpt-4', 'latest']
        shutil.rmtree(training.folder / 'ckpt-1.weightfs')


def test_a_kind_of_failure_is_told_once(training):
    for i in range(4, 12):
        training.write(f'ckpt-{i}', bytes(5000))
        training.kept.append(f'ckpt-{i}')
    training.state('ckpt-11')
    with Mount(training.folder) as m:
        for name in training.kept:
            edit(m.path / name / WEIGHT)
        for name in training.kept[1:-1]:
            training.remove(name)
        training.write('ckpt-1', bytes(5000))
        code, text = m.unmount()
        changed, removed, saved, more, mount = text.splitlines()
        assert code == CHANGED
        assert 'ckpt-1.index: changed since' in changed
        assert 'ckpt-2.index: removed since' in removed
        assert 'saved' in saved and 'ckpt-11' in saved
        assert 'removed since the mount: 8 more (ckpt-3, ckpt-4, ckpt-5 ...; ' in more
        assert len(said(m, 'removed since the mount')) == 9
        command = re.search("'(weightctl discard .*)'", mount)[1]
        assert bash(f'{BUILD}/{command}').returncode == FINE
        assert weightfs('-u', m.path).returncode == FINE
        m.ended()
    assert list(training.folder.glob('*.weightfs')) == []


def test_edits_of_many_that_are_gone_are_told_once(training):
    names = ['ckpt-1', 'ckpt-2', 'ckpt-3', 'ckpt-20', 'ckpt-100']
    for name in names[3:]:
        training.write(name, bytes(5000))
    told = f'{training.folder}: ckpt-1.weightfs, ckpt-2.weightfs, ckpt-3.weightfs and 2 more; '
    with Mount(training.folder) as m:
        for name in names:
            edit(m.path / name / WEIGHT)
        m.kill()
        assert told in m.unmount_dead()[1]
    training.save('ckpt-200')
    for name in names:
        training.remove(name)
    with Mount(training.folder, 'ro') as m:
        assert m.said.count('\n') == 1
        assert f'5 checkpoints that are gone are kept in {told}' in m.said
        m.unmount_read_only()
    assert told in weightctl('status', training.folder).stderr


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
        assert f'edits are pending in {training.folder}: ckpt-1.weightfs; ' in m.said
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


# ---------------------------------------------------------------------------------- without a mount

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


def test_what_a_killed_daemon_did_not_remove_goes(training):
    for name in ('ckpt-1', 'gone'):
        (training.folder / f'{name}.weightfs').mkdir(mode=0o700)
        (training.folder / f'{name}.weightfs/data.0').write_bytes(b'nothing')
    with Mount(training.folder) as m:
        assert m.said == '' and m.pending() == set()
        assert not (training.folder / 'ckpt-1.weightfs').exists()
        content = edit(m.path / 'ckpt-1' / WEIGHT)
        m.commit()
        shutil.rmtree(training.folder / 'gone.weightfs')
    assert cat(training.folder / 'ckpt-1', 'w') == content


def test_a_dead_mount_stands_for_its_folder(training):
    with Mount(training.folder) as m:
        contents = {name: edit(m.path / name / WEIGHT) for name in ('ckpt-1', 'ckpt-2')}
        m.kill()
        done = weightctl('status', m.path)
        assert [line for line in done.stdout.splitlines() if line.endswith(':')] == [
            'ckpt-1:', 'ckpt-2:']
        assert weightctl('commit', m.path).returncode == FINE
        m.detach()
    assert {name: cat(training.folder / name, 'w') for name in contents} == contents


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
