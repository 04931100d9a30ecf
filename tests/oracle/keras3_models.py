#!/usr/bin/env python3
"""Keras 3 models by export(), and what Keras says of their layers.

    keras3_models.py DIR

Each is DIR/NAME; DIR/layers.json is that of tests/data/make_layers.py, without weights of random
generators.
"""

import hashlib
import json
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='', TF_ENABLE_ONEDNN_OPTS='0',
                  KERAS_BACKEND='tensorflow')

import keras  # noqa: E402
import numpy as np  # noqa: E402

L = keras.layers


def functional():
    x, y = keras.Input((4,)), keras.Input((4,))
    shared = L.Dense(4, name='shared')
    h = L.Add()([shared(x), shared(y)])
    for i in range(12):
        h = L.Dense(4, name=f'step_{i}')(h)
    return keras.Model([x, y], L.Dense(2, name='head')(L.BatchNormalization(name='bn')(h)))


def sequential():
    return keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(2, 3), L.BatchNormalization(),
                             L.Dropout(0.5), L.Flatten(), L.Dense(3), L.Dense(2)])


def recurrent():
    x = keras.Input((5, 3))
    h = L.Bidirectional(L.LSTM(2, return_sequences=True, dropout=0.1), name='both')(x)
    h = L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_sequences=True, name='stack')(h)
    h = L.TimeDistributed(L.Dense(3), name='each')(h)
    return keras.Model(x, L.GRU(2, name='last')(h))


def attention():
    x = keras.Input((4, 6))
    h = L.LayerNormalization(name='ln')(L.MultiHeadAttention(2, 3, name='mha')(x, x))
    return keras.Model(x, L.Dense(1, name='out')(h))


def frozen():
    model = keras.Sequential([keras.Input((3,)), L.Dense(3, name='a'), L.Dense(3, name='b')])
    model.layers[0].trainable = False
    return model


MODELS = (functional, sequential, recurrent, attention, frozen)


def digest(value):
    return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()


def randomize(model):
    """No two weights are the same."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.random(value.shape).astype('f') for value in model.get_weights()])


def main(out):
    found = {}
    for make in MODELS:
        keras.backend.clear_session()
        name, model = make.__name__, make()
        randomize(model)
        model.export(os.path.join(out, name), verbose=False)
        found[name] = {
            'layers': [[layer.name, [digest(value) for value in layer.get_weights()]]
                       for layer in model.layers if layer.weights],
            'weights': [digest(value) for value in model.get_weights()]}
    with open(os.path.join(out, 'layers.json'), 'w') as file:
        json.dump(found, file)


if __name__ == '__main__':
    main(*sys.argv[1:])
