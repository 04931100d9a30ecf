"""What was written through a mount is what TensorFlow loads."""

import json
import math
import random
import struct

import pytest

from editing import digest, new_value, rows_of, write_in_place, write_whole
from models import TARGETS, key_of, sha
from mounting import Mount


def write(rng, path, content):
    """In one of the ways that programs do."""
    rng.choice((write_whole, write_in_place))(path, content)


def write_floats(path, values):
    path.write_bytes(struct.pack(f'<{len(values)}f', *values))


def floats(value):
    dtype, _, content = value
    assert dtype == 'float32'
    return struct.unpack(f'<{len(content) // 4}f', content)


def softmax(values):
    exponents = [math.exp(v) for v in values]
    return [e / sum(exponents) for e in exponents]


# ---------------------------------------------------------------------------- each value by itself

def test_every_dtype_can_be_written(copy_of, tensorflow):
    """All of the values, whole; TensorFlow knows them by dtype, shape and bytes."""
    rng, prefix, edited = random.Random(1), copy_of('dtypes/dtypes'), {}
    with Mount(prefix) as m:
        rows = rows_of(m)
        for name, row in rows.items():
            if row['dtype'] != 'string':
                edited[name] = new_value(rng, row)
                write(rng, m.path / row['path'], edited[name])
    found = tensorflow.checkpoint(str(prefix))
    assert len({rows[name]['dtype'] for name in edited}) >= 30
    assert {name: found[name] for name in edited} == {
        name: (rows[name]['dtype'], json.loads(rows[name]['shape']), content)
        for name, content in edited.items()}


# --------------------------------------------------------------------------------- Keras's models

def test_a_keras_model_predicts_what_its_new_weights_say(copy_of, tensorflow):
    model, bias = copy_of('mlp'), [0.1 * i for i in range(10)]
    with Mount(model) as m:
        write_floats(m.file('layer_with_weights-2/kernel'), [0] * 640)
        write_floats(m.file('layer_with_weights-2/bias'), bias)
    expected = pytest.approx(softmax(bias), rel=1e-5)
    inputs = [[0.5] * 784]

    weights, predicted = tensorflow.keras_model(str(model), inputs)
    assert floats(predicted) == expected
    assert floats(weights[4]) == (0,) * 640 and floats(weights[5]) == pytest.approx(bias)
    truth = next(t for t in TARGETS if t.model == 'mlp').truth['keras']['weights']
    assert [digest(weight) for weight in weights[:4]] == truth[:4]
    for load in (tensorflow.module_call, tensorflow.session):
        output, = load(str(model), 'serving_default', {'digits': inputs}).values()
        assert floats(output) == expected


def write_all_layers(m, rng):
    """New values for the weights of mlp, in the order of get_weights()."""
    rows, expected = {row['path']: row for row in rows_of(m).values()}, []
    for i in range(3):
        for name in ('kernel', 'bias'):
            row = rows[f'variables/layer_with_weights-{i}/{name}']
            expected.append(('float32', json.loads(row['shape']), new_value(rng, row)))
            write(rng, m.path / row['path'], expected[-1][2])
    return expected


def test_all_weights_of_a_keras_model(copy_of, tensorflow):
    model = copy_of('mlp')
    with Mount(model) as m:
        expected = write_all_layers(m, random.Random(2))
    weights, _ = tensorflow.keras_model(str(model), None)
    assert weights == expected


def test_weights_for_load_weights(copy_of, tensorflow):
    prefix = copy_of('mlp_weights/mlp')
    with Mount(prefix) as m:
        expected = write_all_layers(m, random.Random(3))
    assert tensorflow.keras_weights(str(prefix)) == expected


def test_a_nested_keras_model(copy_of, tensorflow):
    model = copy_of('nested')
    truth = next(t for t in TARGETS if t.model == 'nested')
    edited = {}
    with Mount(model) as m:
        for row in rows_of(m).values():
            if row['dtype'] == 'float32' and 'optimizer' not in row['path']:
                path = m.path / row['path']
                old = path.read_bytes()
                edited[sha(old)] = sha(old[::-1])
                path.write_bytes(old[::-1])
    weights, _ = tensorflow.keras_model(str(model), None)
    assert [digest(weight) for weight in weights] == \
        [edited[old] for old in truth.truth['keras']['weights']]


@pytest.mark.parametrize('load, copies', [('module_call', 1), ('module_call', 2), ('session', 2)])
def test_a_keras_3_export(copy_of, tensorflow, load, copies):
    """It holds each weight twice, and loaders of TensorFlow 1 take the other copy."""
    model = copy_of('keras3')
    with Mount(model) as m:
        for row in rows_of(m).values():
            if copies == 1 and '_all_variables' in row['path']:
                continue
            if row['variable'] == 'small/last/kernel':
                write_floats(m.path / row['path'], [0] * 6)
            if row['variable'] == 'small/last/bias':
                write_floats(m.path / row['path'], [1.5, -2.5])
    inputs = {'features': [[1.0, 2, 3, 4]]}
    output, = tensorflow.call(load, str(model), 'serving_default', inputs).values()
    assert floats(output) == (1.5, -2.5)


