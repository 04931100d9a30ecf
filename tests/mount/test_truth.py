"""`weightfs -u` tells the truth: about users, terminals, its own death, and what it detaches."""

import contextlib
import errno
import mmap
import os
import pty
import random
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from bundle import write_bundle
from mounting import (BUILD, BUSY, FINE, SAVE_FAILED, Mount, assert_sound, bash, cat, edit,
                      environment, fails, run, wait_until, weightctl, weightfs, work_folders)

NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']


# ------------------------------------------------------------------------------------------ --lazy

def test_lazy_saves_when_the_last_file_is_closed(plain):
    with Mount(plain) as m:
        file = open(m.file('tiny'), 'r+b', buffering=0)
        os.pwrite(file.fileno(), b'before', 0)
        done = weightfs('-u', '--lazy', m.path)
        assert done.returncode == FINE and 'detached' in done.stderr
        assert not m.mounted()
        os.pwrite(file.fileno(), b'behind', 6)
        assert os.pread(file.fileno(), 12, 0) == b'beforebehind'
        file.close()
        m.ended()
        assert 'saved' in m.full_log()
    assert cat(plain, 'tiny')[:12] == b'beforebehind'
    assert work_folders(plain) == []
    assert_sound(plain)


def test_lazy_without_open_files_saves_at_once(plain):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        assert weightfs('-u', '--lazy', m.path).returncode == FINE
        m.ended()
    assert cat(plain, 'tiny') == content


def test_lazy_waits_for_a_map_and_takes_its_pages(plain, plain_contents):
    with Mount(plain) as m:
        with open(m.file('pages'), 'r+b') as file:
            view = mmap.mmap(file.fileno(), 0)
        assert weightfs('-u', '--lazy', m.path).returncode == FINE
        view[7000:7004] = b'late'
        view.close()
        m.ended()
    assert cat(plain, 'pages') == \
        plain_contents['pages'][:7000] + b'late' + plain_contents['pages'][7004:]


# --------------------------------------------------------------------------------- dirty map pages

def test_u_takes_what_is_dirty_in_a_map_and_finds_its_holder(plain, plain_contents):
    script = ('import mmap, time; f = open({!r}, "r+b"); v = mmap.mmap(f.fileno(), 0); f.close(); '
              'v[9:13] = b"held"; print("ready", flush=True); time.sleep(1000)')
    expected = plain_contents['pages'][:9] + b'held' + plain_contents['pages'][13:]
    with Mount(plain) as m:
        command = ['python3', '-c', script.format(str(m.file('pages')))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout.readline() == 'ready\n'
            code, said = m.unmount()
            assert code == BUSY and f'process {holder.pid} ' in said
            assert cat(plain, 'pages') == expected
            holder.kill()
        assert m.unmount() == (FINE, '')


# -------------------------------------------------------------------------------- who may, and how

@pytest.mark.parametrize('options', [[], ['allow_other']], ids=['alone', 'allow_other'])
@pytest.mark.parametrize('lazily', [[], ['--lazy']], ids=['', '--lazy'])
def test_another_user_is_told_whose_it_is(plain, root, options, lazily):
    with Mount(plain, *options) as m:
        content = edit(m.file('tiny'))
        m.path.chmod(0o755) if options else None
        done = run(*NOBODY, BUILD / 'weightfs', '-u', *lazily, m.path)
        assert done.returncode == SAVE_FAILED
        assert 'another user, root (0)' in done.stderr and done.stderr.count('\n') == 1
        assert m.mounted() and m.file('tiny').read_bytes() == content
    assert cat(plain, 'tiny') == content


# In a mount namespace of its own, where everybody may open /dev/fuse. Root is not let in.
BY_ROOT = """
set -e
cd {folder}
mknod fuse c 10 229 && chmod 666 fuse && mount --bind fuse /dev/fuse || exit 77
{nobody} {build}/weightfs plain/plain m -o logfile={folder}/log
printf edited | {nobody} dd of=m/variables/tiny conv=notrunc status=none
! ls m/variables 2>/dev/null
{command} m
! mountpoint -q m
"""


@pytest.fixture
def of_nobody(plain, root):
    """A folder of another user, with a model."""
    folder = Path(tempfile.mkdtemp(prefix='weightfs-'))  # no user gets into those of pytest
    shutil.copytree(plain.parent, folder / 'plain')
    (folder / 'm').mkdir()
    for path in (folder, *folder.rglob('*')):
        os.chown(path, 65534, 65534)
    (folder / 'umount.fuse.weightfs').symlink_to(BUILD / 'weightfs')
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize('command', ['{build}/weightfs -u', './umount.fuse.weightfs'])
def test_root_unmounts_what_another_user_has_mounted(of_nobody, command):
    words = {'folder': of_nobody, 'build': BUILD, 'nobody': ' '.join(NOBODY)}
    done = run('unshare', '-m', 'bash', '-c',
               BY_ROOT.format(**words, command=command.format(**words)))
    if done.returncode == 77 or 'unshare: ' in done.stderr:
        pytest.skip(f'only root can mount here: {done.stderr}')
    assert done.returncode == FINE, done.stderr
    assert 'nobody (65534)' in done.stderr and 'log' in done.stderr
    wait_until(lambda: 'saved' in (of_nobody / 'log').read_text(), 'the daemon has saved')
    assert cat(of_nobody / 'plain/plain', 'tiny')[:6] == b'edited'


def test_without_a_terminal_or_any_descriptor(plain):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        done = bash(f'setsid -w {shlex.quote(str(BUILD))}/weightfs -u {m.path} <&- >&- 2>&-')
        assert done.returncode == FINE
        m.ended()
    assert cat(plain, 'tiny') == content


def test_on_a_terminal_it_shows_progress_and_the_verdict(large):
    with Mount(large, 'compact') as m:
        edit(m.file('block/07'))
        parent, child = pty.openpty()
        with subprocess.Popen([BUILD / 'weightfs', '-u', m.path], env=environment(),
                              stderr=child) as process:
            os.close(child)
            shown = read_all(parent)
        assert process.returncode == FINE
        m.ended()
    assert 'saving' in shown and '%' in shown
    lines = shown.replace('\x1b[K', '').split()
    assert ' '.join(lines[-3:]) == '1 tensor written'


def read_all(fd):
    parts = []
    try:
        while part := os.read(fd, 4096):
            parts.append(part)
    except OSError as error:  # the other end is closed
        assert error.errno == errno.EIO
    os.close(fd)
    return b''.join(parts).decode()


# ----------------------------------------------------------------------------------- its own death

@pytest.mark.parametrize('size', ['plain', 'large'])
def test_killed_in_the_middle_it_leaves_a_mount_that_works_or_none(request, size):
    prefix = request.getfixturevalue(size)
    name = {'plain': 'tiny', 'large': 'block/07'}[size]
    rng = random.Random(7)
    for _ in range(6):
        with Mount(prefix) as m:
            content = edit(m.file(name))
            with subprocess.Popen([BUILD / 'weightfs', '-u', m.path], env=environment(),
                                  stderr=subprocess.DEVNULL) as process:
                time.sleep(rng.uniform(0, 0.05))
                process.kill()
            if m.mounted():
                content = content[::-1]
                m.file(name).write_bytes(content)
                assert m.unmount()[0] == FINE
            else:
                m.ended()
        assert cat(prefix, name) == content
        assert work_folders(prefix) == []
    assert_sound(prefix)


# ------------------------------------------------------------------------- the death of the daemon

@pytest.fixture
def deadly(monkeypatch, tmp_path):
    """A daemon that saves while files are open for writing is killed."""
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin/sync').write_text('#!/bin/sh\nkill -9 $PPID\n')
    (tmp_path / 'bin/sync').chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}/bin:{os.environ["PATH"]}')


