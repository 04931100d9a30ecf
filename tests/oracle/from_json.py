"""What Keras makes of architectures: {NAME: JSON} on stdin; {NAME: [to_json(), shapes]} on stdout.

Runs with tf_keras, or with the Keras 2 of TensorFlow 2.15.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / 'data'))
import make_layers  # noqa: E402

CUSTOM = {c.__name__: c for c in (make_layers.Block, make_layers.Counting, make_layers.Plain,
                                  make_layers.Scale)}


def describe(text):
    """Why there is no model, where Keras makes none of it."""
    make_layers.keras.backend.clear_session()
    try:
        model = make_layers.keras.models.model_from_json(text, CUSTOM)
        return [model.to_json(), [list(weight.shape) for weight in model.weights]]
    except Exception as error:
        return f'{type(error).__name__}: {error}'[:80]


if __name__ == '__main__':
    found = {name: describe(text) for name, text in json.load(sys.stdin).items()}
    json.dump(found, sys.stdout)
