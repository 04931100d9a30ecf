"""layers/ of models that Keras has just saved, beside model.layers and get_weights()."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from layers import MODELS, check_saved_model, check_weights
from mounting import DATA

HERE = Path(__file__).resolve().parent
# The other one has TensorFlow 2.15, whose Keras is the last of the second generation.
PYTHONS = {'this': sys.executable, 'old': os.environ.get('WEIGHTFS_OLD_TF_PYTHON')}


@pytest.fixture(scope='module', params=[name for name, path in PYTHONS.items() if path])
def saved(request, tmp_path_factory):
    """A folder with all models, and the truth about them."""
    folder = tmp_path_factory.mktemp('keras')
    subprocess.run([PYTHONS[request.param], DATA / 'make_layers.py', folder], check=True,
                   capture_output=True)
    truth = json.loads((folder / 'layers.json').read_text())
    assert truth.keys() == set(MODELS)
    return folder, truth


@pytest.mark.parametrize('name', MODELS)
def test_a_saved_model_has_the_order_of_keras(saved, name):
    folder, truth = saved
    check_saved_model(folder, name, truth[name])


@pytest.mark.parametrize('name', MODELS)
def test_weights_alone_have_the_order_of_keras(saved, name):
    folder, truth = saved
    check_weights(folder, name, truth[name])


# ----------------------------------------------------------------------------------------- Keras 3

KERAS_3 = ('functional', 'sequential', 'recurrent', 'attention', 'frozen')


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp('keras3')
    subprocess.run([sys.executable, HERE / 'keras3_models.py', folder], check=True,
                   capture_output=True)
    truth = json.loads((folder / 'layers.json').read_text())
    assert truth.keys() == set(KERAS_3)
    return folder, truth


@pytest.mark.parametrize('name', KERAS_3)
def test_an_export_of_keras_3_has_the_order_of_its_weights(exported, name):
    folder, truth = exported
    check_saved_model(folder, name, truth[name])
