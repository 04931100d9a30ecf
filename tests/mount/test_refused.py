"""Writes and saves that are refused: what they leave behind, and what is said."""

import errno
import os
import shutil

from mounting import FINE, Mount, fails, work_folders

BIAS = 'layer_with_weights-0/bias'


def replace_all(folder):
    """Each file by a copy of itself."""
    for path in [path for path in folder.iterdir() if path.is_file()]:
        shutil.copy(path, folder / 'fresh')
        (folder / 'fresh').rename(path)


def test_a_write_to_a_model_that_was_replaced_leaves_nothing(copy_of):
    model = copy_of('mlp_weights/mlp')
    with Mount(model) as m:
        content = m.file(BIAS).read_bytes()
        replace_all(model.parent)
        with open(m.file(BIAS), 'r+b', buffering=0) as file, fails(errno.ESTALE):
            os.pwrite(file.fileno(), bytes(4), 0)
        assert 'changed since the mount' in m.log() and 'work folder' not in m.log()
        assert m.pending() == set() and work_folders(model) == []
        assert m.file(BIAS).read_bytes() == content
        assert m.unmount() == (FINE, '')


def test_a_write_without_space_is_no_edit(small_disk, copy_of):
    disk = small_disk(2000)
    model = shutil.copytree(copy_of('mlp_weights'), disk / 'mlp') / 'mlp'
    with Mount(model) as m:
        content = m.file(BIAS).read_bytes()
        with open(disk / 'filler', 'wb', buffering=0) as file, fails(errno.ENOSPC):
            while True:
                file.write(bytes(4096))
        os.truncate(disk / 'filler', (disk / 'filler').stat().st_size - 2 * 4096)
        with open(m.file(BIAS), 'r+b', buffering=0) as file, fails(errno.ENOSPC):
            os.pwrite(file.fileno(), bytes(4), 0)
        assert m.pending() == set() and m.file(BIAS).read_bytes() == content
        assert m.unmount() == (FINE, '')
