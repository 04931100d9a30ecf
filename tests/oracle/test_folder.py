"""A folder of checkpoints beside the TensorFlow that fills it."""

import os
import shutil
import struct

from mounting import Mount, assert_sound, wait_until

W = 'variables/w'


def filled(value):
    return struct.pack('<1000f', *[float(value)] * 1000)


def listed(m):
    return sorted(set(os.listdir(m.path)) - {'.weightfs', 'latest'})


def latest(m):
    path = m.path / 'latest'
    return os.readlink(path) if path.is_symlink() else None


def test_each_step_of_a_training_run_is_seen(tensorflow, tmp_path):
    folder = os.fspath(tmp_path / 'run')
    tensorflow.save_checkpoint(folder, 1)
    with Mount(folder) as m:
        for step in range(2, 9):
            kept = tensorflow.save_checkpoint(folder, step)
            assert listed(m) == sorted(kept)
            assert latest(m) == tensorflow.latest_checkpoint(folder) == f'ckpt-{step}'
            for name in kept:
                assert (m.path / name / W).read_bytes() == filled(name.removeprefix('ckpt-'))
            assert (m.path / 'latest' / W).read_bytes() == filled(step)
        with open(m.path / 'ckpt-6' / W, 'rb', buffering=0) as file:
            assert file.read(4) == filled(6)[:4]
            tensorflow.save_checkpoint(folder, 9)
            assert 'ckpt-6' not in listed(m)
            assert os.pread(file.fileno(), 4000, 0) == filled(6)


def test_training_goes_on_from_what_was_edited(tensorflow, tmp_path):
    folder = os.fspath(tmp_path / 'run')
    for step in (1, 2):
        tensorflow.save_checkpoint(folder, step)
    with Mount(folder) as m:
        for name in ('ckpt-1', 'ckpt-2'):
            (m.path / name / W).write_bytes(filled(-int(name[-1])))
    assert_sound(folder)
    assert tensorflow.restore_latest(folder)[2] == filled(-2)
    tensorflow.save_checkpoint(folder, 3)
    assert tensorflow.checkpoint(f'{folder}/ckpt-1')['w/.ATTRIBUTES/VARIABLE_VALUE'][2] == filled(-1)
    assert tensorflow.save_checkpoint(folder, 4) == ['ckpt-2', 'ckpt-3', 'ckpt-4']
    assert not [name for name in os.listdir(folder) if name.startswith('ckpt-1')]


def test_absolute_paths_of_tensorflow_1(tensorflow, tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    tensorflow.save_session(os.fspath(folder), [10, 20, 30])
    with Mount(folder) as m:
        assert listed(m) == ['model.ckpt-20', 'model.ckpt-30']
        assert latest(m) == tensorflow.latest_checkpoint(os.fspath(folder)) == 'model.ckpt-30'
        assert (m.path / 'latest' / W).read_bytes() == filled(30)
    moved = shutil.move(folder, tmp_path / 'moved')
    # TensorFlow finds nothing there any more; what was meant is plain.
    assert tensorflow.latest_checkpoint(os.fspath(moved)) is None
    with Mount(moved) as m:
        assert latest(m) == 'model.ckpt-30'


def test_the_latest_one_is_gone(tensorflow, tmp_path):
    folder = os.fspath(tmp_path / 'run')
    for step in (1, 2):
        tensorflow.save_checkpoint(folder, step)
    with Mount(folder) as m:
        assert latest(m) == 'ckpt-2'
        os.unlink(f'{folder}/ckpt-2.index')
        assert tensorflow.latest_checkpoint(folder) is None
        assert latest(m) is None
        wait_until(lambda: listed(m) == ['ckpt-1'], 'it is not listed')
