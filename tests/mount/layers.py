"""What tests/data/make_layers.py made, beside what a mount shows of it; for tests/oracle too."""

import os
from pathlib import Path

from models import sha
from mounting import Mount

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


def listed(folder):
    """As `ls -U` has it, without the .npy and the .txt."""
    return [entry.name for entry in os.scandir(folder)
            if not entry.name.endswith(('.npy', '.txt'))]


def layers_of(model):
    """[[layer, [path of a weight]]], and the digest of what each path has."""
    with Mount(model, 'ro') as m:
        layers, digests = m.path / 'layers', {}
        found = [[layer, [os.path.realpath(layers / layer / name)
                          for name in listed(layers / layer)]] for layer in listed(layers)]
        for _, paths in found:
            digests.update({path: sha(Path(path).read_bytes()) for path in paths})
    return found, digests


def check_saved_model(folder, name, truth):
    found, digests = layers_of(folder / name)
    check(found, digests, [(layer.replace('/', '.'), w) for layer, w in truth['layers']])
    assert list(digests.values()) == truth['weights']


def check_weights(folder, name, truth):
    """Of a checkpoint of weights; layers without any are not known from it."""
    found, digests = layers_of(folder / f'{name}.w')
    renamed = FROM_GRAPH.get(name, {})
    layers = [(renamed.get(layer, layer).replace('/', '.'), w) for layer, w in truth['layers'] if w]
    if name in UNORDERED:
        assert [(layer, {digests[path] for path in paths}) for layer, paths in found] == [
            (layer, set(weights)) for layer, weights in layers]
        return
    check(found, digests, layers)
    assert list(digests.values()) == truth['weights']


def check(found, digests, layers):
    assert [name for name, _ in found] == [name for name, _ in layers]
    assert [[digests[path] for path in paths] for _, paths in found] == [w for _, w in layers]
