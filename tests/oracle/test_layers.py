"""layers/ of models that Keras has just saved, beside model.layers and get_weights()."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from layers import MODELS, check_saved_model, check_weights

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize('name', MODELS)
def test_a_saved_model_has_the_order_of_keras(saved, name):
    check_saved_model(saved.folder, name, saved.truth[name])


@pytest.mark.parametrize('name', MODELS)
def test_weights_alone_have_the_order_of_keras(saved, name):
    check_weights(saved.folder, name, saved.truth[name])


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
