"""umount.fuse.weightfs, which umount(8) runs for our mounts where it is installed."""

import pytest

from mounting import BUILD, BUSY, FINE, USAGE, Mount, cat, edit, run


@pytest.fixture
def helper(tmp_path):
    link = tmp_path / 'umount.fuse.weightfs'
    link.symlink_to(BUILD / 'weightfs')
    return link


def test_it_saves_before_it_returns(plain, helper):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        done = run(helper, m.path, '-n', '-v', '-t', 'fuse.weightfs')
        assert done.returncode == FINE and '1 tensor written' in done.stderr
        m.ended()
    assert cat(plain, 'tiny') == content


def test_what_is_busy_stays_and_lazy_detaches(plain, helper):
    with Mount(plain) as m:
        with m.file('tiny').open('rb'):
            assert run(helper, m.path).returncode == BUSY
            assert m.mounted()
            assert run(helper, m.path, '-l').returncode == FINE
        m.ended()


def test_it_wants_one_mountpoint(helper):
    assert run(helper).returncode == USAGE
    assert run(helper, 'a', 'b').returncode == USAGE
