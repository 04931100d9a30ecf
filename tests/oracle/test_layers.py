"""layers/ of models that Keras has just saved, beside model.layers and get_weights()."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models import sha
from mounting import Mount

HERE = Path(__file__).resolve().parent
# The other one has TensorFlow 2.15, whose Keras is the last of the second generation.
PYTHONS = [p for p in (sys.executable, os.environ.get('WEIGHTFS_OLD_TF_PYTHON')) if p]
MODELS = ('functional', 'sequential', 'deferred', 'one_layer', 'recurrent', 'nested', 'attention',
          'custom', 'blocks', 'counting', 'subclassed', 'lone', 'outer', 'tied', 'preprocessing',
          'operators', 'embedding')

# A checkpoint of weights does not tell these names: what its graph has is shown.
FROM_GRAPH = {
    'nested': {'inner': 'layer-1', 'middle': 'layer-3'},
    'outer': {'sequential': 'tower'},
    'tied': {'b': 'layer-2'},
    'preprocessing': {'normalise': 'layer-1'},
}
# Nor does it tell which weights are trained, and these come before the others.
UNORDERED = {'counting'}


@pytest.fixture(scope='module', params=PYTHONS, ids=lambda p: 'this' if p == sys.executable else
                'old')
def saved(request, tmp_path_factory):
    """A folder with all models, and the truth about them."""
    folder = tmp_path_factory.mktemp('keras')
    done = subprocess.run([request.param, HERE / 'keras_models.py', folder], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    truth = json.loads(done.stdout)
    assert truth.keys() == set(MODELS)
    return folder, truth


def listed(folder):
    return [entry.name for entry in os.scandir(folder) if not entry.name.endswith('.npy')]


def layers_of(model):
    """[[layer, [path of a weight]]] and the content of each path."""
    with Mount(model, 'ro') as m:
        layers, content = m.path / 'layers', {}
        found = [[layer, [os.path.realpath(layers / layer / name)
                          for name in listed(layers / layer)]] for layer in listed(layers)]
        for _, paths in found:
            content.update({path: sha(Path(path).read_bytes()) for path in paths})
    return found, content


def check(model, layers, weights):
    found, content = layers_of(model)
    assert [name for name, _ in found] == [name for name, _ in layers]
    assert [[content[path] for path in paths] for _, paths in found] == [w for _, w in layers]
    assert list(content.values()) == weights


@pytest.mark.parametrize('name', MODELS)
def test_a_saved_model_has_the_order_of_keras(saved, name):
    folder, truth = saved
    layers = [(layer.replace('/', '.'), weights) for layer, weights in truth[name]['layers']]
    check(folder / name, layers, truth[name]['weights'])


@pytest.mark.parametrize('name', MODELS)
def test_weights_alone_have_the_order_of_keras(saved, name):
    folder, truth = saved
    renamed = FROM_GRAPH.get(name, {})
    layers = [(renamed.get(layer, layer).replace('/', '.'), weights)
              for layer, weights in truth[name]['layers'] if weights]
    if name not in UNORDERED:
        check(folder / f'{name}.w', layers, truth[name]['weights'])
        return
    found, content = layers_of(folder / f'{name}.w')
    assert [(layer, {content[path] for path in paths}) for layer, paths in found] == [
        (layer, set(weights)) for layer, weights in layers]
