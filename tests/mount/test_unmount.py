"""The ends of a mount: what is said, what holds it, who may not come in."""

import contextlib
import errno
import mmap
import os
import shutil
import subprocess
import sys
import threading

import pytest

from mounting import (BUILD, BUSY, FINE, SAVE_FAILED, WAYS_TO_END, Mount, assert_sound, cat, edit, fails,
                      run, weightctl, weightfs, work_folders)


# ------------------------------------------------------------------------------- ways, and words

@pytest.mark.parametrize('way', WAYS_TO_END)
@pytest.mark.parametrize('size', ['plain', 'large'])
def test_however_it_ends_edits_are_saved(request, way, size):
    model = request.getfixturevalue(size)
    name = {'plain': 'bytes', 'large': 'block/33'}[size]
    with Mount(model) as m:
        content = edit(m.file(name))
        m.end(way)
        assert 'saved' in m.full_log() and 'NOT' not in m.full_log()
    assert cat(model, name) == content
    assert work_folders(model) == []
    assert_sound(model)


def test_u_says_what_was_saved(plain):
    with Mount(plain) as m:
        edit(m.file('tiny'))
        edit(m.file('pages'))
        code, said = m.unmount()
    assert code == FINE
    assert said.count('\n') == 1 and str(plain) in said and '2 tensors' in said


def test_a_commit_by_the_control_file_saves_and_goes_on(plain):
    with Mount(plain) as m:
        for name in ('tiny', 'bytes', 'tiny'):
            content = edit(m.file(name))
            m.commit()
            assert cat(plain, name) == content
            assert m.file(name).read_bytes() == content
        assert work_folders(plain) == []
        assert m.unmount() == (FINE, '')


def test_one_commit_may_follow_the_other_at_once(plain):
    with Mount(plain) as m:
        for i in range(50):
            edit(m.file('tiny'))
            m.commit()


def test_the_control_file_refuses_what_it_does_not_know(plain):
    with Mount(plain) as m:
        with fails(errno.EINVAL):
            m.control('explode\n')
        assert 'explode' in m.log()


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT', 'SIGHUP'])
def test_a_signal_saves_what_is_valid_though_files_are_open(plain, plain_contents, name):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        draft = os.open(m.file('bytes'), os.O_WRONLY | os.O_TRUNC)
        os.write(draft, b'unfinished')
        m.end(name)
        assert 'variables/bytes' in m.full_log() and 'saved' in m.full_log()
        with pytest.raises(OSError):
            os.write(draft, b'more')
        with pytest.raises(OSError):
            os.close(draft)
    assert cat(plain, 'tiny') == content
    assert cat(plain, 'bytes') == plain_contents['bytes']
    assert_sound(plain)


def test_a_signal_saves_what_is_dirty_in_a_map(plain, plain_contents):
    with Mount(plain) as m:
        with open(m.file('pages'), 'r+b') as file:
            view = mmap.mmap(file.fileno(), 0)
        view[4096:4100] = b'page'
        m.end('SIGTERM')
        view.close()
    expected = plain_contents['pages'][:4096] + b'page' + plain_contents['pages'][4100:]
    assert cat(plain, 'pages') == expected


def test_readers_of_a_file_see_no_commit(plain, plain_contents):
    wrong, stop = [], threading.Event()

    def read():
        with open(m.file('large'), 'rb', buffering=0) as file:
            while not stop.is_set():
                if os.pread(file.fileno(), 5000, 600_000) != expected:
                    wrong.append(1)

    expected = plain_contents['large'][600_000:605_000]
    with Mount(plain) as m:
        thread = threading.Thread(target=read)
        thread.start()
        for _ in range(10):
            edit(m.file('tiny'))
            m.commit()
        stop.set()
        thread.join()
    assert wrong == []


def test_writes_during_commits_are_not_lost(plain):
    def write():
        with open(m.file('pages'), 'r+b', buffering=0) as file:
            for i in range(4096):
                os.pwrite(file.fileno(), i.to_bytes(4, 'little'), 4 * i)

    with Mount(plain) as m:
        thread = threading.Thread(target=write)
        thread.start()
        while thread.is_alive():
            try:
                m.commit()
            except OSError as error:
                assert error.errno == errno.EBUSY
        thread.join()
    assert cat(plain, 'pages') == b''.join(i.to_bytes(4, 'little') for i in range(4096))


# --------------------------------------------------------------------------------- busy and locked

HOLDS = {
    'a current directory': ['bash', '-c', 'cd {m}/variables && echo ready && exec sleep 1000'],
    'an open file': ['bash', '-c', 'exec 3<{m}/model.json && echo ready && exec sleep 1000'],
    'a map': [sys.executable, '-c', 'import mmap, time; f = open("{m}/variables/bytes", "rb"); '
              'v = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); f.close(); '
              'print("ready", flush=True); time.sleep(1000)'],
}


