"""What a mount says of a Keras model is what Keras makes the same model of."""

import json
import math
from pathlib import Path

import pytest

from models import TARGETS
from mounting import Mount

KERAS = [t for t in TARGETS if 'from_saved' in t.truth.get('keras', {})]
CHECKPOINTS = [t for t in TARGETS if 'architecture' in t.checkpoint]


def sizes(target):
    """The bytes of each weight, in the order of get_weights()."""
    found = {t['sha256']: t['bytes'] for t in target.tensors.values() if 'bytes' in t}
    return [found[weight] for weight in target.truth['keras']['weights']]


@pytest.mark.parametrize('target', KERAS, ids=repr)
def test_config_json_makes_the_same_model(copy_of, tensorflow, target):
    with Mount(copy_of(target.argument)) as m:
        text = (m.path / 'config.json').read_text()
    to_json, shapes = tensorflow.keras_from_json(text)
    if target.truth['producer']['tf_keras'] == '2.21.0':
        assert (to_json, shapes) == tensorflow.keras_from_json(target.truth['keras']['to_json'])
        assert to_json == target.truth['keras']['to_json']
    if target.model != 'nested':  # Keras's own text makes two models of its shared one
        assert [4 * math.prod(shape) for shape in shapes] == sizes(target)


def test_config_json_of_fresh_models_is_as_good_as_what_keras_prints(saved):
    """Where Keras makes no model of its own text (a Lambda), it says the same of ours."""
    ours, own = {}, {name: t['to_json'] for name, t in saved.truth.items() if t['to_json']}
    for name in own:
        with Mount(saved.folder / name, 'ro') as m:
            ours[name] = (m.path / 'config.json').read_text()
    script = Path(__file__).with_name('from_json.py')
    both = [json.loads(saved.run(script, input=json.dumps(texts).encode()).stdout)
            for texts in (ours, own)]
    assert both[0] == both[1]
    assert sum(isinstance(made, list) for made in both[0].values()) >= 12


@pytest.mark.parametrize('target', CHECKPOINTS, ids=repr)
def test_the_architecture_in_a_checkpoint_makes_a_model(copy_of, tensorflow, target):
    with Mount(copy_of(target.argument)) as m:
        text = (m.path / 'config.json').read_text()
    assert tensorflow.keras_from_json(text)[1] == [[1, 1], [1]]


@pytest.mark.parametrize('model', ['spelled', 'old_keras'])
def test_training_config_json_is_what_load_model_compiles_with(copy_of, tensorflow, model):
    with Mount(copy_of(model)) as m:
        training = json.loads((m.path / 'training_config.json').read_text())
    name, rate = tensorflow.keras_optimizer(str(m.model))
    assert training['loss'] == 'mse'
    assert training['optimizer_config']['class_name'] == f'Custom>{name}'
    assert training['optimizer_config']['config']['learning_rate'] == pytest.approx(rate)
