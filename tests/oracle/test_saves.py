"""However a model is edited and saved, TensorFlow loads it, and each value is the right one."""

import os
import random
import subprocess

import numpy as np
import pytest

from editing import WAYS, check, edit_some, editable, prefix_of, rows_of
from models import TARGETS
from mounting import FINE, Mount, assert_sound, edit, weightctl

WITH_TENSORS = [t for t in TARGETS if t.tensors]
# One of each make: a SavedModel of Keras and of TensorFlow 1, object-based and name-based
# checkpoints, all dtypes, slices, shards.
SOME = [t for t in WITH_TENSORS if repr(t) in (
    'mlp', 'tf1', 'vocab', 'train/ckpt-5', 'dtypes/dtypes', 'sliced/sliced', 'sharded/sharded')]


def seeded(*what):
    return random.Random(' '.join(map(str, what)))


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('target', WITH_TENSORS, ids=repr)
def test_some_tensors_edited_and_all_read_right(copy_of, tensorflow, target, way):
    model = copy_of(target.argument)
    with Mount(model) as m:
        edited = edit_some(seeded(target, way), m, way)
    assert_sound(model)
    check(tensorflow, model, target, edited)


@pytest.mark.parametrize('target', SOME, ids=repr)
def test_all_tensors_edited(copy_of, tensorflow, target):
    model = copy_of(target.argument)
    with Mount(model) as m:
        edited = edit_some(seeded(target), m, share=1)
        assert len(edited) == sum(editable(m, row) for row in rows_of(m).values())
    check(tensorflow, model, target, edited)


# ------------------------------------------------------------------------------ numpy.save itself

LAYOUTS = {
    'as it is': lambda a: a, 'big-endian': lambda a: a.astype(a.dtype.newbyteorder('>')),
    'Fortran order': lambda a: np.asarray(a, order='F'),
    'both': lambda a: np.asarray(a, a.dtype.newbyteorder('>'), order='F'),
}


@pytest.mark.parametrize('layout', LAYOUTS)
def test_what_numpy_saves(copy_of, tensorflow, layout):
    prefix, expected = copy_of('dtypes/dtypes'), {}
    rng = np.random.default_rng(1)
    with Mount(prefix) as m:
        for name, row in rows_of(m).items():
            path = m.path / 'npy' / f'{os.path.relpath(row["path"], "variables")}.npy'
            if not path.exists() or (old := np.load(path)).dtype.kind == 'V':
                continue
            new = rng.permutation(old.ravel()).reshape(old.shape)[..., ::-1] if old.ndim else old
            np.save(path, LAYOUTS[layout](new))
            expected[name] = np.ascontiguousarray(new).tobytes()
    found = tensorflow.checkpoint(str(prefix))
    assert len(expected) > 30
    assert {name: found[name][2] for name in expected} == expected


def test_what_numpy_writes_through_a_map(copy_of, tensorflow):
    model = copy_of('mlp')
    with Mount(model) as m:
        view = np.load(m.path / 'npy/layer_with_weights-0/kernel.npy', mmap_mode='r+')
        view[100:200] *= 2
        view.flush()
        expected = view.tobytes()
        del view
    found = tensorflow.checkpoint(prefix_of(model))
    assert found['layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE'][2] == expected


# ------------------------------------------------------------------------------------ ways to save

@pytest.mark.parametrize('target', SOME, ids=repr)
def test_several_commits_while_mounted(copy_of, tensorflow, target):
    model, edited = copy_of(target.argument), {}
    with Mount(model) as m:
        for i in range(3):
            edited |= edit_some(seeded(target, i), m, share=0.3)
            m.commit()
            check(tensorflow, model, target, edited)


@pytest.mark.parametrize('saver', ['mount', 'weightctl'])
@pytest.mark.parametrize('target', SOME, ids=repr)
def test_after_a_kill_the_edits_are_saved(copy_of, tensorflow, target, saver):
    model = copy_of(target.argument)
    with Mount(model) as m:
        edited = edit_some(seeded(target), m)
        m.give_up()
    check(tensorflow, model, target, {})
    if saver == 'mount':
        with Mount(model) as m:
            edited |= edit_some(seeded(target, 2), m, share=0.2)
    else:
        done = weightctl('commit', model)
        assert done.returncode == FINE, done.stderr
    check(tensorflow, model, target, edited)


@pytest.mark.parametrize('target', SOME, ids=repr)
def test_saved_elsewhere(copy_of, tensorflow, tmp_path, target):
    model, output = copy_of(target.argument), tmp_path / 'elsewhere/model'
    output.parent.mkdir()
    with Mount(model, f'output={output}') as m:
        edited = edit_some(seeded(target), m)
        m.commit()
        edited |= edit_some(seeded(target, 2), m, share=0.2)
    check(tensorflow, model, target, {})
    check(tensorflow, output, target, edited)