@pytest.mark.parametrize('hold', HOLDS)
def test_a_busy_mount_is_saved_and_its_holder_named(plain, hold):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        command = [word.replace('{m}', str(m.path)) for word in HOLDS[hold]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
            try:
                assert holder.stdout.readline() == 'ready\n'
                code, said = m.unmount()
                assert code == BUSY
                assert f'process {holder.pid} ' in said
                assert m.mounted() and cat(plain, 'tiny') == content
                content = edit(m.file('tiny'))
            finally:
                holder.kill()
        assert m.unmount()[0] == FINE
    assert cat(plain, 'tiny') == content


CONTAINER = """
    echo ready && read -r && printf 1 | dd of="$0"/variables/tiny conv=notrunc status=none
    echo edited && read -r
"""


@pytest.fixture
def container(plain, root):
    """A mount, and a process with a mount namespace of its own, which has it too."""
    with Mount(plain) as m:
        with subprocess.Popen(['unshare', '-m', '--propagation', 'private', 'bash', '-c',
                               CONTAINER, m.path],
                              text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            if process.stdout.readline() != 'ready\n':
                pytest.skip('no mount namespaces here')
            yield m, process


@pytest.mark.parametrize('it_ends_soon', [True, False])
def test_a_mount_that_a_container_holds(container, plain, tmp_path, it_ends_soon):
    m, process = container
    (tmp_path / 'm').mkdir()
    with subprocess.Popen([BUILD / 'weightfs', '-u', m.path], stderr=subprocess.PIPE,
                          text=True) as unmounting:
        said = unmounting.stderr.readline()
        assert f'process {process.pid} (bash), in another mount namespace' in said
        process.stdin.write('edit\n')
        process.stdin.flush()
        assert process.stdout.readline() == 'edited\n'
        if it_ends_soon:
            process.communicate('end\n')
        said = unmounting.stderr.read()
    assert not m.mounted()
    if it_ends_soon:
        assert (unmounting.returncode, said) == (FINE, '')
    else:
        assert unmounting.returncode == BUSY and f'process {m.pid})' in said
        assert weightfs(plain, tmp_path / 'm').returncode == BUSY
        process.communicate('end\n')
    m.ended()
    assert 'saved' in m.full_log() and cat(plain, 'tiny')[:1] == b'1'


def test_an_edit_during_a_frozen_unmount_goes_on_after_it(plain):
    """A holder that writes while -u finds the mount busy is not stuck for ever."""
    with Mount(plain) as m:
        with open(m.file('tiny'), 'r+b', buffering=0) as file:
            os.pwrite(file.fileno(), b'1', 0)
            assert m.unmount()[0] == BUSY
            os.pwrite(file.fileno(), b'2', 0)
        assert m.unmount()[0] == FINE
    assert cat(plain, 'tiny')[:1] == b'2'


def test_a_second_writer_is_refused_with_the_pid_of_the_first(plain, tmp_path):
    (tmp_path / 'm').mkdir()
    with Mount(plain) as m:
        done = weightfs(plain, tmp_path / 'm')
        assert done.returncode == BUSY
        assert str(m.pid) in done.stderr and len(done.stderr.splitlines()) == 1
        content = edit(m.file('tiny'))
        m.commit()
        assert weightfs(plain, tmp_path / 'm').returncode == BUSY
    with Mount(plain) as m:
        assert m.file('tiny').read_bytes() == content


def test_a_mountpoint_in_use_is_refused(plain, copy_of):
    with Mount(plain) as m:
        done = weightfs(copy_of('vocab'), m.path)
        assert done.returncode == BUSY and str(plain) in done.stderr
        assert m.file('tiny').exists()


def test_a_reader_may_come_beside_the_writer(plain, plain_contents):
    with Mount(plain) as m, Mount(plain, 'ro') as reader:
        edit(m.file('tiny'))
        assert reader.file('tiny').read_bytes() == plain_contents['tiny']
        assert weightctl('ls', plain).returncode == FINE
        reader.unmount_read_only()


# --------------------------------------------------------------------------------------- read-only

def test_a_read_only_mount_refuses_all_changes(plain):
    with Mount(plain, 'ro') as m:
        path = m.file('tiny')
        assert path.stat().st_mode & 0o222 == 0
        for attempt in (lambda: path.open('r+b'), lambda: path.write_bytes(b''),
                        lambda: os.truncate(path, 20), lambda: path.unlink(),
                        lambda: (m.path / 'new').mkdir(), lambda: path.rename(m.path / 'x')):
            with fails(errno.EROFS):
                attempt()
        assert m.unmount() == (FINE, '')


def test_a_model_on_a_read_only_disk_is_read_only(small_disk, plain):
    disk = small_disk(4000)
    shutil.copytree(plain.parent, disk / 'plain')
    run('mount', '-o', 'remount,ro', disk)
    with Mount(disk / 'plain/plain') as m:
        assert 'read-only' in m.said
        with fails(errno.EROFS):
            m.file('tiny').open('r+b')
        assert m.unmount() == (FINE, '')


# -------------------------------------------------------------------------------------- dead mounts

def test_a_dead_mount_is_detached_with_a_notice(plain):
    with Mount(plain) as m:
        m.kill()
        assert m.mounted()
        with fails(errno.ENOTCONN):
            os.listdir(m.path)
        with Mount(plain, at=m.path) as again:
            assert 'detached' in again.said
            assert again.file('tiny').stat().st_size == 20


@pytest.mark.parametrize('remembered', [False, True])
def test_u_of_a_dead_mount_detaches_it(plain, remembered):
    """Though its attributes are answered from the kernel's memory, as if somebody were there."""
    with Mount(plain) as m:
        before = m.path.stat() if remembered else None
        m.kill()
        if remembered:
            assert m.path.stat() == before
        code, said = m.unmount_dead()
        assert (code, m.mounted()) == (FINE, False)
        assert 'detached' in said


def test_u_of_a_dead_mount_with_nothing_but_a_draft(plain):
    with Mount(plain) as m:
        with open(m.file('tiny'), 'wb', buffering=0) as file:
            file.write(b'half')
            m.kill()
            with contextlib.suppress(OSError):
                file.close()
        code, said = m.unmount_dead()
        assert (code, m.mounted()) == (FINE, False)
        assert 'no edits but 1 unfinished draft' in said


def test_u_of_a_dead_mount_with_edits_says_where_they_are(plain):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        m.kill()
        code, said = m.unmount_dead()
        assert (code, m.mounted()) == (SAVE_FAILED, False)
        assert str(plain) in said
    with Mount(plain) as m:
        assert m.file('tiny').read_bytes() == content
