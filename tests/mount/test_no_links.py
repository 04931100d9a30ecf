"""Where no hard links can be made old shards are copied, and that is said with its cost.

Linux lets nobody link another user's files (fs.protected_hardlinks): a save by such a user is one
that cannot link.
"""

import os
import shutil
from pathlib import Path

import pytest

from fixtures import skip_or_fail
from mounting import FINE, Mount, assert_sound, cat, run, weightctl

NOBODY = 65534
PROTECTED = Path('/proc/sys/fs/protected_hardlinks')


@pytest.fixture
def cannot_link(root):
    if PROTECTED.read_text().strip() != '1':
        skip_or_fail('this system protects no hard links')


@pytest.fixture
def pending(large):
    """A large model of root's, with an edit that nobody (the user) is to save."""
    with Mount(large) as m:
        with m.file('block/03').open('r+b') as file:
            file.write(b'abcd')
            os.fsync(file.fileno())
        m.give_up()
    work = large.with_name('large.weightfs')
    for path in (work, *work.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    for folder in (large.parent, *large.parent.parents):
        folder.chmod(folder.stat().st_mode | 0o001)
    large.parent.chmod(0o777)
    return large


def test_what_cannot_be_linked_is_copied_and_said(pending, cannot_link, tmp_path):
    before = cat(pending, 'block/03')
    program = shutil.copy(Path(os.environ.get('WEIGHTFS_BUILD', 'build')) / 'weightctl', tmp_path)
    done = run('setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups',
               program, 'commit', pending)
    assert done.returncode == FINE, done.stderr
    size = 66 << 20
    assert f'{size} bytes were copied, because hard links cannot be made here' in done.stderr
    assert_sound(pending)
    assert cat(pending, 'block/03') == b'abcd' + before[4:]
    assert sorted(os.listdir(pending.parent)) == [
        'large.data-00000-of-00002', 'large.data-00001-of-00002', 'large.index']


def test_what_can_be_linked_is_not_copied(large):
    inode = large.with_name('large.data-00000-of-00001').stat().st_ino
    with Mount(large) as m:
        m.file('block/03').write_bytes(bytes(1 << 20))
        code, said = m.unmount()
    assert code == FINE and 'copied' not in said
    assert large.with_name('large.data-00000-of-00002').stat().st_ino == inode
    assert weightctl('check', large).returncode == FINE
