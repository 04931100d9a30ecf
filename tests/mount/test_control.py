"""weightctl status, commit, discard, recover: of a mount, and of a model that is not mounted."""

import json
import mmap
import os
import subprocess
import threading

import pytest

from mounting import (BUILD, BUSY, CHANGED, FINE, SAVE_FAILED, USAGE, Mount, assert_sound, bash,
                      cat, edit, environment, snapshot, wait_for_content, weightctl,
                      weightfs, work_folders)


@pytest.fixture
def killed(plain):
    """A model with edits of a daemon that died; and what they are."""
    with Mount(plain) as m:
        contents = {name: edit(m.file(name)) for name in ('tiny', 'pages')}
        m.give_up()
    return plain, contents


def test_status_of_a_mount_is_its_status(plain):
    with Mount(plain) as m:
        edit(m.file('tiny'))
        done = weightctl('status', m.path)
        assert (done.returncode, done.stderr) == (FINE, '')
        assert json.loads(done.stdout) == m.status()


def test_status_of_a_model_names_what_is_edited(killed):
    done = weightctl('status', killed[0])
    assert done.returncode == FINE
    assert {'edited: variables/tiny', 'edited: variables/pages'} == set(done.stdout.splitlines())


def test_status_of_a_model_without_edits(plain):
    before = snapshot(plain.parent)
    done = weightctl('status', plain)
    assert (done.returncode, done.stderr) == (FINE, '') and 'no edits' in done.stdout
    assert snapshot(plain.parent) == before


def test_status_tells_of_a_draft(plain):
    with Mount(plain) as m:
        fd = os.open(m.file('tiny'), os.O_WRONLY | os.O_TRUNC)
        m.give_up(fd)
    assert '1 unfinished draft' in weightctl('status', plain).stdout


def test_commit_of_a_mount_saves_and_the_mount_goes_on(plain):
    with Mount(plain) as m:
        for _ in range(3):
            content = edit(m.file('tiny'))
            done = weightctl('commit', m.path)
            assert done.returncode == FINE and 'saved' in done.stdout + done.stderr
            assert cat(plain, 'tiny') == m.file('tiny').read_bytes() == content


def test_commit_of_a_mount_without_edits_touches_nothing(plain):
    before = snapshot(plain.parent)
    with Mount(plain) as m:
        assert weightctl('commit', m.path).returncode == FINE
    assert snapshot(plain.parent) == before


def test_commit_of_a_model_saves_what_a_dead_daemon_left(killed):
    model, contents = killed
    assert weightctl('commit', model).returncode == FINE
    assert {name: cat(model, name) for name in contents} == contents
    assert work_folders(model) == []
    assert_sound(model)


@pytest.mark.parametrize('command', ['commit', 'discard', 'recover'])
def test_a_model_that_is_mounted_is_busy_for_the_others(plain, command):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        done = weightctl(command, plain)
        assert done.returncode == BUSY and str(m.pid) in done.stderr
        assert m.file('tiny').read_bytes() == content


def test_discard_of_a_mount_brings_the_saved_content_back(plain, plain_contents):
    with Mount(plain) as m:
        with open(m.file('pages'), 'rb', buffering=0) as reader, \
                mmap.mmap(reader.fileno(), 0, access=mmap.ACCESS_READ) as view:
            edit(m.file('pages'))
            edit(m.file('tiny'))
            assert view[:] != plain_contents['pages']
            assert weightctl('discard', m.path).returncode == FINE
            wait_for_content(m.file('pages'), plain_contents['pages'])
            wait_for_content(m.file('tiny'), plain_contents['tiny'])
            assert os.pread(reader.fileno(), 16384, 0) == plain_contents['pages']
            assert view[:] == plain_contents['pages']
        assert m.status()['state'] == 'clean'
        content = edit(m.file('bytes'))
    assert cat(plain, 'bytes') == content
    assert cat(plain, 'tiny') == plain_contents['tiny']


def test_discard_brings_a_text_back_in_its_own_length(copy_of):
    with Mount(copy_of('dtypes/dtypes')) as m:
        file = m.file('string/hi')
        before = file.read_bytes()
        file.write_bytes(before + b' longer')
        assert len(file.read_bytes()) == len(before) + 7
        assert weightctl('discard', m.path).returncode == FINE
        wait_for_content(file, before)
        assert file.stat().st_size == len(before)


def test_discard_brings_a_text_back_for_who_has_it_open(copy_of):
    with Mount(copy_of('dtypes/dtypes')) as m:
        file = m.file('string/hi')
        before = file.read_bytes()
        file.write_bytes(b'edited')
        with open(file, 'rb', buffering=0) as reader:
            assert reader.read() == b'edited'
            assert weightctl('discard', m.path).returncode == FINE
            wait_for_content(file, before)
            assert os.pread(reader.fileno(), 100, 0) == before
            with open(file, 'r+b', buffering=0) as writer:
                writer.write(before[:1].swapcase())
        assert file.read_bytes() == before[:1].swapcase() + before[1:]


