"""layers/: Keras's layers in the order of model.layers, their weights in that of get_weights()."""

import errno
import json
import os

import pytest

from layers import MODELS, check_saved_model, check_weights
from models import TARGETS, sha
from mounting import DATA, Mount, assert_sound, cat, edit, fails

KERAS = [t for t in TARGETS if 'keras' in t.truth]
OTHERS = [t for t in TARGETS if 'keras' not in t.truth and t.model != 'object_config']


def listed(folder):
    """As `ls -U` has it."""
    return [entry.name for entry in os.scandir(folder)]


def layers_of(m):
    """[(name, [(name, sha256)])] in the order of the folders."""
    layers = m.path / 'layers'
    return [(layer, [(name, sha((layers / layer / name).read_bytes()))
                     for name in listed(layers / layer) if not name.endswith(('.npy', '.txt'))])
            for layer in listed(layers)]


@pytest.mark.parametrize('target', KERAS, ids=repr)
def test_layers_and_weights_are_in_the_order_of_keras(copy_of, target):
    truth = [(layer['name'], [weight['sha256'] for weight in layer['weights']])
             for layer in target.truth['keras']['layers']]
    if 'from_saved' not in target.truth['keras']:  # nothing names a layer without weights
        truth = [(name, weights) for name, weights in truth if weights]
    with Mount(copy_of(target.argument)) as m:
        found = layers_of(m)
    assert [name for name, _ in found] == [name for name, _ in truth]
    assert [[digest for _, digest in weights] for _, weights in found] == [
        weights for _, weights in truth]


@pytest.mark.parametrize('target', KERAS, ids=repr)
def test_all_layers_together_have_the_weights_of_the_model(copy_of, target):
    with Mount(copy_of(target.argument)) as m:
        layers = m.path / 'layers'
        paths = {os.path.realpath(layers / layer / name): None for layer in listed(layers)
                 for name in listed(layers / layer) if not name.endswith(('.npy', '.txt'))}
        assert [sha(open(path, 'rb').read()) for path in paths] == target.truth['keras']['weights']


@pytest.mark.parametrize('target', KERAS, ids=repr)
def test_a_weight_is_called_by_the_end_of_its_own_name(copy_of, target):
    names = {layer['name']: [weight['name'] for weight in layer['weights']]
             for layer in target.truth['keras']['layers']}
    with Mount(copy_of(target.argument)) as m:
        for layer, weights in layers_of(m):
            assert len({name for name, _ in weights}) == len(weights)
            for (found, _), name in zip(weights, names[layer], strict=True):
                assert ('.' + name.replace('/', '.')).endswith('.' + found)


def test_each_weight_has_its_npy_and_its_text_behind_it(copy_of):
    with Mount(copy_of('mlp')) as m:
        layer = m.path / 'layers/dense_1'
        assert listed(layer) == ['kernel', 'kernel.npy', 'kernel.txt', 'bias', 'bias.npy', 'bias.txt']
        assert os.readlink(layer / 'kernel') == '../../variables/layer_with_weights-0/kernel'
        assert os.readlink(layer / 'bias.npy') == '../../npy/layer_with_weights-0/bias.npy'
        assert os.readlink(layer / 'bias.txt') == '../../text/layer_with_weights-0/bias.txt'


def test_what_is_written_through_a_layer_is_saved(copy_of):
    model = copy_of('nested')
    with Mount(model) as m:
        content = edit(m.path / 'layers/both/forward_lstm_a.lstm_cell.bias')
        assert m.pending() == {'variables/layer_with_weights-2/forward_layer/cell/bias'}
    assert cat(model, 'both/forward_lstm_a/lstm_cell/bias') == content
    assert_sound(model)


def test_layers_themselves_cannot_be_changed(copy_of):
    with Mount(copy_of('mlp')) as m:
        with fails(errno.EPERM):
            (m.path / 'layers/dense_1/kernel').unlink()
        with fails(errno.EPERM):
            (m.path / 'layers/dense_9').mkdir()


@pytest.mark.parametrize('target', OTHERS, ids=repr)
def test_there_are_no_layers_where_there_is_no_keras_model(copy_of, target):
    with Mount(copy_of(target.argument)) as m:
        assert 'layers' not in listed(m.path)


def test_metadata_that_cannot_be_read_cost_the_names_only(copy_of):
    """Layers are then called by their weights, and those without weights are left out."""
    model = copy_of('mlp')
    (model / 'keras_metadata.pb').unlink()
    with Mount(model) as m:
        assert listed(m.path / 'layers') == ['dense_1', 'dense_2', 'predictions']


# ---------------------------------------------------------- saved by the Keras of TensorFlow 2.15

@pytest.fixture(scope='module')
def truth():
    return json.loads((DATA / 'layers/layers.json').read_text())


@pytest.mark.parametrize('name', MODELS)
def test_weights_alone_have_the_order_of_keras(truth, name):
    check_weights(DATA / 'layers', name, truth[name])


def test_layers_within_a_layer_have_the_order_of_keras(truth):
    check_saved_model(DATA / 'layers', 'blocks', truth['blocks'])
