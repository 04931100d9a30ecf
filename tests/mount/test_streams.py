"""Programs that are started with closed descriptors, or with places that cannot be used."""

import errno
import os
import subprocess

import pytest

from mounting import (BUILD, FINE, LIMIT, NOT_MOUNTABLE, USAGE, Mount, assert_sound, bash, cat,
                      edit, environment, fails, snapshot, wait_until, weightfs)

CLOSINGS = ['<&-', '>&-', '2>&-', '<&- 2>&-', '>&- 2>&-', '<&- >&- 2>&-']


@pytest.mark.parametrize('closing', CLOSINGS)
def test_a_daemon_without_streams_reads_and_saves(plain, tmp_path, closing):
    (tmp_path / 'm').mkdir()
    before = cat(plain, 'pages')
    assert bash(f'{BUILD}/weightfs {plain} {tmp_path}/m {closing}').returncode == FINE
    try:
        files = tmp_path / 'm/variables'
        assert (files / 'pages').read_bytes() == before
        with fails(errno.EPERM):
            (files / 'new').touch()
        content = edit(files / 'tiny')
    finally:
        assert weightfs('-u', tmp_path / 'm').returncode == FINE
    assert cat(plain, 'tiny') == content
    assert_sound(plain)


@pytest.mark.parametrize('closing', CLOSINGS)
def test_in_the_foreground_without_streams_no_message_goes_into_the_model(plain, tmp_path, closing):
    (tmp_path / 'm').mkdir()
    before = snapshot(plain.parent)
    daemon = subprocess.Popen(
        ['bash', '-c', f'exec {BUILD}/weightfs {plain} {tmp_path}/m -f {closing}'],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment())
    wait_until(lambda: os.path.ismount(tmp_path / 'm'), 'it is mounted')
    with fails(errno.EPERM):
        (tmp_path / 'm/foo').touch()
    assert weightfs('-u', tmp_path / 'm').returncode == FINE
    assert daemon.wait(LIMIT) == FINE
    assert snapshot(plain.parent) == before


@pytest.mark.parametrize('closing', CLOSINGS)
def test_a_commit_without_streams_saves(plain, closing):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        m.give_up()
    assert bash(f'{BUILD}/weightctl commit {plain} {closing}').returncode == FINE
    assert cat(plain, 'tiny') == content
    assert_sound(plain)


def test_a_log_file_that_cannot_be_written_is_told_before_the_mount(plain, tmp_path):
    (tmp_path / 'm').mkdir()
    done = weightfs(plain, tmp_path / 'm', '-o', 'logfile=/nonexistent/x')
    assert done.returncode == NOT_MOUNTABLE
    assert '/nonexistent/x' in done.stderr and 'No such file' in done.stderr
    assert weightfs(plain, tmp_path / 'm', '-o', 'logfile=').returncode == USAGE


def test_nothing_is_mounted_over_the_root(tmp_path):
    """With no model: were it not refused, nothing would be mounted all the same."""
    done = weightfs(tmp_path / 'none', '/')
    assert done.returncode == NOT_MOUNTABLE
    assert 'over /' in done.stderr


def test_the_files_of_an_idle_mount_keep_their_times(mount):
    files = [mount.path / '.weightfs' / name for name in ('status', 'log', 'control', 'version')]
    before = [file.stat().st_mtime_ns for file in files]
    assert bash(f'tar cf - -C {mount.path} . >/dev/null').returncode == FINE
    assert [file.stat().st_mtime_ns for file in files] == before