def test_discard_of_a_mount_leaves_no_trace(plain):
    before = snapshot(plain.parent)
    with Mount(plain) as m:
        edit(m.file('tiny'))
        assert weightctl('discard', m.path).returncode == FINE
        assert work_folders(plain) == []
    after = snapshot(plain.parent)
    assert {k: v for k, v in after.items() if k.name} == {k: v for k, v in before.items() if k.name}


def test_discard_of_a_model_drops_what_a_dead_daemon_left(killed, plain_contents):
    model, _ = killed
    assert weightctl('discard', model).returncode == FINE
    assert work_folders(model) == []
    with Mount(model) as m:
        assert m.said == '' and m.pending() == set()
        assert m.file('tiny').read_bytes() == plain_contents['tiny']


def test_discard_makes_way_for_a_model_that_changed_meanwhile(copy_of, tmp_path):
    model = copy_of('train/ckpt-5')
    (tmp_path / 'm').mkdir()
    with Mount(model) as m:
        edit(m.file('net/l1/kernel'))
        m.give_up()
    model.with_suffix('.index').write_bytes(model.with_name('ckpt-4.index').read_bytes())
    assert weightfs(model, tmp_path / 'm').returncode == CHANGED
    assert 'discard' in weightctl('status', model).stdout
    assert weightctl('discard', model).returncode == FINE
    with Mount(model) as m:
        assert m.pending() == set()


def test_discard_lets_a_mount_go_on_whose_model_changed(copy_of):
    model = copy_of('train/ckpt-5')
    with Mount(model) as m:
        edit(m.file('net/l1/kernel'))
        model.with_suffix('.index').write_bytes(model.with_name('ckpt-4.index').read_bytes())
        assert m.unmount()[0] == CHANGED
        assert weightctl('discard', m.path).returncode == FINE
        assert m.unmount()[0] == FINE


def test_recover_keeps_the_edits(killed, plain_contents):
    model, contents = killed
    done = weightctl('recover', model)
    assert done.returncode == FINE and '2 tensors' in done.stderr
    assert cat(model, 'tiny') == plain_contents['tiny']
    with Mount(model) as m:
        assert {name: m.file(name).read_bytes() for name in contents} == contents


def test_recover_of_a_model_without_edits_touches_nothing(plain):
    before = snapshot(plain.parent)
    assert weightctl('recover', plain).returncode == FINE
    assert snapshot(plain.parent) == before


@pytest.mark.parametrize('command', ['status', 'commit', 'discard', 'recover'])
def test_a_command_without_its_argument_is_told(command):
    done = weightctl(command)
    assert (done.returncode, done.stdout) == (USAGE, '')
    assert f'weightctl {command}' in done.stderr


# ----------------------------------------------------------------------- while programs are at work

def test_a_commit_takes_what_is_dirty_in_a_map(plain, plain_contents):
    """Nobody has synced; the program goes on writing through the same map."""
    expected = bytearray(plain_contents['pages'])
    with Mount(plain) as m, open(m.file('pages'), 'r+b') as file, \
            mmap.mmap(file.fileno(), 0) as view:
        for i in range(3):
            view[5000 + i:5003 + i] = expected[5000 + i:5003 + i] = b'abc'
            m.commit()
            assert cat(plain, 'pages') == expected
            assert view[:] == expected


def test_open_files_and_maps_of_both_views_stay_valid(plain, plain_contents):
    expected = bytearray(plain_contents['pages'])
    with Mount(plain) as m, open(m.file('pages'), 'r+b', buffering=0) as raw, \
            open(m.path / 'npy/pages.npy', 'rb', buffering=0) as npy, \
            mmap.mmap(npy.fileno(), 0, access=mmap.ACCESS_READ) as view:
        head = len(view) - len(expected)
        for i in range(4):
            part = bytes([i + 1]) * 3000
            os.pwrite(raw.fileno(), part, 3000 * i)
            os.fsync(raw.fileno())  # the other view hears of it by then
            expected[3000 * i:3000 * i + 3000] = part
            assert view[head:] == os.pread(npy.fileno(), 20000, head) == expected
            m.commit()
            assert view[head:] == os.pread(npy.fileno(), 20000, head) == expected
            assert os.pread(raw.fileno(), 20000, 0) == cat(plain, 'pages') == expected
            assert os.fstat(npy.fileno()).st_size == len(view)