def restore(model):
    """The one command of weightfs(1)."""
    if model.is_dir():
        command = 'rm -r "$1" && mv "$1.bak" "$1"'
    else:
        command = 'rm "$1".data-* && for f in "$1".bak.[id]*; do mv "$f" "$1${f#"$1".bak}"; done'
    done = subprocess.run(['bash', '-ec', command, 'bash', model], capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('target', SOME, ids=repr)
def test_a_backup_is_a_model_and_can_be_put_back(copy_of, tensorflow, target):
    model = copy_of(target.argument)
    backup = model.with_name(model.name + '.bak')
    with Mount(model, 'backup') as m:
        first = edit_some(seeded(target), m)
    check(tensorflow, backup, target, {})
    with Mount(model, 'backup') as m:
        second = edit_some(seeded(target, 2), m)
    check(tensorflow, backup, target, first)
    check(tensorflow, model, target, {**first, **second})
    restore(model)
    check(tensorflow, model, target, first)
    assert_sound(model)


# ------------------------------------------------------------------------------------ large models

class Large:
    """What is to be in a large model, and whether TensorFlow finds it there."""

    def __init__(self, prefix, tensors):
        self.rng, self.prefix = random.Random(5), prefix
        self.tensors, self.expected = tensors, {}

    def edit(self, m):
        for name in self.rng.sample(sorted(self.tensors), 2):
            self.expected[name] = edit(m.file(name))

    def check(self, tensorflow, prefix=None):
        found = tensorflow.checkpoint(str(prefix or self.prefix))
        assert found.keys() == self.tensors.keys()
        for name, (_, _, content) in self.tensors.items():
            assert found[name][2] == self.expected.get(name, content.content()), name

    def shards(self):
        return sorted(path.name for path in self.prefix.parent.glob('large.data-*'))


@pytest.fixture
def huge(large, large_tensors):
    return Large(large, large_tensors)


@pytest.mark.parametrize('how', ['mount', 'weightctl'])
def test_a_large_model_compacted(huge, tensorflow, how):
    for _ in range(3):
        with Mount(huge.prefix) as m:
            huge.edit(m)
    assert len(huge.shards()) > 1
    if how == 'weightctl':
        done = weightctl('compact', huge.prefix)
        assert done.returncode == FINE, done.stderr
    else:
        with Mount(huge.prefix, 'compact') as m:
            huge.edit(m)
    assert len(huge.shards()) == 1
    huge.check(tensorflow)


def test_a_large_model_recovered_saved_elsewhere_and_put_back(huge, tensorflow, tmp_path):
    with Mount(huge.prefix, 'backup') as m:
        huge.edit(m)
        m.give_up()
    with Mount(huge.prefix, 'backup') as m:
        m.commit()
        huge.check(tensorflow)
        before = dict(huge.expected)
        huge.edit(m)
    huge.check(tensorflow)
    with Mount(huge.prefix, f'output={tmp_path / "else"}') as m:
        kept = dict(huge.expected)
        huge.edit(m)
    huge.check(tensorflow, tmp_path / 'else')
    huge.expected = kept
    huge.check(tensorflow)
    restore(huge.prefix)
    huge.expected = before
    huge.check(tensorflow)


# --------------------------------------------------------------------------------------- programs

@pytest.mark.parametrize('model', ['mlp', 'nested', 'vocab', 'keras3'])
def test_all_variables_that_a_saved_model_restores(copy_of, tensorflow, model):
    path = copy_of(model)
    with Mount(path) as m:
        edited = edit_some(seeded(model), m, share=1)
    found = [content for _, _, content in tensorflow.module_variables(str(path))]
    own = {name: value for name, value in edited.items()
           if 'optimizer' not in name.lower() and 'save_counter' not in name}
    assert len(own) >= 2
    assert set(own.values()) <= set(found) <= set(edited.values())


def test_keras_loads_a_model_from_each_place(copy_of, tensorflow, tmp_path):
    """load_model() of the model, of its backup, and of one saved elsewhere."""
    model, kernels = copy_of('mlp'), {}
    original = tensorflow.keras_model(str(model), None)[0]

    def weights_of(path):
        return tensorflow.keras_model(str(path), None)[0][2]

    with Mount(model, f'output={tmp_path / "output"}') as m:
        kernels['output'] = edit(m.file('layer_with_weights-1/kernel'))
    assert weights_of(tmp_path / 'output')[2] == kernels['output']
    assert weights_of(model) == original[2]
    with Mount(model, 'backup', 'compact') as m:
        kernels['model'] = edit(m.file('layer_with_weights-1/kernel'))
    assert weights_of(model)[2] == kernels['model']
    assert weights_of(tmp_path / 'mlp.bak') == original[2]


def test_a_training_goes_on_after_a_kill_and_a_recovery(copy_of, tensorflow):
    prefix = copy_of('train/ckpt-5')
    with Mount(prefix) as m:
        content = edit(m.file('net/l1/kernel'))
        m.give_up()
    assert weightctl('commit', prefix).returncode == FINE
    assert tensorflow.restore(str(prefix), False)['kernel'][2] == content
