"""Models on file systems that are another program's, and have ways of their own."""

import os
import shutil

import pytest

from fixtures import skip_or_fail
from mounting import FINE, Mount, cat, edit, run, weightctl


@pytest.fixture
def bound(plain, tmp_path):
    """The checkpoint, seen through bindfs: there a file that is removed while it is open lives on
    under another name, as with sshfs and NFS."""
    if not shutil.which('bindfs'):
        skip_or_fail('there is no bindfs')
    (tmp_path / 'bound').mkdir()
    assert run('bindfs', plain.parent, tmp_path / 'bound').returncode == 0
    yield tmp_path / 'bound' / plain.name
    assert run('umount', '-l', tmp_path / 'bound').returncode == 0


@pytest.mark.parametrize('end', ['save', 'discard'])
def test_an_empty_work_folder_does_not_stay(bound, plain_contents, end):
    names = set(os.listdir(bound.parent))
    with Mount(bound) as m:
        content = edit(m.file('pages'))
        with open(m.file('pages'), 'rb') as file:
            assert file.read() == content
            if end == 'discard':
                assert weightctl('discard', m.path).returncode == FINE
            else:
                m.commit()
    assert set(os.listdir(bound.parent)) == names
    assert cat(bound, 'pages') == (content if end == 'save' else plain_contents['pages'])