def test_no_view_shows_the_size_before_a_commit(copy_of):
    """A string changes its length, in the model and in the mount."""
    prefix = copy_of('dtypes/dtypes')
    with Mount(prefix) as m, open(m.file('string/hi'), 'rb', buffering=0) as reader:
        for content in (b'a much longer string than before', b'', b'x' * 10000, b'hi'):
            m.file('string/hi').write_bytes(content)
            m.commit()
            assert m.file('string/hi').stat().st_size == len(content)
            assert os.pread(reader.fileno(), 20000, 0) == m.file('string/hi').read_bytes() \
                == cat(prefix, 'string/hi') == content


def frozen(m):
    """As `weightfs -u` between its save and its unmount: edits wait. Another process."""
    script = (f'exec 3<>{m.path}/.weightfs/control && printf unmount >&3 && cat <&3 && '
              'echo frozen && exec sleep 1000')
    process = subprocess.Popen(['bash', '-c', script], stdout=subprocess.PIPE, text=True)
    while process.stdout.readline() != 'frozen\n':
        pass
    return process


@pytest.mark.parametrize('end', ['a thaw', 'SIGKILL of who asked'])
def test_writes_wait_while_edits_are_frozen_and_reads_go_on(plain, plain_contents, end):
    written = threading.Event()

    def write():
        with open(m.file('tiny'), 'r+b', buffering=0) as file:
            os.pwrite(file.fileno(), b'waited', 0)
        written.set()

    with Mount(plain) as m:
        edit(m.file('bytes'))
        asker = frozen(m)
        thread = threading.Thread(target=write)
        thread.start()
        try:
            for _ in range(20):
                assert m.file('tiny').read_bytes() == plain_contents['tiny']
            assert not written.is_set()
            if end == 'a thaw':
                m.control('thaw')
                thread.join()
        finally:
            asker.kill()
            asker.wait()
            asker.stdout.close()
        thread.join()
        assert written.is_set() and m.file('tiny').read_bytes()[:6] == b'waited'
    assert cat(plain, 'tiny')[:6] == b'waited'


def test_commands_that_come_together_are_carried_out_one_by_one(plain):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        commits = [subprocess.Popen([BUILD / 'weightctl', 'commit', m.path], env=environment(),
                                    stderr=subprocess.DEVNULL) for _ in range(8)]
        assert [commit.wait() for commit in commits] == [FINE] * 8
        assert cat(plain, 'tiny') == content


def test_commit_by_echo(plain):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        assert bash(f'echo commit > {m.path}/.weightfs/control').returncode == FINE
        assert cat(plain, 'tiny') == content


def test_commit_by_echo_tells_when_it_fails(copy_of):
    model = copy_of('train/ckpt-5')
    with Mount(model) as m:
        edit(m.file('step'))
        model.with_suffix('.index').unlink()
        done = bash(f'echo commit > {m.path}/.weightfs/control')
        assert done.returncode != 0 and 'Stale file handle' in done.stderr
        m.give_up()


# ------------------------------------------------------------------------------------- read-only

def test_commit_of_a_model_that_is_read_only_says_so(copy_of):
    done = weightctl('commit', copy_of('v1/v1.ckpt'))
    assert done.returncode == SAVE_FAILED and 'read-only' in done.stderr


@pytest.mark.parametrize('command', ['commit', 'discard'])
def test_commands_to_a_read_only_mount_say_so(plain, command):
    with Mount(plain, 'ro') as m:
        done = weightctl(command, m.path)
        assert done.returncode == SAVE_FAILED and 'read-only' in done.stderr


# ----------------------------------------------------------------------------------- dead mounts

def test_commands_to_a_dead_mount_mean_its_model(plain):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        m.kill()
        done = weightctl('status', m.path)
        assert done.returncode == FINE and 'variables/tiny' in done.stdout
        assert str(plain) in done.stderr
        assert weightctl('commit', m.path).returncode == FINE
    assert cat(plain, 'tiny') == content


# ------------------------------------------------------------- a training run that rotates it away

def test_a_checkpoint_that_is_rotated_away_is_stale_and_the_edits_are_kept(copy_of):
    prefix = copy_of('train/ckpt-5')
    with Mount(prefix) as m:
        content = edit(m.file('net/l1/kernel'))
        for path in prefix.parent.glob('ckpt-5.[di]*'):
            path.rename(prefix.parent / path.name.replace('5', '6', 1))
        code, said = m.unmount()
        assert code == CHANGED and 'NOT saved' in said and 'ckpt-5.weightfs' in said
        assert m.file('net/l1/kernel').read_bytes() == content
        assert not prefix.with_suffix('.index').exists()
        m.give_up()
    work, = work_folders(prefix)
    assert (work / 'journal').exists()
    for path in prefix.parent.glob('ckpt-6.*'):
        path.rename(prefix.parent / path.name.replace('6', '5', 1))
    assert weightctl('commit', prefix).returncode == FINE
    assert cat(prefix, 'variables/net/l1/kernel') == content