@contextlib.contextmanager
def open_to_the_end(path):
    """Open for writing; the close may hear that the daemon is dead."""
    fd = os.open(path, os.O_RDWR)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.close(fd)


def test_u_whose_daemon_dies_detaches_and_says_where_the_edits_are(plain, deadly):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        with open_to_the_end(m.file('page')):
            done = weightfs('-u', m.path)
        assert done.returncode == SAVE_FAILED and not m.mounted()
        assert 'still mounted' not in done.stderr and 'had died; detached it' in done.stderr
        assert f'kept in {plain}.weightfs' in done.stderr
        m.over = True
    with Mount(plain) as m:
        assert m.file('tiny').read_bytes() == content


def test_a_commit_whose_daemon_dies_says_so(plain, deadly):
    with Mount(plain) as m:
        edit(m.file('tiny'))
        with open_to_the_end(m.file('page')):
            done = weightctl('commit', m.path)
        assert done.returncode == SAVE_FAILED and 'died meanwhile' in done.stderr
        m.over = True


# -------------------------------------------------------------------------------------- full disks

def test_a_full_disk_that_is_made_larger(small_disk, large_tensors):
    """The mount goes on with its edits, and the same command saves them then."""
    disk = small_disk(3000)
    prefix = write_bundle(disk / 'large', {name: large_tensors[name] for name in
                                           sorted(large_tensors)[:4]})
    with Mount(prefix) as m:
        content = edit(m.file('block/01'))
        code, said = m.unmount()
        assert code == SAVE_FAILED
        assert 'No space left' in said and 'still mounted' in said and 'kept in' in said
        with open(m.file('block/02'), 'r+b', buffering=0) as file, fails(errno.ENOSPC):
            while True:
                os.write(file.fileno(), bytes(1 << 16))
        assert m.file('block/01').read_bytes() == content
        small_disk(20000)
        wait_until(lambda: m.status()['state'] == 'failed', 'the status tells of it')
        second = edit(m.file('block/02'))
        assert m.unmount()[0] == FINE
    assert (cat(prefix, 'block/01'), cat(prefix, 'block/02')) == (content, second)
    assert_sound(prefix)