# --------------------------------------------------------------------------------------- programs

@pytest.mark.parametrize('folder, legacy', [('train', False), ('train_slots', True)])
def test_a_training_goes_on_from_edited_values(copy_of, tensorflow, folder, legacy):
    rng, prefix = random.Random(4), copy_of(f'{folder}/ckpt-5')
    with Mount(prefix) as m:
        contents = {}
        for name, row in rows_of(m).items():
            if row['path'] != 'variables/save_counter':
                contents[row['path']] = new_value(rng, row)
                write(rng, m.path / row['path'], contents[row['path']])
    found = {name: content for name, (_, _, content)
             in tensorflow.restore(str(prefix), legacy).items()}
    assert found['step'] == contents['variables/step']
    assert found['kernel'] == contents['variables/net/l1/kernel']
    assert found['bias'] == contents['variables/net/l1/bias']
    slots = {path: content for path, content in contents.items()
             if '.slots/' in path or '_variables/' in path}
    assert len(slots) >= 4
    assert set(slots.values()) <= set(found.values())


def test_a_module_with_a_vocabulary(copy_of, tensorflow):
    model, table = copy_of('vocab'), [float(i * i) for i in range(21)]
    with Mount(model) as m:
        write_floats(m.file('embedding'), table)
        write_floats(m.file('scale'), [2])
    inputs = {'words': ['quick', 'the']}
    for load in (tensorflow.module_call, tensorflow.session):
        found = load(str(model), 'serving_default', inputs)
        assert floats(found['vectors']) == tuple(2 * v for v in table[3:6] + table[0:3])
    assert floats(tensorflow.module_values(str(model), ['embedding'])['embedding']) == tuple(table)


@pytest.mark.parametrize('model, names', [('tf1', ('w', 'layer/b')), ('multi', ('w',))])
def test_models_of_tensorflow_1(copy_of, tensorflow, model, names):
    size = {'tf1': 3, 'multi': 2}[model]
    path, table = copy_of(model), [float(i) for i in range(size * 2)]
    bias = [10.0, 20.0] if 'layer/b' in names else [0.0, 0.0]
    with Mount(path) as m:
        write_floats(m.file('w'), table)
        if 'layer/b' in names:
            write_floats(m.file('layer/b'), bias)
    x = [float(i + 1) for i in range(size)]
    expected = [sum(x[i] * table[2 * i + j] for i in range(size)) + bias[j] for j in range(2)]
    found = tensorflow.session(str(path), 'serving_default', {'x': [x]})
    assert floats(found['y']) == tuple(expected)


def test_a_saver_of_tensorflow_1(copy_of, tensorflow):
    prefix = copy_of('estimator/model.ckpt-20')
    with Mount(prefix) as m:
        write_floats(m.file('dense/kernel'), [1, 2, 3, 4])
        write_floats(m.file('dense/bias'), [5, 6])
    found = tensorflow.saver(str(prefix), {'dense/kernel': [2, 2], 'dense/bias': [2]})
    assert floats(found['dense/kernel']) == (1, 2, 3, 4)
    assert floats(found['dense/bias']) == (5, 6)


# ------------------------------------------------------------------------------------------ shards

def test_shards_merged_into_one(copy_of, tensorflow):
    prefix = copy_of('sharded/sharded')
    target = next(t for t in TARGETS if t.model == 'sharded')
    with Mount(prefix) as m:
        write_floats(m.file('a/kernel'), [6, 5, 4, 3, 2, 1])
    assert len(list(prefix.parent.glob('*.data-*'))) == 1
    found = tensorflow.checkpoint(str(prefix))
    assert floats(found.pop('a/kernel')) == (6, 5, 4, 3, 2, 1)
    assert {name: digest(value) for name, value in found.items()} == \
        {name: t['sha256'] for name, t in target.tensors.items() if name != 'a/kernel'}


@pytest.mark.parametrize('commits', [1, 3, 12])
def test_shards_appended_to_a_large_model(large, large_tensors, tensorflow, commits):
    rng, expected = random.Random(5), {}
    for _ in range(commits):
        with Mount(large) as m:
            for name in rng.sample(sorted(large_tensors), 2):
                expected[name] = rng.randbytes(1 << 20)
                write(rng, m.file(name), expected[name])
    assert len(list(large.parent.glob('*.data-*'))) > 1
    found = tensorflow.checkpoint(str(large))
    assert found.keys() == large_tensors.keys()
    for name, (_, _, content) in large_tensors.items():
        assert found[name][2] == expected.get(name, content.content()), name


def test_keys_that_came_back_are_those_of_the_paths(copy_of, tensorflow):
    prefix = copy_of('names/names')
    with Mount(prefix) as m:
        expected = {}
        for i, path in enumerate(p for p in m.file('').rglob('*') if p.is_file()):
            write_floats(path, [i + 0.5])
            expected[key_of(str(path.relative_to(m.file(''))), False)] = (i + 0.5,)
    assert {name: floats(v) for name, v in tensorflow.checkpoint(str(prefix)).items()} == expected
